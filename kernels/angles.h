// From a token to cos and sin of a thread's pairs: its positions, their rows, and the angles there.
#pragma once

#include "device.h"
#include "params.h"

namespace hiprope {

// A token of a call. Threads of a launch differ in 32 bits of it, which keeps their address arithmetic short.
struct Token {
  std::int64_t chunk_first;
  std::uint32_t in_chunk;

  HIPROPE_DEVICE std::int64_t index() const { return chunk_first + in_chunk; }
};

// Whether a kernel does all it can before the wait: its blocks share ids, a thread gives sin its sign and finds where
// its output lies, so that nothing behind the wait waits for constants (8 tokens: 0.88 instead of 0.91 us a call, out
// of place 0.93 instead of 1.01). Kernels of factors, which only large launches take, would then have 80 registers
// instead of 88, and more threads at a time are slower there (4096 tokens: 0.96 instead of 1.00); and where each axis
// has positions of its own, the sign would wait for angles before the tensor is asked for (16384 tokens: 0.977 instead
// of 0.985).
constexpr bool prepares_ahead(AngleInput angles) {
  return kOverlapsLaunches && !multiplies(angles);
}

// Whether KernelParams::ahead has a meaning for a kernel. 3f multiplies nowhere else, so for kernels of factors also
// where launches do not overlap.
constexpr bool works_ahead(AngleInput angles) {
  return kOverlapsLaunches || multiplies(angles);
}

HIPROPE_DEVICE std::int64_t position_from_start(const KernelParams& p, Token token) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(p.start) + static_cast<std::uint64_t>(token.index()));
}

// Whether positions follow from start, with several axes never. Of their kernels those that do not ask for ids first
// look all the same: nvcc would ask for ids before the tensor, but moves no request over a branch.
template <typename V>
HIPROPE_DEVICE bool follow_from_start(const KernelParams& p) {
  return !V::asks_ids_first && p.ids == nullptr;
}

// Where a token's ids lie, null where positions follow from start. Found once: constants of a launch that are read
// behind the wait are late (docs/design.md).
template <int axes>
struct Ids {
  const char* of_axis[axes];
  bool are_wide;  // int64
};

template <typename V>
HIPROPE_DEVICE Ids<V::axes> find_ids(const KernelParams& p, Token token) {
  Ids<V::axes> ids;
  ids.are_wide = p.ids_bytes == 8;
  const std::int64_t bytes = follow_from_start<V>(p) ? 0 : token.index() << (ids.are_wide ? 3 : 2);
  ids.of_axis[0] = static_cast<const char*>(p.ids) + bytes;
  HIPROPE_UNROLL
  for (int axis = 1; axis < V::axes; ++axis) ids.of_axis[axis] = ids.of_axis[0] + p.axis_bytes[axis - 1];
  return ids;
}

template <typename Id, bool final, int axes>
HIPROPE_DEVICE void read_ids(const Ids<axes>& ids, std::int64_t (&position)[axes]) {
  Id id[axes];
  HIPROPE_UNROLL
  for (int axis = 0; axis < axes; ++axis) id[axis] = load_id<final>(reinterpret_cast<const Id*>(ids.of_axis[axis]));
  HIPROPE_UNROLL
  for (int axis = 0; axis < axes; ++axis) position[axis] = id[axis];
}

// A token's positions on its axes; `final`: the launch before has ended. No read waits for another.
template <typename V, bool final>
HIPROPE_DEVICE void read_positions(const KernelParams& p, Token token, const Ids<V::axes>& ids,
                                   std::int64_t (&position)[V::axes]) {
  if (follow_from_start<V>(p)) {
    HIPROPE_UNROLL
    for (int axis = 0; axis < V::axes; ++axis) position[axis] = position_from_start(p, token);
  } else if (ids.are_wide) {
    read_ids<std::int64_t, final>(ids, position);
  } else {
    read_ids<std::int32_t, final>(ids, position);
  }
}

// Counted from the chunk's first, as items are.
HIPROPE_DEVICE std::uint32_t token_of_item(const KernelParams& p, std::uint32_t item) {
  return divide(divide(item, p.by_units), p.by_head_groups);
}

