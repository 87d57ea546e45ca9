// Whether the process was forked since a handle was made: GPU contexts and thread pools do not survive a fork.
#pragma once

#include <cstdint>

namespace hiprope::internal {

// Begins to watch, once per process, and returns the count of forks seen by this process's ancestors since.
std::uint32_t watch_forks();
std::uint32_t fork_generation();

}  // namespace hiprope::internal
