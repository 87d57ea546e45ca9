// The float64 oracle: what a call must write, from the formula alone; shares no code with kernels or CPU path.
#pragma once

#include <string>

#include "tests/support/case.h"

namespace hiprope::test {

// Empty, or the first element by which `after` is not what the call makes of `before`: rotated elements within 1e-5 of
// the pair's magnitude (plus half a step of a 16-bit type), every other byte of every buffer exactly.
std::string oracle_mismatch(const Case& c, const Images& before, const Images& after);

}  // namespace hiprope::test
