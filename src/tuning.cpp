// The tuning table, its lookup, and the environment variable over it.
#include "tuning.h"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "rope.h"
#include "status.h"

namespace hiprope::internal {

// The first row that matches holds. The NVIDIA rows are measured on an H200 (bench/README.md). No AMD row is measured:
// they give every compute unit eight waves of one head a thread (units * 4 SIMDs * 2 waves * wave size) before threads
// take two heads, and one wave a block so that few tokens spread over many units.
const TuningRow kTuning[] = {
    {"sm_", 16, 131072, 1, 128},  {"sm_", 16, 196608, 2, 128}, {"sm_", 16, 0, 4, 64}, {"sm_", 0, 262144, 1, 128},
    {"sm_", 0, 0, 2, 128},        {"gfx90a", 0, 53248, 1, 64},  // MI250: 104 compute units a die, wave64
    {"gfx942", 0, 155648, 1, 64},                               // MI300X: 304
    {"gfx950", 0, 131072, 1, 64},                               // MI355X: 256
    {"gfx1100", 0, 24576, 1, 64},                               // RX 7900 XTX: 96, wave32
    {"gfx1201", 0, 16384, 1, 64},                               // RX 9070 XT: 64, wave32
    {"gfx", 0, 65536, 1, 64},     {"", 0, 0, 2, 64},
};
const int kTuningCount = static_cast<int>(std::size(kTuning));

namespace {

constexpr std::int32_t kMaxBlockThreads = 256;  // the kernels' launch bound

bool matches(const TuningRow& row, const hiprope_rope& rope, std::int64_t access_bytes, std::int64_t items) {
  return std::strncmp(rope.architecture, row.architecture, std::strlen(row.architecture)) == 0 &&
         (row.access_bytes == 0 || row.access_bytes == access_bytes) &&
         (row.most_items == 0 || items <= row.most_items);
}

// Reads "name=number" at `text`; returns what follows it, or null.
const char* read_field(const char* text, const char* name, std::int32_t& value) {
  const std::size_t length = std::strlen(name);
  if (std::strncmp(text, name, length) != 0 || text[length] != '=') return nullptr;
  const char* const digits = text + length + 1;
  const auto result = std::from_chars(digits, digits + std::strlen(digits), value);
  return result.ec == std::errc() ? result.ptr : nullptr;
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
  return {set.heads_per_thread != 0 ? set.heads_per_thread : row->heads_per_thread,
          set.block_threads != 0 ? set.block_threads : row->block_threads};
}

}  // namespace hiprope::internal