// The ids of a block's tokens, each seen by one thread for all: a block has at most as many tokens as threads. All
// threads of a block come here or none, and get the first of its tokens, counted from the chunk's first.
template <typename V>
HIPROPE_DEVICE std::uint32_t share_ids(const KernelParams& p, std::int64_t chunk_first, std::uint32_t first_item,
                                       std::uint32_t thread) {
  const std::uint32_t first = token_of_item(p, first_item);
  const std::uint32_t last = token_of_item(p, first_item + static_cast<std::uint32_t>(p.block_threads) - 1);
  const Token token{chunk_first, first + thread};
  if (token.in_chunk <= last && token.in_chunk < p.chunk_tokens && token.index() < p.tokens) {
    const Ids<V::axes> ids = find_ids<V>(p, token);
    std::int64_t position[V::axes];
    read_positions<V, false>(p, token, ids, position);
    auto* const shared = static_cast<SeenId*>(shared_memory()) + thread * V::axes;
    HIPROPE_UNROLL
    for (int axis = 0; axis < V::axes; ++axis) shared[axis] = {position[axis], ids.of_axis[axis]};
  }
  wait_for_block();
  return first;
}

// What share_ids left of the i-th of its tokens.
template <int axes>
HIPROPE_DEVICE void take_ids(std::uint32_t i, Ids<axes>& ids, std::int64_t (&position)[axes]) {
  const auto* const shared = static_cast<const SeenId*>(shared_memory());
  HIPROPE_UNROLL
  for (int axis = 0; axis < axes; ++axis) {
    const SeenId seen = shared[i * axes + axis];
    position[axis] = seen.position;
    ids.of_axis[axis] = seen.address;
  }
}

HIPROPE_DEVICE bool in_table(const KernelParams& p, std::int64_t position) {
  return static_cast<std::uint64_t>(position) < static_cast<std::uint64_t>(p.max_positions);
}

// Where a row of the table begins.
HIPROPE_DEVICE const float* table_row(const KernelParams& p, std::uint32_t row) {
  return p.table + std::uint64_t{row} * (static_cast<std::uint32_t>(p.pairs) * 2U);
}

// A token's positions, below max_positions and so of 32 bits: the rows of the table, or those that factors are of.
template <int axes>
struct Rows {
  std::uint32_t row[axes];
  bool in_table;
};

template <int axes>
HIPROPE_DEVICE Rows<axes> find_rows(const KernelParams& p, const std::int64_t (&position)[axes]) {
  Rows<axes> rows;
  rows.in_table = true;
  HIPROPE_UNROLL
  for (int axis = 0; axis < axes; ++axis) {
    rows.in_table = rows.in_table && in_table(p, position[axis]);
    rows.row[axis] = static_cast<std::uint32_t>(position[axis]);
  }
  return rows;
}

// Whether positions are those of rows that are in the table: without a branch, since it stands behind the wait.
template <int axes>
HIPROPE_DEVICE bool are_of(const std::int64_t (&position)[axes], const Rows<axes>& rows) {
  std::uint64_t difference = rows.in_table ? 0 : 1;
  HIPROPE_UNROLL
  for (int axis = 0; axis < axes; ++axis) difference |= static_cast<std::uint64_t>(position[axis]) ^ rows.row[axis];
  return difference == 0;
}

// Whether a token's positions are the same on all axes, as text has them.
template <int axes>
HIPROPE_DEVICE bool is_one_row(const Rows<axes>& rows) {
  bool one = true;
  HIPROPE_UNROLL
  for (int axis = 1; axis < axes; ++axis) one = one && rows.row[axis] == rows.row[0];
  return one;
}

// Where entries of a row lie, in numbers from its start: that of a pair, and by how much each next one is further. A
// tile has at least as many entries as one call of load_angles, load_angles_by_axis or multiply_angles reads, so they
// lie evenly apart.
struct Entries {
  std::uint32_t first, apart;
};

