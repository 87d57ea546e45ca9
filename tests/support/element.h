// Values of the tensor types written out from their formats in float64; shares nothing with the library's conversions.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "hiprope/hiprope.hpp"

namespace hiprope::test {

struct Format {
  int bytes;
  int exponent_bits;
  int fraction_bits;
};

inline Format format_of(DataType type) {
  constexpr Format kFormats[] = {{4, 8, 23}, {2, 5, 10}, {2, 8, 7}};
  return kFormats[static_cast<int>(type)];
}

inline const char* name_of(DataType type) {
  constexpr const char* kNames[] = {"f32", "f16", "bf16"};
  return kNames[static_cast<int>(type)];
}

inline std::uint32_t load_bits(const std::byte* at, DataType type) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, at, static_cast<std::size_t>(format_of(type).bytes));
  return bits;
}

inline void store_bits(std::byte* at, DataType type, std::uint32_t bits) {
  std::memcpy(at, &bits, static_cast<std::size_t>(format_of(type).bytes));
}

inline double decode(std::uint32_t bits, DataType type) {
  const Format format = format_of(type);
  const int bias = (1 << (format.exponent_bits - 1)) - 1;
  const auto fraction = static_cast<double>(bits & ((1U << format.fraction_bits) - 1));
  const auto exponent = static_cast<int>(bits >> format.fraction_bits) & ((1 << format.exponent_bits) - 1);
  const double sign = (bits >> (format.fraction_bits + format.exponent_bits) & 1U) != 0 ? -1.0 : 1.0;
  if (exponent == (1 << format.exponent_bits) - 1) return fraction != 0 ? NAN : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - format.fraction_bits);
  return sign * std::ldexp(fraction + std::ldexp(1.0, format.fraction_bits), exponent - bias - format.fraction_bits);
}

// Distance of neighbouring values of the type around `magnitude`.
inline double ulp(double magnitude, DataType type) {
  const Format format = format_of(type);
  const int smallest = 2 - (1 << (format.exponent_bits - 1));
  const int exponent = magnitude > 0 ? std::ilogb(magnitude) : smallest;
  return std::ldexp(1.0, (exponent < smallest ? smallest : exponent) - format.fraction_bits);
}

inline double smallest_normal(DataType type) {
  return std::ldexp(1.0, 2 - (1 << (format_of(type).exponent_bits - 1)));
}

inline double largest(DataType type) {
  const Format format = format_of(type);
  return std::ldexp(2.0 - std::ldexp(1.0, -format.fraction_bits), (1 << (format.exponent_bits - 1)) - 1);
}

// Nearest value of the type, ties to even, overflow to infinity.
inline std::uint32_t encode(double value, DataType type) {
  const Format format = format_of(type);
  const std::uint32_t infinity = ((1U << format.exponent_bits) - 1) << format.fraction_bits;
  const std::uint32_t sign = std::signbit(value) ? 1U << (format.exponent_bits + format.fraction_bits) : 0U;
  if (std::isnan(value)) return sign | infinity | (1U << (format.fraction_bits - 1));
  const double magnitude = std::fabs(value);
  if (std::isinf(value)) return sign | infinity;
  const double step = ulp(magnitude, type);
  const double rounded = std::nearbyint(magnitude / step) * step;
  if (rounded > largest(type)) return sign | infinity;
  const int bias = (1 << (format.exponent_bits - 1)) - 1;
  const int exponent = rounded > 0 ? std::ilogb(rounded) : -bias;
  if (exponent < 1 - bias) {
    return sign | static_cast<std::uint32_t>(std::ldexp(rounded, bias - 1 + format.fraction_bits));
  }
  const auto fraction = static_cast<std::uint32_t>(std::ldexp(rounded, format.fraction_bits - exponent));
  return sign | ((static_cast<std::uint32_t>(exponent + bias - 1) << format.fraction_bits) + fraction);
}

}  // namespace hiprope::test
