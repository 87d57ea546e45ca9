// Calls that must give the same bits: a call split by tensor or by token, and one in place against one out of place.
#pragma once

#include <vector>

#include "tests/support/case.h"

namespace hiprope::test {

// A call over T tokens as T calls over one, in the same buffers.
std::vector<Case> by_token(const Case& c);

// A call over Q and K as one call each, in the same buffers.
std::vector<Case> by_tensor(const Case& c);

// The case with every tensor that it rotates in place written to a buffer of its own, which starts as
// a copy, but for the elements.
struct Moved {
  Case c;
  Images before;
};
Moved moved_apart(const Case& c, const Images& before);
// The buffers after a moved call as the call in place would have left them.
Images moved_back(const Case& c, const Images& after);

}  // namespace hiprope::test
