// How much work a thread and a block take, where angles are from and what threads do ahead, as measured: data, not
// code.
#pragma once

#include <cstdint>
#include <optional>

#include "hiprope/hiprope.h"
#include "launch.h"

namespace hiprope::internal {

// Where a launch has its cos and sin from: rows of the table, or products of factors, where its kernel can and, with
// several axes, does anything ahead.
enum class AngleSource { table, factors };

// What HIPROPE_TUNING sets: "accesses=4,block=128,angles=table,ahead=lines", any of them, or nothing.
struct TuningOverride {
  std::int32_t accesses_per_thread = 0;  // 0: as the table says
  std::int32_t block_threads = 0;
  std::optional<AngleSource> angles;
  std::optional<Ahead> ahead;
};
[[nodiscard]] hiprope_status read_tuning_override(TuningOverride& tuning);

// Rows of the tuning table that hold for one architecture, by index and in order; the last holds for any launch. Found
// once for a Rope: to compare names in every call took half of its time (gfx942, 1 token: 232 instead of 124 ns).
struct TuningRows {
  std::uint8_t index[128];
};
TuningRows find_tuning_rows(const char* architecture);

struct Tuning {
  std::int32_t accesses_per_thread;  // reads of the tensor in flight: of two a head, or one where pairs are interleaved
  std::int32_t block_threads;
  AngleSource angles;
  Ahead ahead;  // nothing, angles or lines
};

struct LaunchSize {
  std::int64_t access_bytes;
  Layout layout;
  std::int64_t rotary_bytes;  // of a head
  std::int32_t axes;          // that the call has positions on
  bool copies;                // whether pass-through elements are copied
  bool partial_lines;         // whether heads lie apart and begin or end within lines of the cache
  std::int64_t accesses;      // reads of all threads
};
Tuning choose_tuning(const hiprope_rope& rope, const LaunchSize& size);

}  // namespace hiprope::internal
