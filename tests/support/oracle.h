// The float64 oracle: what a call must write, from the formula alone; shares no code with kernels or CPU path.
#pragma once

#include <string>

#include "tests/support/case.h"

namespace hiprope::test {

// Whether it knows a config's frequencies; those of other scalings have tests of their own (tests/frequencies).
bool oracle_knows(const RopeConfig& config);

// Empty, or the first element by which `after` is not what the call makes of `before`: rotated elements within 1e-5 of
// the pair's magnitude (plus half a step of a 16-bit type), every other byte of every buffer exactly.
std::string oracle_mismatch(const Case& c, const Images& before, const Images& after);

}  // namespace hiprope::test
