// From a config to the angles' frequencies: one pure function, all in float64.
#pragma once

#include <cstdint>
#include <memory>

#include "hiprope/hiprope.h"

namespace hiprope::internal {

struct Frequencies {
  int pairs = 0;  // R/2
  int axes = 1;
  std::unique_ptr<double[]> inv_freq;            // [pairs], radians per position
  std::unique_ptr<std::uint8_t[]> axis_of_pair;  // [pairs], each below axes; null when axes is 1
  double attention_scaling = 1.0;
  double softmax_scale = 1.0;
  double effective_base = 0.0;
};

// `config` has passed check_config: defaults are filled in and all but `scaling`, `sections` and the axis map is
// checked. Returns hiprope_ok, hiprope_error_scaling, hiprope_error_axes, hiprope_error_enum_value or
// hiprope_error_out_of_host_memory.
[[nodiscard]] hiprope_status resolve_frequencies(const hiprope_config& config, Frequencies& frequencies);

}  // namespace hiprope::internal
