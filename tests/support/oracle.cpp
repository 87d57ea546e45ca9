// Frequencies and the rotation by their formulas in float64, and the comparison with a result.
#include "tests/support/oracle.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <stdexcept>

#include <fmt/format.h>

namespace hiprope::test {
namespace {

constexpr double kOrdinaryMagnitude = 8;

double or_default(double given, double fallback) {
  return given != 0 ? given : fallback;
}

std::int32_t rotary_dim_of(const RopeConfig& config) {
  return config.rotary_dim != 0 ? config.rotary_dim : config.head_dim - config.rotary_offset;
}

std::uint8_t axis_of(const RopeConfig& config, int pair) {
  if (config.axes == 1) return 0;
  switch (config.axis_layout) {
    case AxisLayout::round_robin:
      return static_cast<std::uint8_t>(pair % config.axes);
    case AxisLayout::custom:
      return config.axis_of_pair[static_cast<std::size_t>(pair)];
    case AxisLayout::interleaved:
      if (pair % 3 == 1 && pair < 3 * config.sections[1]) return 1;
      return pair % 3 == 2 && pair < 3 * config.sections[2] ? 2 : 0;
    default:
      break;
  }
  std::uint8_t axis = 0;
  for (int end = config.sections[0]; pair >= end; end += config.sections[axis]) ++axis;
  return axis;
}

// base^(-2 i / dim); with `restart` i and dim count the pairs of the same axis alone.
double unscaled_inv_freq(const RopeConfig& config, int pair) {
  double index = pair;
  double dim = rotary_dim_of(config);
  if (config.frequency_layout == FrequencyLayout::restart) {
    index = dim = 0;
    for (int other = 0; other < rotary_dim_of(config) / 2; ++other) {
      if (axis_of(config, other) != axis_of(config, pair)) continue;
      index += other < pair ? 1 : 0;
      dim += 2;
    }
  }
  return std::pow(or_default(config.base, 10000), -2 * index / dim);
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
  if (hiprope_frequencies(&c_config, &report) != hiprope_ok) throw std::runtime_error(hiprope_last_error());
  frequencies.attention_scaling = report.attention_scaling;
  return frequencies;
}

class Judge {
 public:
  Judge(const Case& c, const Images& before, const Images& after)
      : c_(c), before_(before), after_(after), expected_(before), frequencies_(oracle_frequencies(c.config)) {}

  Verdict verdict() {
    for (const Flow& flow : flows(c_)) {
      for (std::int64_t token = 0; token < c_.tokens; ++token) {
        const bool out_of_range = is_out_of_range(c_, token);
        if (!out_of_range) turn_to(token);
        for (std::int64_t head = 0; head < flow.in.heads; ++head) judge_head(flow, {token, head}, out_of_range);
      }
    }
    compare_bytes();
    return verdict_;
  }

 private:
  struct Turn {
    double cos, sin;  // times the attention scaling
  };
  struct Place {
    std::int64_t token, head;
  };

  void turn_to(std::int64_t token) {
    const double scaling = frequencies_.attention_scaling;
    const double sense = c_.direction == Direction::forward ? 1 : -1;
    turns_.clear();
    for (std::size_t pair = 0; pair < frequencies_.inv_freq.size(); ++pair) {
      const int axis = c_.config.axes > 1 ? frequencies_.axis_of_pair[pair] : 0;
      const auto position = static_cast<double>(*position_of(c_, token, axis));
      double angle = position * frequencies_.inv_freq[pair];
      if (c_.config.angles == Angles::float32) {
        angle = static_cast<double>(static_cast<float>(position) * static_cast<float>(frequencies_.inv_freq[pair]));
      }
      turns_.push_back({scaling * std::cos(angle), sense * scaling * std::sin(angle)});
    }
  }

  // Puts into `expected_` what the head must be: its input, and rotated elements as they are once they were judged.
  void judge_head(const Flow& flow, Place place, bool out_of_range) {
    const auto bytes = static_cast<std::size_t>(format_of(c_.type).bytes);
    const auto at = [&](const Side& side, std::int64_t dim) { return byte_of(c_, side, place.token, place.head, dim); };
    const auto& input = before_[static_cast<std::size_t>(flow.in.buffer)];
    const auto& written = after_[static_cast<std::size_t>(flow.out.buffer)];
    auto& expected = expected_[static_cast<std::size_t>(flow.out.buffer)];
    std::memcpy(&expected[at(flow.out, 0)], &input[at(flow.in, 0)],
                bytes * static_cast<std::size_t>(c_.config.head_dim));
    if (out_of_range) return;
    for (std::size_t pair = 0; pair < turns_.size(); ++pair) {
      const PairPlace from = pair_place(c_, static_cast<std::int64_t>(pair), false);
      const PairPlace to = pair_place(c_, static_cast<std::int64_t>(pair), true);
      const std::int64_t from_x = c_.config.rotary_offset + from.first;
      const std::int64_t to_x = c_.config.rotary_offset + to.first;
      const double x = value(&input[at(flow.in, from_x)]);
      const double y = value(&input[at(flow.in, from_x + from.distance)]);
      const Turn& turn = turns_[pair];
      // Unlike std::hypot's it is NaN where either is.
      const double magnitude = std::fabs(frequencies_.attention_scaling) * std::sqrt(x * x + y * y);
      judge_element(place, to_x, x * turn.cos - y * turn.sin, magnitude, &written[at(flow.out, to_x)]);
      judge_element(place, to_x + to.distance, y * turn.cos + x * turn.sin, magnitude,
                    &written[at(flow.out, to_x + to.distance)]);
      for (const std::int64_t dim : {to_x, to_x + to.distance}) {
        std::memcpy(&expected[at(flow.out, dim)], &written[at(flow.out, dim)], bytes);
      }
    }
  }

