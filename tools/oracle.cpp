// Number formats, frequencies and pair layouts, each from its definition.
#include "tools/oracle.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

#include "tools/tool_error.h"

namespace hiprope::tools {
namespace {

double or_default(double given, double fallback) {
  return given != 0 ? given : fallback;
}

double default_inv_freq(const RopeConfig& config, int pair) {
  return std::pow(or_default(config.base, 10000), -2.0 * pair / rotary_dim_of(config));
}

// Pairs turning fewer than beta_slow times over the original length are interpolated, more than beta_fast not at all.
void apply_yarn(const RopeConfig& config, OracleFrequencies& frequencies) {
  const Scaling& scaling = config.scaling;
  const double length = static_cast<double>(scaling.original_max_positions);
  const double factor = or_default(scaling.factor, static_cast<double>(config.max_positions) / length);
  const int dim = rotary_dim_of(config);
  const auto pair_turning = [&](double turns) {
    return dim * std::log(length / (2 * std::numbers::pi * turns)) / (2 * std::log(or_default(config.base, 10000)));
  };
  double low = pair_turning(or_default(scaling.beta_fast, 32));
  double high = pair_turning(or_default(scaling.beta_slow, 1));
  if (scaling.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dim - 1.0);
  if (low == high) high += 0.001;
  for (std::size_t pair = 0; pair < frequencies.inv_freq.size(); ++pair) {
    const double ramp = std::clamp((static_cast<double>(pair) - low) / (high - low), 0.0, 1.0);
    const double kept = (1 - ramp) * or_default(scaling.extrapolation_factor, 1);
    frequencies.inv_freq[pair] *= (1 - kept) / factor + kept;
  }

  const auto magnitude = [&](double mscale) {
    return factor <= 1 ? 1.0 : or_default(scaling.mscale_coefficient, 0.1) * mscale * std::log(factor) + 1;
  };
  const bool both = scaling.mscale != 0 && scaling.mscale_all_dim != 0;
  const double computed = both ? magnitude(scaling.mscale) / magnitude(scaling.mscale_all_dim) : magnitude(1);
  frequencies.attention_scaling = or_default(scaling.attention_factor, computed * or_default(scaling.attn_factor, 1));
}

// Wavelengths past original / low_freq_factor are stretched by factor, those within original / high_freq_factor kept.
void apply_llama3(const RopeConfig& config, OracleFrequencies& frequencies) {
  const Scaling& scaling = config.scaling;
  const double length = static_cast<double>(scaling.original_max_positions);
  for (double& frequency : frequencies.inv_freq) {
    const double periods = length * frequency / (2 * std::numbers::pi);
    const double span = scaling.high_freq_factor - scaling.low_freq_factor;
    const double step = periods >= scaling.low_freq_factor ? 1.0 : 0.0;
    const double kept = span == 0 ? step : std::clamp((periods - scaling.low_freq_factor) / span, 0.0, 1.0);
    frequency *= (1 - kept) / scaling.factor + kept;
  }
}

OracleFrequencies library_frequencies(const RopeConfig& config) {
  const auto pairs = static_cast<std::size_t>(rotary_dim_of(config) / 2);
  OracleFrequencies frequencies{std::vector<double>(pairs), std::vector<std::uint8_t>(pairs), 1, false};
  hiprope_frequency_report report{};
  report.size = sizeof(report);
  report.inv_freq = frequencies.inv_freq.data();
  report.axis_of_pair = frequencies.axis_of_pair.data();
  report.capacity = static_cast<std::int32_t>(pairs);
  const hiprope_config c_config = config.to_c();
  if (hiprope_frequencies(&c_config, &report) != hiprope_ok) refuse("{}", hiprope_last_error());
  frequencies.attention_scaling = report.attention_scaling;
  return frequencies;
}

// Pair j of blocks of `block` elements, half-split within each.
std::pair<std::int32_t, std::int32_t> blocked_elements(std::int32_t offset, std::int32_t block, std::int32_t pair) {
  const std::int32_t half = block / 2;
  const std::int32_t first = offset + pair / half * block + pair % half;
  return {first, first + half};
}

}  // namespace

double NumberFormat::smallest_normal() const {
  return std::ldexp(1, 1 - bias());
}

double NumberFormat::half_step(double magnitude) const {
  const int exponent = magnitude < smallest_normal() ? 1 - bias() : std::ilogb(magnitude);
  return std::ldexp(0.5, exponent - mantissa_bits);
}

std::uint32_t NumberFormat::load(const std::byte* element) const {
  std::uint32_t bits = 0;
  std::memcpy(&bits, element, static_cast<std::size_t>(bytes));
  return bits;
}

void NumberFormat::store(std::byte* element, std::uint32_t bits) const {
  std::memcpy(element, &bits, static_cast<std::size_t>(bytes));
}

double NumberFormat::value(std::uint32_t bits) const {
  const std::uint32_t mantissa = bits & ((1U << mantissa_bits) - 1);
  const std::uint32_t exponent = (bits >> mantissa_bits) & ((1U << exponent_bits) - 1);
  const double sign = (bits >> (exponent_bits + mantissa_bits)) != 0 ? -1.0 : 1.0;
  if (exponent == (1U << exponent_bits) - 1) {
    return mantissa != 0 ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  }
  if (exponent == 0) return sign * std::ldexp(mantissa, 1 - bias() - mantissa_bits);
  constexpr int kDoubleBias = 1023;
  constexpr int kDoubleMantissaBits = 52;
  const auto wide_exponent = std::uint64_t{exponent} + static_cast<std::uint64_t>(kDoubleBias - bias());
  const std::uint64_t wide_mantissa = std::uint64_t{mantissa} << (kDoubleMantissaBits - mantissa_bits);
  return sign * std::bit_cast<double>((wide_exponent << kDoubleMantissaBits) | wide_mantissa);
}

NumberFormat number_format(DataType type) {
  switch (type) {
    case DataType::f32:
      return {4, 8, 23};
    case DataType::f16:
      return {2, 5, 10};
    case DataType::bf16:
      return {2, 8, 7};
  }
  refuse("data type {} is none of f32, f16, bf16", static_cast<int>(type));
}

std::int32_t rotary_dim_of(const RopeConfig& config) {
  return config.rotary_dim != 0 ? config.rotary_dim : config.head_dim - config.rotary_offset;
}

OracleFrequencies oracle_frequencies(const RopeConfig& config) {
  const ScalingType type = config.scaling.type;
  const bool known = type == ScalingType::none || type == ScalingType::linear || type == ScalingType::yarn ||
                     type == ScalingType::llama3;
  if (!known || config.axes > 1 || !config.scaling.freq_factors.empty()) return library_frequencies(config);
  const auto pairs = static_cast<std::size_t>(rotary_dim_of(config) / 2);
  OracleFrequencies frequencies{std::vector<double>(pairs), std::vector<std::uint8_t>(pairs)};
  for (std::size_t pair = 0; pair < pairs; ++pair) {
    frequencies.inv_freq[pair] = default_inv_freq(config, static_cast<int>(pair));
    if (type == ScalingType::linear) frequencies.inv_freq[pair] /= config.scaling.factor;
  }
  if (type == ScalingType::yarn) apply_yarn(config, frequencies);
  if (type == ScalingType::llama3) apply_llama3(config, frequencies);
  return frequencies;
}

std::pair<std::int32_t, std::int32_t> pair_elements(const RopeConfig& config, std::int32_t pair) {
  std::int32_t block = rotary_dim_of(config);
  if (config.pairing == Pairing::interleaved) block = 2;
  if (config.pairing == Pairing::blocked) block = config.pair_block;
  return blocked_elements(config.rotary_offset, block, pair);
}

std::pair<std::int32_t, std::int32_t> output_elements(const RopeConfig& config, std::int32_t pair) {
  if (config.output_pairing == OutputPairing::as_input) return pair_elements(config, pair);
  return blocked_elements(config.rotary_offset, rotary_dim_of(config), pair);
}

}  // namespace hiprope::tools