HIPROPE_DEVICE Entries find_table_entries(const KernelParams& p, std::int32_t pair) {
  return {2 * static_cast<std::uint32_t>(table_location(pair, p.pairs, p.tiles.table)),
          2 * static_cast<std::uint32_t>(table_location(2, p.pairs, p.tiles.table))};
}

HIPROPE_DEVICE Entries find_factor_entries(const KernelParams& p, std::int32_t pair) {
  return {2 * static_cast<std::uint32_t>(entry_location(pair, p.pairs, p.tiles.factors)),
          2 * static_cast<std::uint32_t>(entry_location(1, p.pairs, p.tiles.factors))};
}

// cos and sin of `count` consecutive pairs, as cos, sin, cos, sin, ...; `pair` is a multiple of `count`.
template <int count>
HIPROPE_DEVICE void load_angles(const KernelParams& p, const Rows<1>& rows, std::int32_t pair, float* cos_sin) {
  constexpr int step = count == 1 ? 1 : 2;  // pairs of one access: 8 bytes, or an entry's 16
  const Entries entries = find_table_entries(p, pair);
  HIPROPE_UNROLL
  for (std::uint32_t i = 0; i < count; i += step) {
    load_constants<8 * step>(table_row(p, rows.row[0]) + entries.first + i / 2 * entries.apart, cos_sin + 2 * i);
  }
}

// Which axis's position turns each pair of a unit of V, a Variant of rotate.h: a byte each.
template <typename V>
struct UnitAxes {
  static constexpr int pairs_a_word = V::pairs < 4 ? V::pairs : 4;
  std::uint32_t words[V::pairs / pairs_a_word];
};

template <typename V>
HIPROPE_DEVICE UnitAxes<V> load_unit_axes(const KernelParams& p, std::int32_t pair) {
  constexpr int step = UnitAxes<V>::pairs_a_word;
  UnitAxes<V> axes{};
  if constexpr (V::axes > 1) {
    HIPROPE_UNROLL
    for (int i = 0; i < V::pairs; i += step) axes.words[i / step] = load_bytes<step>(p.axis + pair + i);
  }
  return axes;
}

// Whether one axis turns all pairs of a unit, as it does where sections are multiples of the unit's pairs.
template <typename V>
HIPROPE_DEVICE bool is_one_axis(const UnitAxes<V>& axes) {
  constexpr int words = V::pairs / UnitAxes<V>::pairs_a_word;
  bool one = axes.words[0] == (axes.words[0] & 0xFFU) * 0x01010101U;
  HIPROPE_UNROLL
  for (int i = 1; i < words; ++i) one = one && axes.words[i] == axes.words[0];
  return one;
}

// cos and sin of a unit's pairs, each by its axis. The table has at most 4 GiB here: where a unit's pairs begin in each
// axis's row is one product of 32 bits an axis. Entries of a unit lie in one tile, so evenly apart, or follow each
// other.
template <typename V>
HIPROPE_DEVICE void load_angles_by_axis(const KernelParams& p, const Rows<V::axes>& rows, const UnitAxes<V>& axes,
                                        std::int32_t pair, float* cos_sin) {
  constexpr int step = UnitAxes<V>::pairs_a_word;
  constexpr int pair_bytes = 8;
  const Entries entries = find_table_entries(p, pair);
  const std::uint32_t first = kDealsAxes ? entries.first / 2 : static_cast<std::uint32_t>(pair);
  std::uint32_t offset[V::axes];
  HIPROPE_UNROLL
  for (int axis = 0; axis < V::axes; ++axis) {
    offset[axis] = (rows.row[axis] * static_cast<std::uint32_t>(p.pairs) + first) * (pair_bytes / kOffsetBytes);
  }
  // With rows dealt out, half the requests, for a whole line of the cache each (H200, text, 64 tokens of 64 and 8
  // heads: 1.29 us with both, 1.40 with accesses of 16 bytes and rows in plain order).
  if (kDealsAxes && V::pairs >= 4 && is_one_axis(axes)) {
    const std::uint32_t axis = axes.words[0];
    const std::uint32_t even = (axis & 2U) != 0 ? offset[2] : offset[0];
    std::uint32_t odd = offset[1];
    if constexpr (V::axes == 4) odd = (axis & 2U) != 0 ? offset[3] : odd;
    const std::uint32_t at = (axis & 1U) != 0 ? odd : even;
    HIPROPE_UNROLL
    for (int i = 0; i < V::pairs; i += 2) {
      load_constants_at<2 * pair_bytes>(p.table + i / 2 * entries.apart, at, 0, cos_sin + 2 * i);
    }
    return;
  }
  // As a function of its own the choice made AMD's kernels 5 to 10 % longer (clang 19 and 22).
  HIPROPE_UNROLL
  for (int i = 0; i < V::pairs; ++i) {
    const std::uint32_t axis = axes.words[i / step] >> (8 * (i % step));
    const std::uint32_t even = (axis & 2U) != 0 ? offset[2] : offset[0];
    std::uint32_t odd = offset[1];
    if constexpr (V::axes == 4) odd = (axis & 2U) != 0 ? offset[3] : odd;
    const std::uint32_t at = (axis & 1U) != 0 ? odd : even;
    const float* const entry = kDealsAxes ? p.table + i / 2 * entries.apart : p.table;
    load_constants_at<pair_bytes>(entry, at, pair_bytes * (kDealsAxes ? i % 2 : i), cos_sin + 2 * i);
  }
}

