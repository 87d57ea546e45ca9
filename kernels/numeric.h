// The element types of tensors as bit patterns: decoding to float32 is exact, encoding rounds once to nearest even.
// The 16-bit types encode two elements into a word, the first into its lower half.
#pragma once

#include "device.h"

namespace hiprope {

struct f32 {
  static constexpr int bytes = 4;
  static HIPROPE_DEVICE float decode(std::uint32_t bits) { return bits_as<float>(bits); }
  static HIPROPE_DEVICE std::uint32_t encode(float value) { return bits_as<std::uint32_t>(value); }
};

// A NaN that comes of bf16 values through float32 arithmetic stays one: the bits it lacks are zero, so that rounding
// carries nothing into the others.
struct bf16 {
  static constexpr int bytes = 2;
  static HIPROPE_DEVICE float decode(std::uint32_t bits) { return bits_as<float>(bits << 16); }
#if defined(__CUDACC__)
  static HIPROPE_DEVICE std::uint32_t encode_two(float low, float high) {
    return bits_as<std::uint32_t>(__floats2bfloat162_rn(low, high));
  }
#elif defined(__gfx950__) || defined(__gfx1250__)
  // One instruction there. Elsewhere the compiler's conversion asks for NaNs and takes more than the sum below.
  static HIPROPE_DEVICE std::uint32_t encode_two(float low, float high) {
    typedef float Floats __attribute__((ext_vector_type(2)));
    typedef __bf16 Rounded __attribute__((ext_vector_type(2)));
    return bits_as<std::uint32_t>(__builtin_convertvector((Floats{low, high}), Rounded));
  }
#else
  static HIPROPE_DEVICE std::uint32_t encode_two(float low, float high) {
#if defined(__HIP__)
    return __builtin_amdgcn_perm(rounded(high), rounded(low), 0x07060302U);  // their upper halves, in one instruction
#else
    return rounded(low) >> 16 | (rounded(high) & 0xFFFF0000U);
#endif
  }

 private:
  static HIPROPE_DEVICE std::uint32_t rounded(float value) {
    const std::uint32_t bits = bits_as<std::uint32_t>(value);
    return bits + 0x7FFFU + ((bits >> 16) & 1U);
  }
#endif
};

struct f16 {
  static constexpr int bytes = 2;
#if defined(__CUDACC__)
  static HIPROPE_DEVICE float decode(std::uint32_t bits) {
    return __half2float(__ushort_as_half(static_cast<unsigned short>(bits)));
  }
  static HIPROPE_DEVICE std::uint32_t encode_two(float low, float high) {
    return bits_as<std::uint32_t>(__floats2half2_rn(low, high));
  }
#elif defined(__HIP__)
  static HIPROPE_DEVICE float decode(std::uint32_t bits) {
    return static_cast<float>(bits_as<_Float16>(static_cast<std::uint16_t>(bits)));
  }
  static HIPROPE_DEVICE std::uint32_t encode_two(float low, float high) {
    return bits_as<std::uint16_t>(static_cast<_Float16>(low)) |
           static_cast<std::uint32_t>(bits_as<std::uint16_t>(static_cast<_Float16>(high))) << 16;
  }
#else
  static float decode(std::uint32_t bits) {
    const std::uint32_t exponent = (bits >> 10) & 31U;
    const auto fraction = static_cast<float>(bits & 0x3FFU);
    float magnitude = std::ldexp(exponent == 0 ? fraction : fraction + 1024.0F,
                                 exponent == 0 ? -24 : static_cast<int>(exponent) - 25);
    if (exponent == 31) magnitude = (bits & 0x3FFU) != 0 ? NAN : INFINITY;
    return (bits & 0x8000U) != 0 ? -magnitude : magnitude;
  }
  static std::uint32_t encode_two(float low, float high) { return encode(low) | encode(high) << 16; }

 private:
  static std::uint32_t encode(float value) {
    const std::uint32_t sign = (bits_as<std::uint32_t>(value) >> 16) & 0x8000U;
    const float magnitude = std::fabs(value);
    if (value != value) return sign | 0x7E00U;
    if (magnitude >= 65520.0F) return sign | 0x7C00U;
    if (magnitude < 0x1p-14F) return sign | static_cast<std::uint32_t>(std::nearbyint(std::ldexp(magnitude, 24)));
    const int exponent = std::ilogb(magnitude);
    // 1024 .. 2048 steps of this binade; 2048 carries into the exponent field.
    const auto steps = static_cast<std::uint32_t>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
    return sign | ((static_cast<std::uint32_t>(exponent + 14) << 10) + steps);
  }
#endif
};

// A vector of elements in 32-bit words, from and to float32.
template <typename Element, int count>
HIPROPE_DEVICE void decode_vector(const std::uint32_t* words, float* value) {
  HIPROPE_UNROLL
  for (int i = 0; i < count; ++i) {
    if constexpr (Element::bytes == 4) {
      value[i] = Element::decode(words[i]);
    } else {
      value[i] = Element::decode(words[i / 2] >> (16 * (i % 2)) & 0xFFFFU);
    }
  }
}

template <typename Element, int count>
HIPROPE_DEVICE void encode_vector(const float* value, std::uint32_t* words) {
  HIPROPE_UNROLL
  for (int i = 0; i < count; i += 4 / Element::bytes) {
    if constexpr (Element::bytes == 4) {
      words[i] = Element::encode(value[i]);
    } else {
      words[i / 2] = Element::encode_two(value[i], value[i + 1]);
    }
  }
}

}  // namespace hiprope