  // `magnitude` of the pair. What may overflow is left to the comparison of bits with the CPU path.
  void judge_element(Place place, std::int64_t dim, double wanted, double magnitude, const std::byte* written) {
    const double got = value(written);
    const auto blame = [&](const std::string& what) {
      if (verdict_.failure.empty())
        verdict_.failure = fmt::format("token {} head {} dim {}: {}", place.token, place.head, dim, what);
    };
    if (std::isnan(wanted) || !std::isfinite(magnitude)) {
      const bool kept = std::isnan(magnitude) ? std::isnan(got) : !std::isfinite(got);
      if (!kept) blame(fmt::format("is {:.9g}, but its pair has a NaN or an infinity", got));
      return;
    }
    if (magnitude * (1 + kRelativeTolerance) > largest(c_.type)) return;
    double error = std::fabs(got - wanted);
    if (std::isnan(error)) error = INFINITY;
    const double rounding = c_.type == DataType::f32 ? 0 : 0.5 * ulp(magnitude, c_.type);
    const double allowed = kRelativeTolerance * magnitude + rounding + 0x1p-148;
    if (error > allowed) blame(fmt::format("is {:.9g}, expected {:.9g} within {:.3g}", got, wanted, allowed));
    verdict_.max_error = std::max(verdict_.max_error, error / std::max(magnitude, smallest_normal(c_.type)));
    if (magnitude <= kOrdinaryMagnitude) verdict_.max_abs_error = std::max(verdict_.max_abs_error, error);
  }

  void compare_bytes() {
    for (std::size_t i = 0; i < expected_.size() && verdict_.failure.empty(); ++i) {
      if (expected_[i] == after_[i]) continue;
      if (expected_[i].size() != after_[i].size()) {
        verdict_.failure = fmt::format("buffer {} has {} bytes, expected {}", i, after_[i].size(), expected_[i].size());
        return;
      }
      const auto [want, got] = std::ranges::mismatch(expected_[i], after_[i]);
      verdict_.failure = fmt::format("buffer {} byte {} of {} (guards of {} bytes included) must be 0x{:x}, is 0x{:x}",
                                     i, want - expected_[i].begin(), expected_[i].size(), kGuardBytes,
                                     static_cast<int>(*want), static_cast<int>(*got));
    }
  }

  double value(const std::byte* element) const { return decode(load_bits(element, c_.type), c_.type); }

  const Case& c_;
  const Images& before_;
  const Images& after_;
  Images expected_;
  OracleFrequencies frequencies_;
  std::vector<Turn> turns_;  // [pairs] of the current token
  Verdict verdict_;
};

}  // namespace

OracleFrequencies oracle_frequencies(const RopeConfig& config) {
  if (!oracle_knows(config)) return library_frequencies(config);
  OracleFrequencies frequencies;
  for (int pair = 0; pair < rotary_dim_of(config) / 2; ++pair) {
    frequencies.inv_freq.push_back(unscaled_inv_freq(config, pair));
    frequencies.axis_of_pair.push_back(axis_of(config, pair));
    if (config.scaling.type == ScalingType::linear) frequencies.inv_freq.back() /= config.scaling.factor;
  }
  if (config.scaling.type == ScalingType::yarn) apply_yarn(config, frequencies);
  if (config.scaling.type == ScalingType::llama3) apply_llama3(config, frequencies);
  return frequencies;
}

bool oracle_knows(const RopeConfig& config) {
  const ScalingType type = config.scaling.type;
  if (!config.scaling.freq_factors.empty()) return false;
  if (type == ScalingType::yarn || type == ScalingType::llama3) return config.axes == 1;
  return type == ScalingType::none || type == ScalingType::linear;
}

Verdict judge(const Case& c, const Images& before, const Images& after) {
  return Judge(c, before, after).verdict();
}

}  // namespace hiprope::test
