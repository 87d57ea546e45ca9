// The case table, grouped by what a group shows.
#include "tests/support/cases.h"

#include <array>
#include <limits>

#include <fmt/format.h>

#include "tests/support/random.h"

namespace hiprope::test {
namespace {

constexpr DataType kTypes[] = {DataType::f32, DataType::f16, DataType::bf16};
constexpr Pairing kPairings[] = {Pairing::half_split, Pairing::interleaved};

const char* pairing_name(Pairing pairing) {
  constexpr const char* kNames[] = {"half_split", "interleaved", "blocked"};
  return kNames[static_cast<int>(pairing)];
}

// Rows of most tables: enough for all low bits of coarse_row and several of fine_row; "rows_of_factors" has the others.
constexpr std::int64_t kPositions = 600;

RopeConfig config_of(std::int32_t head_dim, Pairing pairing = Pairing::half_split, std::int32_t rotary_dim = 0,
                     std::int32_t rotary_offset = 0, std::int64_t max_positions = kPositions) {
  RopeConfig config;
  config.head_dim = head_dim;
  config.rotary_dim = rotary_dim;
  config.rotary_offset = rotary_offset;
  config.pairing = pairing;
  config.max_positions = max_positions;
  return config;
}

Group group(const std::string& name, const std::vector<Draft>& drafts) {
  Group made{name, {}};
  for (const Draft& draft : drafts) {
    made.cases.push_back(build(draft));
    Case& c = made.cases.back();
    c.name = fmt::format("{}[{}]{}{}", name, made.cases.size() - 1, c.name.empty() ? "" : " ", c.name);
  }
  return made;
}

Group shapes(DataType type, Pairing pairing) {
  constexpr struct {
    std::int32_t head_dim, rotary_dim, rotary_offset;
  } kShapes[] = {{64, 64, 0},   {72, 72, 0},   {80, 80, 0},   {96, 96, 0},    {112, 112, 0},  {128, 128, 0},
                 {192, 192, 0}, {256, 256, 0}, {512, 512, 0}, {80, 20, 0},    {96, 24, 0},    {80, 32, 0},
                 {72, 36, 0},   {256, 64, 0},  {128, 80, 0},  {192, 64, 128}, {512, 64, 448}, {2, 2, 0},
                 {6, 2, 4},     {7, 4, 1},     {10, 6, 2},    {34, 34, 0},    {66, 34, 15},   {24, 8, 8}};
  std::vector<Draft> drafts;
  for (const auto& shape : kShapes) {
    const RopeConfig config = config_of(shape.head_dim, pairing, shape.rotary_dim, shape.rotary_offset);
    for (const bool out_of_place : {false, true}) {
      drafts.push_back({.name = fmt::format("{}/{}", shape.rotary_dim, shape.head_dim),
                        .config = config,
                        .type = type,
                        .q_heads = 3,
                        .k_heads = 1,
                        .out_of_place = out_of_place});
    }
  }
  return group(fmt::format("shapes_{}_{}", name_of(type), pairing_name(pairing)), drafts);
}

Group layouts() {
  std::vector<Draft> drafts;
  for (const DataType type : kTypes) {
    for (const Arrangement arrangement :
         {Arrangement::thd, Arrangement::htd, Arrangement::packed, Arrangement::mla, Arrangement::padded}) {
      for (const bool out_of_place : {false, true}) {
        const bool mla = arrangement == Arrangement::mla;
        const Pairing pairing = mla ? Pairing::interleaved : Pairing::half_split;
        drafts.push_back({.name = fmt::format("arrangement {}", static_cast<int>(arrangement)),
                          .config = config_of(64, pairing, mla ? 0 : 48, mla ? 0 : 8),
                          .type = type,
                          .tokens = 4,
                          .q_heads = 6,
                          .k_heads = mla ? 1 : 2,
                          .arrangement = arrangement,
                          .out_of_place = out_of_place});
      }
    }
  }
  return group("layouts", drafts);
}

Group unaligned() {
  std::vector<Draft> drafts;
  for (const DataType type : kTypes) {
    for (const Pairing pairing : kPairings) {
      for (const std::int64_t shift : {1, 2, 3, 4, 6}) {
        for (const bool out_of_place : {false, true}) {
          drafts.push_back({.name = fmt::format("{} {} by {}", name_of(type), pairing_name(pairing), shift),
                            .config = config_of(64, pairing, 32),
                            .type = type,
                            .k_heads = 1,
                            .out_of_place = out_of_place,
                            .shift = shift});
        }
      }
    }
  }
  return group("unaligned", drafts);
}

Group inverse() {
  std::vector<Draft> drafts;
  for (const DataType type : kTypes) {
    for (const Pairing pairing : kPairings) {
      drafts.push_back(
          {.config = config_of(64, pairing, 32), .type = type, .k_heads = 2, .direction = Direction::inverse});
    }
  }
  return group("inverse", drafts);
}

// Q in place and K out of place, and the reverse: the pass-through part of the one in place is not written.
Group half_in_place() {
  std::vector<Draft> drafts;
  for (const DataType type : kTypes) {
    for (int i = 0; i < 2; ++i) {
      drafts.push_back({.config = config_of(80, Pairing::half_split, 32, 16),
                        .type = type,
                        .tokens = 4,
                        .q_heads = 3,
                        .k_heads = 2,
                        .out_of_place = true,
                        .ids = {1, kPositions, 3, 4}});
    }
  }
  Group made = group("half_in_place", drafts);
  for (std::size_t i = 0; i < made.cases.size(); ++i) (i % 2 == 0 ? made.cases[i].q_out : made.cases[i].k_out).reset();
  return made;
}

Group position_kinds() {
  std::vector<Draft> drafts;
  for (const bool out_of_place : {false, true}) {
    for (const int bytes : {0, 4, 8}) {
      drafts.push_back({.config = config_of(64),
                        .tokens = 7,
                        .k_heads = 1,
                        .out_of_place = out_of_place,
                        .ids_bytes = bytes,
                        .start = 11,
                        .ids = {kPositions - 1, 0, 5, 5, kPositions - 2, 1, 5}});
    }
  }
  return group("position_kinds", drafts);
}

Group positions_out_of_range() {
  constexpr auto kMin64 = std::numeric_limits<std::int64_t>::min();
  constexpr auto kMax64 = std::numeric_limits<std::int64_t>::max();
  constexpr auto kMin32 = std::numeric_limits<std::int32_t>::min();
  constexpr auto kMax32 = std::numeric_limits<std::int32_t>::max();
  const std::vector<std::int64_t> wide = {
      3,         kPositions,      -1,        kPositions - 1, kMin64,          kMax64, 0,
      1LL << 32, (1LL << 32) + 3, 1LL << 58, -kPositions,    (1LL << 62) + 1, 1,      kMin64 + 5};
  const std::vector<std::int64_t> narrow = {
      2, kPositions, -1, kPositions - 1, kMin32, kMax32, 0, kPositions + 1, -kPositions, 1 << 24, 1, 7, kMin32 + 1, 9};
  std::vector<Draft> drafts;
  for (const DataType type : kTypes) {
    for (const Pairing pairing : kPairings) {
      for (const bool out_of_place : {false, true}) {
        for (const int bytes : {4, 8}) {
          drafts.push_back({.config = config_of(72, pairing, 32, 8),
                            .type = type,
                            .tokens = 14,
                            .k_heads = 1,
                            .out_of_place = out_of_place,
                            .ids_bytes = bytes,
                            .ids = bytes == 4 ? narrow : wide});
        }
      }
    }
  }
  for (const std::int64_t start : {std::int64_t{-3}, kPositions - 3, kPositions, kMax64 - 1, kMin64, kMin64 + 1}) {
    drafts.push_back({.config = config_of(16), .tokens = 6, .ids_bytes = 0, .start = start});
  }
  // A single row, and every token out of range.
  drafts.push_back({.config = config_of(16, Pairing::half_split, 0, 0, 1), .tokens = 3, .ids = {0, 1, -1}});
  drafts.push_back({.config = config_of(16),
                    .tokens = 3,
                    .k_heads = 1,
                    .out_of_place = true,
                    .ids = {kPositions, kPositions + 1, -1}});
  return group("positions_out_of_range", drafts);
}

Group axes() {
  std::vector<Draft> drafts;
  const auto add = [&](RopeConfig config, std::int32_t position_axes, std::int64_t axis_stride) {
    for (const DataType type : kTypes) {
      drafts.push_back({.config = config,
                        .type = type,
                        .tokens = 5,
                        .k_heads = 1,
                        .ids_bytes = type == DataType::f16 ? 4 : 8,
                        .position_axes = position_axes,
                        .axis_stride = axis_stride});
    }
  };
  // Token i's position on axis i is outside the table, so the token is out of range; the last token's are inside.
  constexpr std::array<std::int64_t, 3> outside{kPositions, -1, std::int64_t{1} << 40};
  const auto add_out_of_range = [&](const RopeConfig& config) {
    const std::int64_t tokens = config.axes + 1;
    std::vector<std::int64_t> ids;
    for (std::int64_t axis = 0; axis < config.axes; ++axis) {
      for (std::int64_t token = 0; token < tokens; ++token) ids.push_back(token + 4 * axis);
      ids[static_cast<std::size_t>(axis * tokens + axis)] = outside[static_cast<std::size_t>(axis) % outside.size()];
    }
    drafts.push_back(
        {.config = config, .tokens = tokens, .out_of_place = true, .ids = ids, .position_axes = config.axes});
  };
  RopeConfig config = config_of(64);
  config.axes = 3;
  config.sections = {8, 12, 12, 0};
  add(config, 3, 0);
  add_out_of_range(config);
  add(config, 3, 9);
  add(config, 1, 0);
  config.pairing = Pairing::interleaved;
  add(config, 3, 5);
  config.pairing = Pairing::half_split;
  config.axis_layout = AxisLayout::interleaved;
  config.sections = {12, 10, 10, 0};
  add(config, 3, 0);
  config.axis_layout = AxisLayout::chunked;
  config.frequency_layout = FrequencyLayout::restart;
  config.axes = 2;
  config.sections = {16, 16, 0, 0};
  add(config, 2, 0);
  config.frequency_layout = FrequencyLayout::continuous;
  config.axis_layout = AxisLayout::round_robin;
  config.axes = 4;
  add(config, 4, 6);
  // Contiguous positions are those of every axis.
  drafts.push_back({.config = config, .tokens = 5, .k_heads = 1, .ids_bytes = 0, .start = kPositions - 3});
  add_out_of_range(config);
  return group("axes", drafts);
}

// Positions on either side of where coarse and fine rows begin anew, see coarse_row.
Group rows_of_factors() {
  std::vector<Draft> drafts;
  for (const Pairing pairing : {Pairing::half_split, Pairing::interleaved}) {
    drafts.push_back({.config = config_of(64, pairing, 0, 0, 4200),
                      .type = pairing == Pairing::half_split ? DataType::bf16 : DataType::f16,
                      .tokens = 13,
                      .q_heads = 8,
                      .k_heads = 8,
                      .ids = {0, 7, 8, 9, 2047, 2048, 2049, 2055, 2056, 4095, 4096, 4097, 4199}});
  }
  // Tokens of one position, and one whose axes differ, which the table turns.
  for (const Pairing pairing : {Pairing::half_split, Pairing::interleaved}) {
    Draft draft = {.config = config_of(64, pairing, 0, 0, 4200),
                   .type = DataType::bf16,
                   .tokens = 5,
                   .q_heads = 9,
                   .k_heads = 8,
                   .ids = {0, 2047, 2048, 4199, 7, 0, 2047, 2048, 4199, 8, 0, 2047, 2048, 4199, 4096},
                   .position_axes = 3};
    draft.config.axes = 3;
    draft.config.sections = {8, 12, 12, 0};
    drafts.push_back(draft);
  }
  return group("rows_of_factors", drafts);
}

Group pair_layouts() {
  std::vector<Draft> drafts;
  for (const DataType type : kTypes) {
    for (const bool out_of_place : {false, true}) {
      for (const std::int32_t block : {2, 4, 6, 16, 32, 96}) {
        RopeConfig config = config_of(100, Pairing::blocked, 96, 4);
        config.pair_block = block;
        drafts.push_back({.name = fmt::format("blocks of {}", block),
                          .config = config,
                          .type = type,
                          .k_heads = 1,
                          .out_of_place = out_of_place});
      }
    }
    for (const std::int32_t rotary_dim : {64, 32, 20, 2}) {
      RopeConfig config = config_of(64, Pairing::interleaved, rotary_dim);
      config.output_pairing = OutputPairing::half_split;
      drafts.push_back({.name = fmt::format("interleaved to half_split {}", rotary_dim),
                        .config = config,
                        .type = type,
                        .tokens = 4,
                        .k_heads = 1,
                        .out_of_place = true,
                        .ids = {1, kPositions, kPositions - 1, 9}});
    }
  }
  return group("pair_layouts", drafts);
}

Group wild_values() {
  std::vector<Draft> drafts;
  for (const DataType type : kTypes) {
    for (const Pairing pairing : kPairings) {
      for (const bool out_of_place : {false, true}) {
        drafts.push_back({.config = config_of(128, pairing, 96),
                          .type = type,
                          .tokens = 8,
                          .k_heads = 1,
                          .out_of_place = out_of_place,
                          .ids = {0, 1, 2, kPositions - 1, kPositions, 5, 0, 7},
                          .wild = true});
      }
    }
  }
  return group("wild_values", drafts);
}

std::vector<Group> make_groups() {
  RopeConfig linear = config_of(64);
  linear.base = 500000.0;
  linear.scaling.type = ScalingType::linear;
  linear.scaling.factor = 4.0;
  std::vector<Group> groups{
      group("small_shape", {{.config = config_of(8), .tokens = 2, .q_heads = 1}}),
      group("multi_head", {{.config = config_of(64), .q_heads = 8}}),
      group("single_position", {{.config = config_of(64), .tokens = 1, .q_heads = 1, .ids = {5}},
                                {.config = config_of(64), .tokens = 1, .q_heads = 4, .ids = {0}}}),
      group("sequence_of_8", {{.config = config_of(32), .tokens = 8, .ids_bytes = 0}}),
      group("actually_rotates",
            {{.config = config_of(64), .tokens = 4, .q_heads = 4, .ids = {1, 2, 3, kPositions - 1}}}),
      group("long_context",
            {{.config = config_of(128, Pairing::half_split, 0, 0, 4096), .k_heads = 1, .ids = {2048, 3000, 4095}},
             {.config = config_of(128, Pairing::half_split, 0, 0, 131072), .k_heads = 1, .ids = {131071, 0, 131070}}}),
      group("multi_head_independent_rotation", {{.config = config_of(8), .tokens = 4, .q_heads = 8}}),
      group("q_and_k", {{.config = config_of(64), .tokens = 5, .q_heads = 4, .k_heads = 4}}),
      group("q_and_k_gqa", {{.config = config_of(128), .q_heads = 32, .k_heads = 8},
                            {.config = config_of(64), .q_heads = 71, .k_heads = 1},
                            {.config = config_of(128), .type = DataType::bf16, .q_heads = 128, .k_heads = 1},
                            {.config = config_of(64), .type = DataType::f16, .q_heads = 1, .k_heads = 5}}),
      group("batch_as_flattened_tokens", {{.config = config_of(64),
                                           .tokens = 12,
                                           .q_heads = 4,
                                           .k_heads = 2,
                                           .ids = {0, 1, 2, 3, 10, 11, 12, 13, 0, 1, 2, 3}}}),
      group("linear_scaling", {{.config = linear, .k_heads = 1}}),
      // Enough tokens for several blocks, and head counts that leave the last thread of a row without a second head.
      group("many_blocks",
            {{.config = config_of(128), .type = DataType::f16, .tokens = 70, .q_heads = 9, .k_heads = 2},
             {.config = config_of(128, Pairing::interleaved), .tokens = 67, .q_heads = 7, .out_of_place = true}}),
      // Heads that are copied in part, in 8 and 16 bytes, with elements that pass on either side; in the last an odd
      // number of vectors passes, some before and some behind the rotary part.
      group("many_copies", {{.config = config_of(96, Pairing::half_split, 24),
                             .type = DataType::bf16,
                             .tokens = 70,
                             .q_heads = 9,
                             .k_heads = 2,
                             .out_of_place = true},
                            {.config = config_of(80, Pairing::interleaved, 32, 16),
                             .tokens = 70,
                             .q_heads = 9,
                             .k_heads = 2,
                             .out_of_place = true},
                            {.config = config_of(56, Pairing::half_split, 32, 8),
                             .type = DataType::f16,
                             .tokens = 70,
                             .q_heads = 9,
                             .k_heads = 2,
                             .out_of_place = true}}),
      rows_of_factors(),
      group("zero_size", {{.config = config_of(64), .tokens = 0, .k_heads = 1},
                          {.config = config_of(64), .q_heads = 0},
                          {.config = config_of(64), .q_heads = 0, .k_heads = 2}}),
      layouts(), unaligned(), inverse(), half_in_place(), position_kinds(), positions_out_of_range(), axes(),
      pair_layouts(), wild_values()};
  for (const DataType type : kTypes) {
    for (const Pairing pairing : kPairings) groups.push_back(shapes(type, pairing));
  }
  return groups;
}

Side place(const Draft& draft, bool of_k, bool output) {
  const std::int64_t heads = of_k ? draft.k_heads : draft.q_heads;
  const std::int64_t dim = draft.config.head_dim;
  const int buffer = (output ? 2 : 0) + (of_k ? 1 : 0);
  switch (draft.arrangement) {
    case Arrangement::thd:
      return {buffer, heads, heads * dim, dim, draft.shift};
    case Arrangement::htd:
      return {buffer, heads, dim, draft.tokens * dim, draft.shift};
    case Arrangement::packed: {
      const std::int64_t row = (draft.q_heads + 2 * draft.k_heads) * dim;
      return {output ? 2 : 0, heads, row, dim, draft.shift + (of_k ? draft.q_heads * dim : 0)};
    }
    case Arrangement::mla:
      if (of_k) return {buffer, heads, 512 + dim, dim, draft.shift + 512};
      return {buffer, heads, heads * (dim + 128), dim + 128, draft.shift + 128};
    case Arrangement::padded:
      break;
  }
  return {buffer, heads, heads * (dim + 8) + 40, dim + 8, draft.shift};
}

}  // namespace

Case build(const Draft& draft) {
  Case c;
  c.name = draft.name;
  c.config = draft.config;
  c.type = draft.type;
  c.tokens = draft.tokens;
  c.q = place(draft, false, false);
  if (draft.k_heads != 0) c.k = place(draft, true, false);
  if (draft.out_of_place) c.q_out = place(draft, false, true);
  if (draft.out_of_place && draft.k_heads != 0) c.k_out = place(draft, true, true);
  c.direction = draft.direction;
  c.ids_bytes = draft.ids_bytes;
  c.start = draft.start;
  c.position_axes = draft.position_axes;
  c.axis_stride = draft.axis_stride;
  c.wild = draft.wild;
  for (const char letter : draft.name) c.seed = c.seed * 31 + static_cast<unsigned char>(letter);
  c.seed += run_seed() + static_cast<std::uint64_t>(draft.config.head_dim);
  if (draft.ids_bytes == 0) return c;
  c.ids = draft.ids;
  Random random(c.seed ^ 0xD1B5U);
  const std::int64_t stride = draft.axis_stride != 0 ? draft.axis_stride : draft.tokens;
  for (std::int64_t i = static_cast<std::int64_t>(c.ids.size()); i < stride * draft.position_axes; ++i) {
    c.ids.push_back(random.between(0, draft.config.max_positions - 1));
  }
  return c;
}

const std::vector<Group>& case_groups() {
  static const std::vector<Group> groups = make_groups();
  return groups;
}

}  // namespace hiprope::test
