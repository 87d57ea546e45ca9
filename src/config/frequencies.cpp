// From a config to inv_freq and the scale factors: pure functions, float64 throughout.
#include "config/frequencies.h"

#include <cmath>
#include <new>
#include <numbers>

#include "config/axes.h"
#include "config/scaling.h"
#include "status.h"

namespace hiprope::internal {
namespace {

// A pair's frequency is the power law's entry `index` of a rotary dimension of `dim` elements.
struct Slot {
  int index;
  int dim;
};

double scaled_base(const hiprope_config& config, const hiprope_scaling& scaling) {
  const double r = config.rotary_dim;
  if (scaling.type == hiprope_scaling_ntk && scaling.mixed_b == 0.0) return config.base * scaling.factor;
  if (scaling.type != hiprope_scaling_dynamic) return config.base;
  const auto trained = static_cast<double>(scaling.original_max_positions);
  const double length = std::fmax(static_cast<double>(scaling.sequence_length), trained);
  const double stretch =
      scaling.alpha != 0.0 ? scaling.alpha : scaling.factor * length / trained - (scaling.factor - 1.0);
  return config.base * std::pow(stretch, r / (r - 2.0));
}

// 1 where YaRN keeps the frequency, 0 where it divides it by the factor.
double yarn_kept_part(const hiprope_scaling& scaling, double base, bool truncate, Slot slot) {
  const auto pair_of_rotations = [&](double rotations) {
    return slot.dim *
           std::log(static_cast<double>(scaling.original_max_positions) / (2.0 * std::numbers::pi * rotations)) /
           (2.0 * std::log(base));
  };
  double low = pair_of_rotations(scaling.beta_fast);
  double high = pair_of_rotations(scaling.beta_slow);
  if (truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::fmax(low, 0.0);
  high = std::fmin(high, slot.dim - 1.0);
  if (low == high) high += 0.001;
  const double ramp = std::fmin(std::fmax((slot.index - low) / (high - low), 0.0), 1.0);
  return (1.0 - ramp) * scaling.extrapolation_factor;
}

double llama3_frequency(const hiprope_scaling& scaling, double frequency) {
  const auto original = static_cast<double>(scaling.original_max_positions);
  const double wavelength = 2.0 * std::numbers::pi / frequency;
  const double low = scaling.low_freq_factor;
  const double high = scaling.high_freq_factor;
  if (wavelength < original / high) return frequency;
  if (wavelength > original / low || low == high) return frequency / scaling.factor;
  const double smooth = (original / wavelength - low) / (high - low);
  return ((1.0 - smooth) / scaling.factor + smooth) * frequency;
}

double pair_frequency(const hiprope_config& config, const hiprope_scaling& scaling, double base, int pair, Slot slot) {
  const double frequency = std::pow(base, -2.0 * slot.index / slot.dim);
  switch (scaling.type) {
    case hiprope_scaling_linear:
      return frequency / scaling.factor;
    case hiprope_scaling_ntk: {
      const double half = config.rotary_dim / 2.0;
      return scaling.mixed_b == 0.0
                 ? frequency / std::pow(scaling.factor, 1.0 / half)
                 : frequency / std::pow(scaling.factor, std::pow((pair + 1) / half, scaling.mixed_b));
    }
    case hiprope_scaling_yarn: {
      const double kept = yarn_kept_part(scaling, base, scaling.no_truncate == 0, slot);
      return frequency / scaling.factor * (1.0 - kept) + frequency * kept;
    }
    case hiprope_scaling_longrope:
      return frequency / (scaling.sequence_length > scaling.original_max_positions ? scaling.long_factor
                                                                                   : scaling.short_factor)[pair];
    case hiprope_scaling_llama3:
      return llama3_frequency(scaling, frequency);
    case hiprope_scaling_proportional:
      return slot.index < scaling.active_pairs ? std::pow(base, -2.0 * slot.index / config.head_dim) / scaling.factor
                                               : 0.0;
    case hiprope_scaling_custom:
      return scaling.inv_freq[pair];
    default:
      return frequency;
  }
}

// ---- Scale factors --------------------------------------------------------------------------------------------------

// YaRN's magnitude correction g(s, m).
double yarn_magnitude(const hiprope_scaling& scaling, double mscale) {
  return scaling.factor <= 1.0 ? 1.0 : scaling.mscale_coefficient * mscale * std::log(scaling.factor) + 1.0;
}

double attention_scaling(const hiprope_scaling& scaling) {
  if (scaling.attention_factor != 0.0) return scaling.attention_factor;
  if (scaling.type == hiprope_scaling_yarn) {
    const bool ratio = scaling.mscale != 0.0 && scaling.mscale_all_dim != 0.0;
    return scaling.attn_factor *
           (ratio ? yarn_magnitude(scaling, scaling.mscale) / yarn_magnitude(scaling, scaling.mscale_all_dim)
                  : yarn_magnitude(scaling, 1.0));
  }
  if (scaling.type == hiprope_scaling_longrope) {
    const bool is_long = scaling.sequence_length > scaling.original_max_positions;
    const double given = is_long ? scaling.long_mscale : scaling.short_mscale;
    if (given != 0.0) return given;
    if (scaling.factor <= 1.0) return 1.0;
    return std::sqrt(1.0 + std::log(scaling.factor) / std::log(static_cast<double>(scaling.original_max_positions)));
  }
  return 1.0;
}

double softmax_scale(const hiprope_scaling& scaling) {
  if (scaling.mscale_all_dim == 0.0) return 1.0;
  const double magnitude = yarn_magnitude(scaling, scaling.mscale_all_dim);
  return magnitude * magnitude;
}

}  // namespace

hiprope_status resolve_frequencies(const hiprope_config& config, Frequencies& frequencies) {
  hiprope_scaling scaling{};
  hiprope_status status = resolve_scaling(config, scaling);
  if (status != hiprope_ok) return status;

  const int pairs = config.rotary_dim / 2;
  frequencies.pairs = pairs;
  frequencies.axes = config.axes;
  frequencies.inv_freq.reset(new (std::nothrow) double[static_cast<std::size_t>(pairs)]);
  frequencies.axis_of_pair.reset(config.axes > 1 ? new (std::nothrow) std::uint8_t[static_cast<std::size_t>(pairs)]
                                                 : nullptr);
  if (frequencies.inv_freq == nullptr || (config.axes > 1 && frequencies.axis_of_pair == nullptr)) {
    return fail(hiprope_error_out_of_host_memory, "no memory for the ", pairs, " frequencies");
  }
  int count[4] = {};
  status = map_axes(config, frequencies.axis_of_pair.get(), count);
  if (status != hiprope_ok) return status;

  frequencies.effective_base = scaled_base(config, scaling);
  frequencies.attention_scaling = attention_scaling(scaling);
  frequencies.softmax_scale = softmax_scale(scaling);
  if (!std::isfinite(frequencies.effective_base) || !std::isfinite(frequencies.attention_scaling) ||
      !std::isfinite(frequencies.softmax_scale)) {
    return fail(hiprope_error_scaling, "scaling gives base ", frequencies.effective_base, ", attention scaling ",
                frequencies.attention_scaling, " and softmax scale ", frequencies.softmax_scale,
                "; all must be finite");
  }

  const bool zero_allowed = scaling.type == hiprope_scaling_proportional || scaling.type == hiprope_scaling_custom;
  int next[4] = {};
  for (int j = 0; j < pairs; ++j) {
    Slot slot{j, config.rotary_dim};
    if (config.axes > 1 && config.frequency_layout != hiprope_frequencies_continuous) {
      const int axis = frequencies.axis_of_pair[static_cast<std::size_t>(j)];
      const int i = next[axis]++;
      slot = config.frequency_layout == hiprope_frequencies_restart ? Slot{i, 2 * count[axis]}
                                                                    : Slot{i * config.axes + axis, config.rotary_dim};
    }
    double frequency = pair_frequency(config, scaling, frequencies.effective_base, j, slot);
    if (scaling.freq_factors != nullptr) frequency /= scaling.freq_factors[j];
    if (!std::isfinite(frequency) || (frequency == 0.0 && !zero_allowed)) {
      return fail(hiprope_error_scaling, "scaling type ", scaling_name(scaling.type), " gives inv_freq[", j,
                  "] = ", frequency, " from base ", config.base);
    }
    frequencies.inv_freq[static_cast<std::size_t>(j)] = frequency;
  }
  return hiprope_ok;
}

}  // namespace hiprope::internal
