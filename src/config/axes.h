// The axis of every pair, for configs with more than one position per token.
#pragma once

#include <cstdint>

#include "hiprope/hiprope.h"

namespace hiprope::internal {

// Checks layouts, sections and map; with more than one axis also fills axis[R/2] and adds each axis's pairs to `count`.
// `axis` may be null when config.axes is 1.
[[nodiscard]] hiprope_status map_axes(const hiprope_config& config, std::uint8_t* axis, int (&count)[4]);

}  // namespace hiprope::internal
