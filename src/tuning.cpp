// The rule for how much work a thread and a block take, and the environment variable over it.
#include "tuning.h"

#include <charconv>
#include <cstdlib>
#include <cstring>

#include "status.h"

namespace hiprope::internal {
namespace {

// Reads "name=number" at `text`, a number above 0 and only once; returns what follows it, or null.
const char* read_field(const char* text, const char* name, std::int32_t& value) {
  const std::size_t length = std::strlen(name);
  if (std::strncmp(text, name, length) != 0 || text[length] != '=' || value != 0) return nullptr;
  const char* const digits = text + length + 1;
  const auto result = std::from_chars(digits, digits + std::strlen(digits), value);
  return result.ec == std::errc() && value > 0 ? result.ptr : nullptr;
}

}  // namespace

hiprope_status read_tuning_override(Tuning& tuning) {
  tuning = {};
  const char* const value = std::getenv("HIPROPE_TUNING");
  if (value == nullptr || *value == '\0') return hiprope_ok;
  const char* rest = value;
  while (rest != nullptr && *rest != '\0') {
    const char* const field = rest;
    rest = read_field(field, "accesses", tuning.accesses);
    if (rest == nullptr) rest = read_field(field, "block", tuning.block_threads);
    if (rest != nullptr && *rest != '\0') rest = *rest == ',' && rest[1] != '\0' ? rest + 1 : nullptr;
  }
  const bool known = tuning.accesses == 0 || tuning.accesses == 2 || tuning.accesses == 4;
  if (rest != nullptr && known && tuning.block_threads <= kMaxBlockThreads && tuning.block_threads % 32 == 0) {
    return hiprope_ok;
  }
  return fail(hiprope_error_environment, "HIPROPE_TUNING is \"", value,
              "\", expected accesses=2 or 4 and block=a multiple of 32 up to ", kMaxBlockThreads,
              ", such as accesses=4,block=128");
}

// Small launches want every compute unit to have blocks; large ones more bytes in flight a thread.
Tuning choose_tuning(std::int64_t bytes, std::int32_t compute_units, const Tuning& override) {
  constexpr std::int64_t kLargeBytes = 128 * 1024;  // a compute unit's share
  const bool large = bytes >= kLargeBytes * std::int64_t{compute_units < 1 ? 1 : compute_units};
  const Tuning chosen = large ? Tuning{4, 128} : Tuning{2, 64};
  return {override.accesses != 0 ? override.accesses : chosen.accesses,
          override.block_threads != 0 ? override.block_threads : chosen.block_threads};
}

}  // namespace hiprope::internal
