// Which of a token's positions turns each pair: the axis layouts and their checks.
#include "config/axes.h"

#include "status.h"

namespace hiprope::internal {
namespace {

// Fills axis[0 .. pairs) for openPangu: always the axis placed least relative to its section, never the same twice in
// a row while another is left; with three axes the last pair is the first axis's.
void place_rarest_first(const hiprope_config& config, std::uint8_t* axis) {
  const int pairs = config.rotary_dim / 2;
  int section[4] = {};
  int placed[4] = {};
  for (int a = 0; a < config.axes; ++a) section[a] = config.sections[a];
  const bool ends_with_first = config.axes == 3 && section[0] > 0;
  if (ends_with_first) --section[0];
  int last = -1;
  for (int j = 0; j < pairs; ++j) {
    int best = -1;
    for (int a = 0; a < config.axes; ++a) {
      if (placed[a] == section[a] || a == last) continue;
      if (best < 0 || placed[a] * section[best] < placed[best] * section[a]) best = a;
    }
    if (best < 0) best = ends_with_first && j == pairs - 1 ? 0 : last;
    axis[j] = static_cast<std::uint8_t>(best);
    ++placed[best];
    last = best;
  }
}

int formula_axis(const hiprope_config& config, int j) {
  const std::int32_t* section = config.sections;
  switch (config.axis_layout) {
    case hiprope_axes_interleaved:
      if (j % 3 == 1 && j < 3 * section[1]) return 1;
      return j % 3 == 2 && j < 3 * section[2] ? 2 : 0;
    case hiprope_axes_ernie:
      return j < section[1] + section[2] ? 1 + j % 2 : 0;
    case hiprope_axes_round_robin:
      return j % config.axes;
    case hiprope_axes_custom:
      return config.axis_of_pair[j];
    default: {
      int a = 0;
      for (int end = section[0]; j >= end && a + 1 < config.axes; end += section[a]) ++a;
      return a;
    }
  }
}

hiprope_status check_sections(const hiprope_config& config) {
  if (config.axis_layout < hiprope_axes_chunked || config.axis_layout > hiprope_axes_custom) {
    return fail(hiprope_error_enum_value, "axis_layout ", config.axis_layout, " is not an enum hiprope_axis_layout");
  }
  if (config.frequency_layout < hiprope_frequencies_continuous ||
      config.frequency_layout > hiprope_frequencies_strided) {
    return fail(hiprope_error_enum_value, "frequency_layout ", config.frequency_layout,
                " is not an enum hiprope_frequency_layout");
  }
  const bool three = config.axis_layout == hiprope_axes_interleaved || config.axis_layout == hiprope_axes_ernie;
  if (three && config.axes != 3) {
    return fail(hiprope_error_axes, "axis_layout ", config.axis_layout, " needs 3 axes; axes is ", config.axes);
  }
  if (config.axis_layout == hiprope_axes_custom) {
    return config.axis_of_pair != nullptr
               ? hiprope_ok
               : fail(hiprope_error_axes, "axis_of_pair is null; axis_layout custom requires it");
  }
  if (config.axis_layout == hiprope_axes_round_robin) return hiprope_ok;
  std::int64_t sum = 0;
  for (int a = 0; a < 4; ++a) {
    if (config.sections[a] < 0 || (a >= config.axes && config.sections[a] != 0)) {
      return fail(hiprope_error_axes, "sections[", a, "] is ", config.sections[a], " with ", config.axes, " axes");
    }
    sum += config.sections[a];
  }
  const bool absent = config.axes == 1 && sum == 0;
  if (!absent && sum != config.rotary_dim / 2) {
    return fail(hiprope_error_axes, "sections sum to ", sum, "; rotary_dim / 2 is ", config.rotary_dim / 2);
  }
  return hiprope_ok;
}

}  // namespace

hiprope_status map_axes(const hiprope_config& config, std::uint8_t* axis, int (&count)[4]) {
  if (const hiprope_status status = check_sections(config); status != hiprope_ok) return status;
  if (config.axes == 1) return hiprope_ok;
  const int pairs = config.rotary_dim / 2;
  if (config.axis_layout == hiprope_axes_rarest_first) place_rarest_first(config, axis);
  for (int j = 0; j < pairs; ++j) {
    if (config.axis_layout != hiprope_axes_rarest_first) axis[j] = static_cast<std::uint8_t>(formula_axis(config, j));
    if (axis[j] >= config.axes) {
      return fail(hiprope_error_axes, "axis_of_pair[", j, "] is ", unsigned{axis[j]}, "; axes is ", config.axes);
    }
    ++count[axis[j]];
  }
  const bool has_sections = config.axis_layout != hiprope_axes_custom && config.axis_layout != hiprope_axes_round_robin;
  for (int a = 0; a < config.axes; ++a) {
    if (has_sections && count[a] != config.sections[a]) {
      return fail(hiprope_error_axes, "sections[", a, "] is ", config.sections[a], ", but axis_layout ",
                  config.axis_layout, " gives axis ", a, " ", count[a], " of the ", pairs, " pairs");
    }
    if (config.frequency_layout == hiprope_frequencies_strided && count[a] * config.axes != pairs) {
      return fail(hiprope_error_axes, "frequency_layout strided needs axes of equal size; axis ", a, " has ", count[a],
                  " of the ", pairs, " pairs and axes is ", config.axes);
    }
  }
  return hiprope_ok;
}

}  // namespace hiprope::internal
