// The scalar conversions of f16 and bf16 against their definition.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>

#include "cpu/numeric.h"

namespace {

using hiprope::internal::Bfloat;
using hiprope::internal::from_float;
using hiprope::internal::Half;
using hiprope::internal::to_float;

// A format by its field widths; both have a sign bit before them.
struct Format {
  int exponent_bits, mantissa_bits;
  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  unsigned infinity() const { return ((1U << exponent_bits) - 1) << mantissa_bits; }
};

double value_of(const Format& format, unsigned magnitude) {
  const int exponent = static_cast<int>(magnitude >> format.mantissa_bits);
  const unsigned mantissa = magnitude & ((1U << format.mantissa_bits) - 1);
  const unsigned leading = exponent == 0 ? 0 : 1U << format.mantissa_bits;
  return std::ldexp(leading + mantissa, std::max(exponent, 1) - format.bias() - format.mantissa_bits);
}

template <typename Element>
void expect_reads_every_value(const Format& format) {
  for (unsigned bits = 0; bits <= 0xFFFFU; ++bits) {
    const float value = to_float(Element{static_cast<std::uint16_t>(bits)});
    const unsigned magnitude = bits & 0x7FFFU;
    if (magnitude > format.infinity()) {
      ASSERT_TRUE(std::isnan(value)) << bits;
      continue;
    }
    ASSERT_EQ(std::signbit(value), (bits & 0x8000U) != 0) << bits;
    if (magnitude == format.infinity()) {
      ASSERT_TRUE(std::isinf(value)) << bits;
    } else {
      ASSERT_EQ(std::fabs(static_cast<double>(value)), value_of(format, magnitude)) << bits;
    }
  }
}

// Between every two neighbours: the value halfway goes to the even one, its float32 neighbours to the nearer one. Past
// the largest finite value the neighbour is infinity, as if it were one step further.
template <typename Element>
void expect_rounds_to_nearest_even(const Format& format) {
  for (unsigned low = 0; low < format.infinity(); ++low) {
    const auto halfway = static_cast<float>((value_of(format, low) + value_of(format, low + 1)) / 2);
    const unsigned even = low + (low & 1U);
    for (const float sign : {1.0F, -1.0F}) {
      const unsigned sign_bit = sign < 0 ? 0x8000U : 0U;
      ASSERT_EQ(from_float<Element>(sign * halfway).bits, sign_bit | even) << low;
      ASSERT_EQ(from_float<Element>(sign * std::nextafter(halfway, 0.0F)).bits, sign_bit | low) << low;
      ASSERT_EQ(from_float<Element>(sign * std::nextafter(halfway, INFINITY)).bits, sign_bit | (low + 1)) << low;
      ASSERT_EQ(from_float<Element>(sign * static_cast<float>(value_of(format, low))).bits, sign_bit | low) << low;
    }
  }
  ASSERT_EQ(from_float<Element>(INFINITY).bits, format.infinity());
  ASSERT_EQ(from_float<Element>(-INFINITY).bits, 0x8000U | format.infinity());
}

template <typename Element>
void expect_keeps_nan(const Format& format) {
  for (const std::uint32_t bits : {0x7F800001U, 0x7F80FFFFU, 0x7FC00000U, 0x7FFFFFFFU, 0xFF800001U, 0xFFFFFFFFU}) {
    ASSERT_GT(from_float<Element>(std::bit_cast<float>(bits)).bits & 0x7FFFU, format.infinity()) << bits;
  }
}

constexpr Format kHalf = {5, 10};
constexpr Format kBfloat = {8, 7};

TEST(Conversions, HalfReadsEveryValue) {
  expect_reads_every_value<Half>(kHalf);
}
TEST(Conversions, BfloatReadsEveryValue) {
  expect_reads_every_value<Bfloat>(kBfloat);
}
TEST(Conversions, HalfRoundsToNearestEven) {
  expect_rounds_to_nearest_even<Half>(kHalf);
}
TEST(Conversions, BfloatRoundsToNearestEven) {
  expect_rounds_to_nearest_even<Bfloat>(kBfloat);
}
TEST(Conversions, HalfKeepsNan) {
  expect_keeps_nan<Half>(kHalf);
}
TEST(Conversions, BfloatKeepsNan) {
  expect_keeps_nan<Bfloat>(kBfloat);
}

}  // namespace
