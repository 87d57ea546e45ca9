// The lookup in tuning_table.inc, and the environment variable over it.
#include "tuning.h"

#include <charconv>
#include <cstdlib>
#include <cstring>

#include "rope.h"
#include "status.h"

namespace hiprope::internal {

namespace {

// Applies on architectures whose name begins with `architecture`, to launches of at most `most_tokens` tokens and
// `most_accesses` accesses of `access_bytes` bytes, with positions on at most `most_axes` axes, that turn at most
// `most_rotary_bytes` bytes of a head, whose pairs lie in `layout`; where `only_copies`, to those that copy
// pass-through elements. 0 and no layout match any.
struct TuningRow {
  const char* architecture;
  std::int32_t access_bytes;
  std::optional<Layout> layout;
  std::int32_t most_rotary_bytes;
  std::int32_t most_axes;
  bool only_copies;
  std::int64_t most_tokens;
  std::int64_t most_accesses;
  Tuning tuning;
};

// The layouts by the names that the table gives them.
namespace layouts {
constexpr std::optional<Layout> any, half_split = Layout::half_split, interleaved = Layout::interleaved;
}

constexpr TuningRow kTuning[] = {
#define HIPROPE_TUNING_ROW(architecture, bytes, layout, rotary, axes, copies, tokens, most, accesses, block, angles, \
                           source)                                                                                   \
  {architecture, bytes, layouts::layout,                                                                             \
   rotary,       axes,  (copies) != 0,                                                                               \
   tokens,       most,  {accesses, block, AngleSource::angles}},
#include "tuning_table.inc"
#undef HIPROPE_TUNING_ROW
};

constexpr std::int32_t kMaxBlockThreads = 256;  // the kernels' launch bound

bool matches(const TuningRow& row, const hiprope_rope& rope, const LaunchSize& size) {
  return std::strncmp(rope.architecture, row.architecture, std::strlen(row.architecture)) == 0 &&
         (row.access_bytes == 0 || row.access_bytes == size.access_bytes) &&
         (!row.layout.has_value() || *row.layout == size.layout) &&
         (row.most_rotary_bytes == 0 || size.rotary_bytes <= row.most_rotary_bytes) &&
         (row.most_axes == 0 || size.axes <= row.most_axes) && (!row.only_copies || size.copies) &&
         (row.most_tokens == 0 || size.tokens <= row.most_tokens) &&
         (row.most_accesses == 0 || size.accesses <= row.most_accesses);
}

// Reads "name=number" at `text`, a number other than 0 and only once; returns what follows it, or null.
const char* read_field(const char* text, const char* name, std::int32_t& value) {
  const std::size_t length = std::strlen(name);
  if (std::strncmp(text, name, length) != 0 || text[length] != '=' || value != 0) return nullptr;
  const char* const digits = text + length + 1;
  const auto result = std::from_chars(digits, digits + std::strlen(digits), value);
  return result.ec == std::errc() && value != 0 ? result.ptr : nullptr;
}

// Reads "angles=table" or "angles=factors", only once; returns what follows it, or null.
const char* read_angles(const char* text, std::optional<AngleSource>& angles) {
  constexpr struct {
    const char* text;
    AngleSource source;
  } kChoices[] = {{"angles=table", AngleSource::table}, {"angles=factors", AngleSource::factors}};
  if (angles.has_value()) return nullptr;
  for (const auto& choice : kChoices) {
    const std::size_t length = std::strlen(choice.text);
    if (std::strncmp(text, choice.text, length) != 0) continue;
    angles = choice.source;
    return text + length;
  }
  return nullptr;
}

}  // namespace

hiprope_status read_tuning_override(TuningOverride& tuning) {
  const char* const value = std::getenv("HIPROPE_TUNING");
  if (value == nullptr || *value == '\0') return hiprope_ok;
  const char* rest = value;
  while (rest != nullptr && *rest != '\0') {
    const char* const field = rest;
    rest = read_field(field, "accesses", tuning.accesses_per_thread);
    if (rest == nullptr) rest = read_field(field, "block", tuning.block_threads);
    if (rest == nullptr) rest = read_angles(field, tuning.angles);
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
              "\", expected accesses=2, 4 or 8, block=a multiple of 32 up to ", kMaxBlockThreads,
              " and angles=table or factors, such as accesses=4,block=128");
}

Tuning choose_tuning(const hiprope_rope& rope, const LaunchSize& size) {
  const TuningRow* row = kTuning;
  while (!matches(*row, rope, size)) ++row;
  const TuningOverride& set = rope.tuning;
  return {set.accesses_per_thread != 0 ? set.accesses_per_thread : row->tuning.accesses_per_thread,
          set.block_threads != 0 ? set.block_threads : row->tuning.block_threads,
          set.angles.value_or(row->tuning.angles)};
}

}  // namespace hiprope::internal
