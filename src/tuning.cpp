// The lookup in tuning_table.inc, and the environment variable over it.
#include "tuning.h"

#include <charconv>
#include <cstdlib>
#include <cstring>

#include "rope.h"
#include "status.h"

namespace hiprope::internal {

namespace {

// Applies on architectures whose name begins with `architecture`, to launches of at most `most_accesses` accesses of
// `access_bytes` bytes, for Ropes of at most `most_axes` axes. 0 matches any.
struct TuningRow {
  const char* architecture;
  std::int32_t access_bytes;
  std::int32_t most_axes;
  std::int64_t most_accesses;
  Tuning tuning;
};

constexpr TuningRow kTuning[] = {
#define HIPROPE_TUNING_ROW(architecture, bytes, axes, most, accesses, block, source) \
  {architecture, bytes, axes, most, {accesses, block}},
#include "tuning_table.inc"
#undef HIPROPE_TUNING_ROW
};

constexpr std::int32_t kMaxBlockThreads = 256;  // the kernels' launch bound

bool matches(const TuningRow& row, const hiprope_rope& rope, std::int64_t access_bytes, std::int64_t accesses) {
  return std::strncmp(rope.architecture, row.architecture, std::strlen(row.architecture)) == 0 &&
         (row.access_bytes == 0 || row.access_bytes == access_bytes) &&
         (row.most_axes == 0 || rope.config.axes <= row.most_axes) &&
         (row.most_accesses == 0 || accesses <= row.most_accesses);
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
    const char* const accesses = read_field(rest, "accesses", tuning.accesses_per_thread);
    rest = accesses != nullptr ? accesses : read_field(rest, "block", tuning.block_threads);
    if (rest != nullptr && *rest == ',' && rest[1] != '\0') {
      ++rest;
    } else if (rest != nullptr && *rest != '\0') {
      rest = nullptr;
    }
  }
  const std::int32_t accesses = tuning.accesses_per_thread;
  const std::int32_t block = tuning.block_threads;
  const bool known = accesses == 0 || accesses == 2 || accesses == 4 || accesses == 8;
  if (rest != nullptr && known && block >= 0 && block <= kMaxBlockThreads && block % 32 == 0) return hiprope_ok;
  return fail(hiprope_error_environment, "HIPROPE_TUNING is \"", value,
              "\", expected accesses=2, 4 or 8 and block=a multiple of 32 up to ", kMaxBlockThreads,
              ", such as accesses=4,block=128");
}

Tuning choose_tuning(const hiprope_rope& rope, std::int64_t access_bytes, std::int64_t accesses) {
  const TuningRow* row = kTuning;
  while (!matches(*row, rope, access_bytes, accesses)) ++row;
  const TuningOverride& set = rope.tuning;
  return {set.accesses_per_thread != 0 ? set.accesses_per_thread : row->tuning.accesses_per_thread,
          set.block_threads != 0 ? set.block_threads : row->tuning.block_threads};
}

}  // namespace hiprope::internal
