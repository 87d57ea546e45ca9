// How much work a thread and a block take, as measured: data, not code.
#pragma once

#include <cstdint>

#include "hiprope/hiprope.h"

namespace hiprope::internal {

// What HIPROPE_TUNING sets: "accesses=4,block=128", either part alone, or nothing.
struct TuningOverride {
  std::int32_t accesses_per_thread = 0;  // 0: as the table says
  std::int32_t block_threads = 0;
};
[[nodiscard]] hiprope_status read_tuning_override(TuningOverride& tuning);

struct Tuning {
  std::int32_t accesses_per_thread;  // reads of the tensor in flight: of two a head, or one where pairs are interleaved
  std::int32_t block_threads;
};

Tuning choose_tuning(const hiprope_rope& rope, std::int64_t access_bytes, std::int64_t accesses);

}  // namespace hiprope::internal
