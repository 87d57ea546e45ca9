// The rotary embedding written from its formula in float64, sharing no code with the library it is compared with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "hiprope/hiprope.hpp"

namespace hiprope::tools {

// A binary floating-point format, read and written bit by bit.
struct NumberFormat {
  int bytes;
  int exponent_bits;
  int mantissa_bits;

  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  double smallest_normal() const;
  // Half the distance between neighbouring numbers at this magnitude.
  double half_step(double magnitude) const;
  std::uint32_t load(const std::byte* element) const;
  void store(std::byte* element, std::uint32_t bits) const;
  double value(std::uint32_t bits) const;
};
NumberFormat number_format(DataType type);

struct OracleFrequencies {
  std::vector<double> inv_freq;            // [R/2], radians per position
  std::vector<std::uint8_t> axis_of_pair;  // [R/2]
  double attention_scaling = 1;
  bool independent = true;  // false: inv_freq and the axis map are the library's own, only the rotation is checked
};
OracleFrequencies oracle_frequencies(const RopeConfig& config);

// The two elements of pair j as the config stores them, and where it writes them.
std::pair<std::int32_t, std::int32_t> pair_elements(const RopeConfig& config, std::int32_t pair);
std::pair<std::int32_t, std::int32_t> output_elements(const RopeConfig& config, std::int32_t pair);

std::int32_t rotary_dim_of(const RopeConfig& config);

}  // namespace hiprope::tools
