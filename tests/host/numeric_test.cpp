// Conversions of f16 and bf16, in the CPU path and in the kernels: every value, and every rounding boundary.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>

#include "cpu/numeric.h"
#include "kernels/numeric.h"
#include "tests/support/element.h"
#include "tests/support/random.h"

namespace hiprope::test {
namespace {

// The two implementations under test behind one face. A NaN they are given has no bits but nan_bits, and quiet_bits.
struct CpuHalf {
  static constexpr std::uint32_t nan_bits = 0xFFFFFFFFU, quiet_bits = 0;
  static constexpr DataType type = DataType::f16;
  static float decode(std::uint32_t bits) {
    return internal::to_float(internal::Half{static_cast<std::uint16_t>(bits)});
  }
  static std::uint32_t encode(float value) { return internal::from_float<internal::Half>(value).bits; }
};
struct CpuBfloat {
  static constexpr std::uint32_t nan_bits = 0xFFFFFFFFU, quiet_bits = 0;
  static constexpr DataType type = DataType::bf16;
  static float decode(std::uint32_t bits) {
    return internal::to_float(internal::Bfloat{static_cast<std::uint16_t>(bits)});
  }
  static std::uint32_t encode(float value) { return internal::from_float<internal::Bfloat>(value).bits; }
};
// Kernels round only after arithmetic, whose NaNs are quiet, and a bf16 after arithmetic on bf16 values, whose NaNs
// have no bits below a bf16's.
template <typename Element, DataType element_type>
struct Kernel {
  static constexpr std::uint32_t nan_bits = element_type == DataType::bf16 ? 0xFFFF0000U : 0xFFFFFFFFU;
  static constexpr std::uint32_t quiet_bits = 0x400000U;
  static constexpr DataType type = element_type;
  static float decode(std::uint32_t bits) { return Element::decode(bits); }
  static std::uint32_t encode(float value) {
    const std::uint32_t word = Element::encode_two(value, value);
    EXPECT_EQ(word >> 16, word & 0xFFFFU) << std::hexfloat << value;
    return word & 0xFFFFU;
  }
};
using KernelHalf = Kernel<hiprope::f16, DataType::f16>;
using KernelBfloat = Kernel<hiprope::bf16, DataType::bf16>;

template <typename Conversion>
class Numeric : public testing::Test {
 protected:
  static constexpr DataType type = Conversion::type;
  static constexpr std::uint32_t kSign = 0x8000;
  static std::uint32_t infinity() { return encode(INFINITY, type); }

  static void expect_encodes(float value, std::uint32_t wanted) {
    ASSERT_EQ(Conversion::encode(value), wanted) << std::hexfloat << value;
    ASSERT_EQ(Conversion::encode(-value), wanted | kSign) << std::hexfloat << -value;
  }
};

using Conversions = testing::Types<CpuHalf, CpuBfloat, KernelHalf, KernelBfloat>;
class Names {
 public:
  template <typename Conversion>
  static std::string GetName(int i) {
    constexpr const char* kNames[] = {"cpu_f16", "cpu_bf16", "kernel_f16", "kernel_bf16"};
    return kNames[i];
  }
};
TYPED_TEST_SUITE(Numeric, Conversions, Names);

TYPED_TEST(Numeric, DecodesEveryValueExactly) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const double wanted = decode(bits, this->type);
    const float actual = TypeParam::decode(bits);
    if (std::isnan(wanted)) {
      ASSERT_TRUE(std::isnan(actual)) << bits;
    } else {
      ASSERT_EQ(static_cast<double>(actual), wanted) << bits;
      ASSERT_EQ(std::signbit(actual), (bits & 0x8000) != 0) << bits;
    }
  }
}

TYPED_TEST(Numeric, EveryValueComesBack) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    if (std::isnan(decode(bits, this->type))) {
      ASSERT_TRUE(std::isnan(decode(TypeParam::encode(TypeParam::decode(bits)), this->type))) << bits;
    } else {
      ASSERT_EQ(TypeParam::encode(TypeParam::decode(bits)), bits);
    }
  }
}

// Between neighbours a < b: the midpoint goes to the even one, all below it to a, all above it to b.
TYPED_TEST(Numeric, RoundsAtEveryBoundary) {
  for (std::uint32_t low = 0; low < this->infinity(); ++low) {
    const std::uint32_t high = low + 1;
    const double above =
        high == this->infinity() ? 2 * largest(this->type) - decode(low - 1, this->type) : decode(high, this->type);
    const double exact = (decode(low, this->type) + above) / 2;
    const auto middle = static_cast<float>(exact);
    ASSERT_EQ(static_cast<double>(middle), exact);
    this->expect_encodes(middle, low % 2 == 0 ? low : high);
    this->expect_encodes(std::nextafter(middle, 0.0F), low);
    this->expect_encodes(std::nextafter(middle, INFINITY), high);
  }
}

TYPED_TEST(Numeric, RandomFloatsRoundLikeTheFormat) {
  Random random(run_seed());
  for (int i = 0; i < 2000000; ++i) {
    const auto bits = static_cast<std::uint32_t>(random.bits());
    auto value = std::bit_cast<float>(bits);
    if (std::isnan(value)) value = std::bit_cast<float>((bits & TypeParam::nan_bits) | TypeParam::quiet_bits);
    const std::uint32_t actual = TypeParam::encode(value);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(decode(actual, this->type)));
    } else {
      ASSERT_EQ(actual, encode(value, this->type)) << std::hexfloat << value;
    }
  }
}

TYPED_TEST(Numeric, Extremes) {
  this->expect_encodes(0.0F, 0);
  this->expect_encodes(INFINITY, this->infinity());
  this->expect_encodes(0x1.fffffep127F, this->infinity());
  this->expect_encodes(0x1p-149F, 0);
  for (const std::uint32_t nan : {0x7F800001U, 0x7FFFFFFFU, 0xFF800001U, 0xFFFFFFFFU, 0x7FC00000U, 0x7F80FFFFU}) {
    const auto value = std::bit_cast<float>((nan & TypeParam::nan_bits) | TypeParam::quiet_bits);
    ASSERT_TRUE(std::isnan(decode(TypeParam::encode(value), this->type))) << std::hex << nan;
  }
}

}  // namespace
}  // namespace hiprope::test
