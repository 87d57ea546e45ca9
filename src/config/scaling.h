// config.scaling, checked and complete.
#pragma once

#include "hiprope/hiprope.h"

namespace hiprope::internal {

// Copies config.scaling to `scaling` with every default the type knows filled in. Refuses a parameter that is missing,
// out of range, of the wrong length, or that the type does not have.
[[nodiscard]] hiprope_status resolve_scaling(const hiprope_config& config, hiprope_scaling& scaling);

// "yarn" for hiprope_scaling_yarn; `type` is in range.
const char* scaling_name(int type);

}  // namespace hiprope::internal
