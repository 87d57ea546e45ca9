// How much work a thread and a block take.
#pragma once

#include <cstdint>

#include "hiprope/hiprope.h"

namespace hiprope::internal {

constexpr std::int32_t kMaxBlockThreads = 256;  // the kernels' launch bound

struct Tuning {
  std::int32_t accesses;       // vectors of the tensor that a thread has in flight, two a head: 2 or 4
  std::int32_t block_threads;  // a multiple of 32 up to 256
};

// What HIPROPE_TUNING sets: "accesses=4,block=128", either of them or nothing; 0 is not set.
// hiprope_error_environment where it holds anything else.
[[nodiscard]] hiprope_status read_tuning_override(Tuning& tuning);

// For a launch that reads and writes `bytes` of tensors together, on a GPU of so many compute units.
Tuning choose_tuning(std::int64_t bytes, std::int32_t compute_units, const Tuning& override);

}  // namespace hiprope::internal
