// The lookup in tuning_table.inc, and the environment variable over it.
#include "tuning.h"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "rope.h"
#include "status.h"

namespace hiprope::internal {

namespace {

// Applies on architectures whose name begins with `architecture`, to launches of at most `most_accesses` accesses of
// `access_bytes` bytes, with positions on at most `most_axes` axes, that turn at most `most_rotary_bytes` bytes of a
// head, whose pairs lie in `layout`; where `only_copies`, to those that copy pass-through elements; where
// `only_partial`, to those with partial lines. 0 and no layout match any.
struct TuningRow {
  const char* architecture;
  std::int32_t access_bytes;
  std::optional<Layout> layout;
  std::int32_t most_rotary_bytes;
  std::int32_t most_axes;
  bool only_copies;
  bool only_partial;
  std::int64_t most_accesses;
  Tuning tuning;
};

// The layouts by the names that the table gives them.
namespace layouts {
constexpr std::optional<Layout> any, half_split = Layout::half_split, interleaved = Layout::interleaved;
}

constexpr TuningRow kTuning[] = {
#define HIPROPE_TUNING_ROW(architecture, bytes, layout, rotary, axes, copies, partial, most, accesses, block, angles, \
                           ahead, source)                                                                             \
  {architecture,   bytes, layouts::layout,                                                                            \
   rotary,         axes,  (copies) != 0,                                                                              \
   (partial) != 0, most,  {accesses, block, AngleSource::angles, Ahead::ahead}},
#include "tuning_table.inc"
#undef HIPROPE_TUNING_ROW
};

constexpr bool matches_any(const TuningRow& row) {
  return row.architecture[0] == 0 && row.access_bytes == 0 && !row.layout.has_value() && row.most_rotary_bytes == 0 &&
         row.most_axes == 0 && !row.only_copies && !row.only_partial && row.most_accesses == 0;
}
static_assert(std::size(kTuning) <= std::size(TuningRows{}.index) && matches_any(kTuning[std::size(kTuning) - 1]));

constexpr std::int32_t kMaxBlockThreads = 256;  // the kernels' launch bound

bool matches(const TuningRow& row, const LaunchSize& size) {
  return (row.access_bytes == 0 || row.access_bytes == size.access_bytes) &&
         (!row.layout.has_value() || *row.layout == size.layout) &&
         (row.most_rotary_bytes == 0 || size.rotary_bytes <= row.most_rotary_bytes) &&
         (row.most_axes == 0 || size.axes <= row.most_axes) && (!row.only_copies || size.copies) &&
         (!row.only_partial || size.partial_lines) && (row.most_accesses == 0 || size.accesses <= row.most_accesses);
}

// Reads "name=number" at `text`, a number other than 0 and only once; returns what follows it, or null.
const char* read_field(const char* text, const char* name, std::int32_t& value) {
  const std::size_t length = std::strlen(name);
  if (std::strncmp(text, name, length) != 0 || text[length] != '=' || value != 0) return nullptr;
  const char* const digits = text + length + 1;
  const auto result = std::from_chars(digits, digits + std::strlen(digits), value);
  return result.ec == std::errc() && value != 0 ? result.ptr : nullptr;
}

template <typename Value>
struct Choice {
  const char* text;
  Value value;
};
constexpr Choice<AngleSource> kAngleChoices[] = {{"angles=table", AngleSource::table},
                                                 {"angles=factors", AngleSource::factors}};
constexpr Choice<Ahead> kAheadChoices[] = {
    {"ahead=nothing", Ahead::nothing}, {"ahead=angles", Ahead::angles}, {"ahead=lines", Ahead::lines}};

// Reads one of some choices, only once; returns what follows it, or null.
template <typename Value, std::size_t count>
const char* read_choice(const char* text, const Choice<Value> (&choices)[count], std::optional<Value>& value) {
  if (value.has_value()) return nullptr;
  for (const auto& choice : choices) {
    const std::size_t length = std::strlen(choice.text);
    if (std::strncmp(text, choice.text, length) != 0) continue;
    value = choice.value;
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
    if (rest == nullptr) rest = read_choice(field, kAngleChoices, tuning.angles);
    if (rest == nullptr) rest = read_choice(field, kAheadChoices, tuning.ahead);
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
              ", angles=table or factors and ahead=nothing, angles or lines, such as accesses=4,block=128");
}

TuningRows find_tuning_rows(const char* architecture) {
  TuningRows rows = {};
  std::uint8_t* found = rows.index;
  for (std::size_t i = 0; i < std::size(kTuning); ++i) {
    const char* const begin = kTuning[i].architecture;
    if (std::strncmp(architecture, begin, std::strlen(begin)) == 0) *found++ = static_cast<std::uint8_t>(i);
  }
  return rows;
}

Tuning choose_tuning(const hiprope_rope& rope, const LaunchSize& size) {
  const std::uint8_t* index = rope.tuning_rows.index;
  while (!matches(kTuning[*index], size)) ++index;
  const TuningRow* const row = &kTuning[*index];
  const TuningOverride& set = rope.tuning;
  return {set.accesses_per_thread != 0 ? set.accesses_per_thread : row->tuning.accesses_per_thread,
          set.block_threads != 0 ? set.block_threads : row->tuning.block_threads,
          set.angles.value_or(row->tuning.angles), set.ahead.value_or(row->tuning.ahead)};
}

}  // namespace hiprope::internal
