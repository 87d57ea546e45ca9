// The lookup in tuning_table.inc, and the environment variable over it.
#include "tuning.h"

#include <charconv>
#include <cstdlib>
#include <cstring>

#include "rope.h"
#include "status.h"

namespace hiprope::internal {

namespace {

// Applies on architectures whose name begins with `architecture`, to launches with accesses of `access_bytes` bytes,
// for Ropes of at most `most_axes` axes, and of at most `most_items` items at one head a thread, an item being a unit
// of one head (see KernelParams). 0 matches any.
struct TuningRow {
  const char* architecture;
  std::int32_t access_bytes;
  std::int32_t most_axes;
  std::int64_t most_items;
  Tuning tuning;
};

constexpr TuningRow kTuning[] = {
#define HIPROPE_TUNING_ROW(architecture, bytes, axes, items, heads, block, source) \
  {architecture, bytes, axes, items, {heads, block}},
#include "tuning_table.inc"
#undef HIPROPE_TUNING_ROW
};

constexpr std::int32_t kMaxBlockThreads = 256;  // the kernels' launch bound

bool matches(const TuningRow& row, const hiprope_rope& rope, std::int64_t access_bytes, std::int64_t items) {
  return std::strncmp(rope.architecture, row.architecture, std::strlen(row.architecture)) == 0 &&
         (row.access_bytes == 0 || row.access_bytes == access_bytes) &&
         (row.most_axes == 0 || rope.config.axes <= row.most_axes) && (row.most_items == 0 || items <= row.most_items);
}

// Reads "name=number" at `text`, a number other than 0 and only once; returns what follows it, or null.
const char* read_field(const char* text, const char* name, std::int32_t& value) {
  const std::size_t length = std::strlen(name);
  if (std::strncmp(text, name, length) != 0 || text[length] != '=' || value != 0) return nullptr;
  const char* const digits = text + length + 1;
  const auto result = std::from_chars(digits, digits + std::strlen(digits), value);
  return result.ec == std::errc() && value != 0 ? result.ptr : nullptr;
}

}  // namespace

hiprope_status read_tuning_override(TuningOverride& tuning) {
  const char* const value = std::getenv("HIPROPE_TUNING");
  if (value == nullptr || *value == '\0') return hiprope_ok;
  const char* rest = value;
  while (rest != nullptr && *rest != '\0') {
    const char* const heads = read_field(rest, "heads", tuning.heads_per_thread);
    rest = heads != nullptr ? heads : read_field(rest, "block", tuning.block_threads);
    if (rest != nullptr && *rest == ',' && rest[1] != '\0') {
      ++rest;
    } else if (rest != nullptr && *rest != '\0') {
      rest = nullptr;
    }
  }
  const std::int32_t heads = tuning.heads_per_thread;
  const std::int32_t block = tuning.block_threads;
  const bool heads_known = heads == 0 || heads == 1 || heads == 2 || heads == 4;
  if (rest != nullptr && heads_known && block >= 0 && block <= kMaxBlockThreads && block % 32 == 0) return hiprope_ok;
  return fail(hiprope_error_environment, "HIPROPE_TUNING is \"", value,
              "\", expected heads=1, 2 or 4 and block=a multiple of 32 up to ", kMaxBlockThreads,
              ", such as heads=2,block=128");
}

Tuning choose_tuning(const hiprope_rope& rope, std::int64_t access_bytes, std::int64_t items) {
  const TuningRow* row = kTuning;
  while (!matches(*row, rope, access_bytes, items)) ++row;
  const TuningOverride& set = rope.tuning;
  return {set.heads_per_thread != 0 ? set.heads_per_thread : row->tuning.heads_per_thread,
          set.block_threads != 0 ? set.block_threads : row->tuning.block_threads};
}

}  // namespace hiprope::internal