// The same as products of factors, with the table's bits: src/table.cpp multiplies in this order.
template <int count>
HIPROPE_DEVICE void multiply_angles(const KernelParams& p, std::uint32_t row, std::int32_t pair, float* cos_sin) {
  const auto row_numbers = 2 * static_cast<std::uint32_t>(p.pairs);
  const Entries entries = find_factor_entries(p, pair);
  const double* const coarses = p.coarse + std::uint64_t{coarse_row(row)} * row_numbers + entries.first;
  const double* const fines = p.fine + fine_row(row) * row_numbers + entries.first;
  HIPROPE_UNROLL
  for (std::uint32_t i = 0; i < count; ++i) {
    double coarse[2], fine[2];  // cos, sin
    load_kept_constants<16>(coarses + i * entries.apart, coarse);
    load_kept_constants<16>(fines + i * entries.apart, fine);
    cos_sin[2 * i] = static_cast<float>(multiply_add(coarse[0], fine[0], -(coarse[1] * fine[1])));
    cos_sin[2 * i + 1] = static_cast<float>(multiply_add(coarse[1], fine[0], coarse[0] * fine[1]));
  }
}

// cos and sin of all pairs of a unit of V in the order of rotate_unit, with its sign in kernels that prepare ahead.
// Kernels of several axes multiply only `ahead` of the wait: behind it, where the tensor is in registers as well,
// products take 106 of them instead of 92 (H200, 64 and 8 heads, text, 16384 tokens: 0.966 instead of 0.983 of touch).
// With one axis they take 88 instead of 80, and fewer threads at a time are faster there: 0.992 instead of 0.977 (32
// and 8 heads).
template <typename V, bool ahead>
HIPROPE_DEVICE void load_unit_angles(const KernelParams& p, const Rows<V::axes>& rows, std::int32_t pair,
                                     const UnitAxes<V>& axes, float* cos_sin) {
  if constexpr (multiplies(V::angles) && (ahead || V::axes == 1)) {
    if (is_one_row(rows)) {
      multiply_angles<V::pairs>(p, rows.row[0], pair, cos_sin);
      return;
    }
  }
  if constexpr (V::axes > 1) {
    load_angles_by_axis<V>(p, rows, axes, pair, cos_sin);
  } else {
    constexpr int count = V::pairs < 4 ? V::pairs : 4;
    HIPROPE_UNROLL
    for (int i = 0; i < V::pairs; i += count) load_angles<count>(p, rows, pair + i, cos_sin + 2 * i);
  }
  if constexpr (prepares_ahead(V::angles)) {
    HIPROPE_UNROLL
    for (int i = 0; i < V::pairs; ++i) cos_sin[2 * i + 1] *= p.sin_sign;
  }
}

}  // namespace hiprope
