// The work of one thread: one unit of V pairs, or of pass-through elements, in a few heads of one token.
#pragma once

#include "numeric.h"
#include "params.h"

namespace hiprope {

enum class Layout { half_split, interleaved, interleaved_to_half_split };

// A line of variants.inc as a type.
template <typename ElementType, Layout layout_value, int access_bytes, int heads_a_thread, int most_axes>
struct Variant {
  using Element = ElementType;
  static constexpr Layout layout = layout_value;
  static constexpr int bytes = access_bytes;
  static constexpr int heads_per_thread = heads_a_thread;
  static constexpr int axes = most_axes;                   // 1, or 4 for any number
  static constexpr int elements = bytes / Element::bytes;  // V
  static constexpr int words = bytes < 4 ? 1 : bytes / 4;
};

// Where a unit's two vectors of V elements lie within a head, and which pairs they hold.
struct UnitPlace {
  std::uint32_t first_in, second_in;  // bytes from the head's start
  std::uint32_t first_out, second_out;
  std::int32_t pair, later_pair;  // of the first V/2 pairs, and of the others
};

template <typename V>
HIPROPE_DEVICE UnitPlace place_unit(const KernelParams& p, std::int32_t unit) {
  constexpr std::int32_t n = V::elements;
  std::int32_t pair = unit * n, later_pair = pair + n / 2;
  std::int32_t first = p.rotary_offset, second = 0;  // elements
  if constexpr (V::layout == Layout::half_split) {
    const auto block = static_cast<std::int32_t>(divide(static_cast<std::uint32_t>(unit), p.by_half_block_units));
    first += unit * n + block * p.half_block;
    second = first + p.half_block;
  } else if constexpr (V::layout == Layout::interleaved && n > 1) {
    // The two vectors lie R/2 apart, so that neighbouring threads access neighbouring vectors.
    first += unit * n;
    second = first + p.pairs;
    pair = unit * (n / 2);
    later_pair = pair + p.pairs / 2;
  } else {
    first += 2 * unit * n;
    second = first + n;
  }
  constexpr bool deals = V::layout == Layout::interleaved_to_half_split;
  const std::int32_t first_out = deals ? p.rotary_offset + unit * n : first;
  const std::int32_t second_out = deals ? first_out + p.pairs : second;
  const auto bytes = [](std::int32_t element) {
    return static_cast<std::uint32_t>(element) * static_cast<std::uint32_t>(V::Element::bytes);
  };
  return {bytes(first), bytes(second), bytes(first_out), bytes(second_out), pair, later_pair};
}

// A token of a call. Threads of a launch differ in 32 bits of it, which keeps their address arithmetic short.
struct Token {
  std::int64_t chunk_first;
  std::uint32_t in_chunk;

  HIPROPE_DEVICE std::int64_t index() const { return chunk_first + in_chunk; }
};

// Element 0 of a head of a token, in Q's heads or in K's behind them.
template <typename V, int tensors>
HIPROPE_DEVICE char* find_head(const KernelParams& p, const Heads& q, const Heads& k, Token token, std::int32_t head) {
  const bool of_k = tensors == 2 && head >= p.q_heads;
  const std::int64_t token_stride = of_k ? k.token_stride : q.token_stride;
  const std::int64_t head_stride = of_k ? k.head_stride : q.head_stride;
  const auto head_of_tensor = static_cast<std::uint32_t>(of_k ? head - p.q_heads : head);
  const std::uint64_t in_chunk = std::uint64_t{token.in_chunk} * static_cast<std::uint64_t>(token_stride) +
                                 std::uint64_t{head_of_tensor} * static_cast<std::uint64_t>(head_stride);
  const std::int64_t element = token.chunk_first * token_stride + static_cast<std::int64_t>(in_chunk);
  return static_cast<char*>(of_k ? k.data : q.data) + element * V::Element::bytes;
}

// A token's position on one axis.
HIPROPE_DEVICE std::int64_t read_position(const KernelParams& p, Token token, int axis) {
  if (p.ids == nullptr) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(p.start) + static_cast<std::uint64_t>(token.index()));
  }
  const std::int64_t index = axis * p.axis_stride + token.index();
  if (p.ids_bytes == 8) return load_id(static_cast<const std::int64_t*>(p.ids) + index);
  return load_id(static_cast<const std::int32_t*>(p.ids) + index);
}

HIPROPE_DEVICE bool in_table(const KernelParams& p, std::int64_t position) {
  return static_cast<std::uint64_t>(position) < static_cast<std::uint64_t>(p.max_positions);
}

// Where a row of the table begins.
HIPROPE_DEVICE const float* table_row(const KernelParams& p, std::uint32_t row) {
  return p.table + std::uint64_t{row} * (static_cast<std::uint32_t>(p.pairs) * 2U);
}

// The table rows of a token's positions, whose numbers fit 32 bits; axes a config lacks repeat axis 0.
template <int axes>
struct TableRows {
  std::uint32_t row[axes];
  bool in_table;
};

template <int axes>
HIPROPE_DEVICE TableRows<axes> find_table_rows(const KernelParams& p, Token token) {
  TableRows<axes> rows;
  const std::int64_t position = read_position(p, token, 0);
  rows.in_table = in_table(p, position);
  rows.row[0] = static_cast<std::uint32_t>(position);
  HIPROPE_UNROLL
  for (int axis = 1; axis < axes; ++axis) {
    const std::int64_t other = axis < p.axes ? read_position(p, token, axis) : position;
    rows.in_table = rows.in_table && in_table(p, other);
    rows.row[axis] = static_cast<std::uint32_t>(other);
  }
  return rows;
}

// Where entries of a table row lie, in floats from its start: that of a pair, and by how much each next one is further.
// A tile of the table has at least as many entries as one call of load_angles reads, so they lie evenly apart.
struct Entries {
  std::uint32_t first, apart;
};

HIPROPE_DEVICE Entries find_entries(const KernelParams& p, std::int32_t pair) {
  return {2 * static_cast<std::uint32_t>(table_location(pair, p.pairs, p.tile_shift)),
          2 * static_cast<std::uint32_t>(table_location(2, p.pairs, p.tile_shift))};
}

// cos and sin of `count` consecutive pairs, as cos, sin, cos, sin, ...; `pair` is a multiple of `count`.
template <int count>
HIPROPE_DEVICE void load_angles(const KernelParams& p, const TableRows<1>& rows, std::int32_t pair, float* cos_sin) {
  constexpr int step = count == 1 ? 1 : 2;  // pairs of one access: 8 bytes, or an entry's 16
  const Entries entries = find_entries(p, pair);
  HIPROPE_UNROLL
  for (std::uint32_t i = 0; i < count; i += step) {
    load_constant_floats<8 * step>(table_row(p, rows.row[0]) + entries.first + i / 2 * entries.apart, cos_sin + 2 * i);
  }
}

template <int count>
HIPROPE_DEVICE void load_angles(const KernelParams& p, const TableRows<4>& rows, std::int32_t pair, float* cos_sin) {
  const std::uint32_t axes = load_bytes<count>(p.axis + pair);
  const Entries entries = find_entries(p, pair);
  HIPROPE_UNROLL
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t axis = axes >> (8 * i);
    const std::uint32_t even = (axis & 2U) != 0 ? rows.row[2] : rows.row[0];
    const std::uint32_t odd = (axis & 2U) != 0 ? rows.row[3] : rows.row[1];
    const float* const row = table_row(p, (axis & 1U) != 0 ? odd : even);
    load_constant_floats<8>(row + entries.first + i / 2 * entries.apart + i % 2 * 2, cos_sin + 2 * i);
  }
}

// cos and sin of all pairs of a unit, in the order of rotate_unit.
template <typename V>
HIPROPE_DEVICE void load_unit_angles(const KernelParams& p, const TableRows<V::axes>& rows, const UnitPlace& at,
                                     float* cos_sin) {
  if constexpr (V::elements == 1) {
    load_angles<1>(p, rows, at.pair, cos_sin);
  } else {
    load_angles<V::elements / 2>(p, rows, at.pair, cos_sin);
    load_angles<V::elements / 2>(p, rows, at.later_pair, cos_sin + V::elements);
  }
}

template <int axes>
HIPROPE_DEVICE bool same_rows(const TableRows<axes>& a, const TableRows<axes>& b) {
  bool same = true;
  HIPROPE_UNROLL
  for (int axis = 0; axis < axes; ++axis) same = same && a.row[axis] == b.row[axis];
  return same;
}

template <typename Element>
HIPROPE_DEVICE float decode_element(const std::uint32_t* words, int i) {
  if constexpr (Element::bytes == 4) return Element::decode(words[i]);
  return Element::decode((words[i / 2] >> (16 * (i % 2))) & 0xFFFFU);
}

// `count` elements into words, element i being value[i * step].
template <typename Element, int count, int step>
HIPROPE_DEVICE void encode_elements(const float* value, std::uint32_t* words) {
  if constexpr (Element::bytes == 4) {
    HIPROPE_UNROLL
    for (int i = 0; i < count; ++i) words[i] = Element::encode(value[i * step]);
  } else {
    HIPROPE_UNROLL
    for (int i = 0; i < count; i += 2) {
      words[i / 2] = Element::encode_two(value[i * step], i + 1 < count ? value[(i + 1) * step] : 0.0F);
    }
  }
}

// x' = x cos - y sin, y' = y cos + x sin: one product and one fused multiply-add each, rounded in this order.
HIPROPE_DEVICE void rotate_pair(float cos, float sin, float& x, float& y) {
  const float rotated = multiply_add(x, cos, -(y * sin));
  y = multiply_add(y, cos, x * sin);
  x = rotated;
}

// Rotates a unit in registers. The 2V elements are the first vector's, then the second's.
template <typename V>
HIPROPE_DEVICE void rotate_unit(const float* cos_sin, float sin_sign, std::uint32_t* first, std::uint32_t* second) {
  using Element = typename V::Element;
  constexpr int n = V::elements;
  constexpr bool split = V::layout == Layout::half_split || n == 1;  // partners are n apart, not neighbours
  float value[2 * n];
  HIPROPE_UNROLL
  for (int i = 0; i < n; ++i) {
    value[i] = decode_element<Element>(first, i);
    value[n + i] = decode_element<Element>(second, i);
  }
  HIPROPE_UNROLL
  for (int j = 0; j < n; ++j) {
    rotate_pair(cos_sin[2 * j], cos_sin[2 * j + 1] * sin_sign, value[split ? j : 2 * j],
                value[split ? n + j : 2 * j + 1]);
  }
  constexpr bool deal = V::layout == Layout::interleaved_to_half_split && n > 1;
  encode_elements<Element, n, deal ? 2 : 1>(value, first);
  encode_elements<Element, n, deal ? 2 : 1>(value + (deal ? 1 : n), second);
}

// Counts a token whose position is outside the table; its elements stay as they are, or are copied.
template <typename V, int tensors>
HIPROPE_DEVICE void refuse_token(const KernelParams& p, Token token, std::int32_t group, std::int32_t unit,
                                 const UnitPlace& at, char* const* in, const std::uint32_t (*first)[V::words],
                                 const std::uint32_t (*second)[V::words]) {
  constexpr int heads = V::heads_per_thread;
  if (unit == 0 && group == 0) {
    atomic_add(p.refused, 1);
    atomic_min(p.refused + 1, static_cast<std::uint64_t>(token.index()));
  }
  HIPROPE_UNROLL
  for (int i = 0; i < heads; ++i) {
    if (i > p.heads - group * heads - 1) break;
    char* const out = find_head<V, tensors>(p, p.q.out, p.k.out, token, group * heads + i);
    if (out == in[i]) continue;  // of Q and K, one may be in place
    store<V::bytes>(out + at.first_in, first[i]);
    store<V::bytes>(out + at.second_in, second[i]);
  }
}

// One unit of a head group that turns. Heads beyond the last repeat the last and are not stored.
template <typename V, int tensors>
HIPROPE_DEVICE void rotate_heads(const KernelParams& p, Token token, std::int32_t group, std::int32_t unit) {
  constexpr int heads = V::heads_per_thread;
  const std::int32_t first_head = group * heads;
  const std::int32_t last = p.heads - first_head - 1;
  const UnitPlace at = place_unit<V>(p, unit);
  float cos_sin[2 * V::elements];
  // Positions rarely change between launches: with those seen now the table is read during the wait. Large launches
  // with several axes are faster without (H200, 16384 tokens: 6 %), as they need fewer registers.
  constexpr bool speculates = kOverlapsLaunches && (V::axes == 1 || heads < 4);
  TableRows<V::axes> guess{};
  bool guessed = false;
  if constexpr (speculates) {
    guess = find_table_rows<V::axes>(p, token);
    guessed = guess.in_table;
    if (guessed) load_unit_angles<V>(p, guess, at, cos_sin);
  }
  wait_for_launch_before();

  // The table waits for the position, so the position is asked for before the tensor; behind it where it only confirms
  // a guess that was read long ago (H200: one head a thread, 1 to 64 tokens, 5 % faster so; bf16 with four heads, 16384
  // tokens, 1 % slower; f32 with four heads 4 % faster).
  constexpr bool position_first = !speculates || (heads > 1 && V::Element::bytes == 2);
  TableRows<V::axes> rows{};
  if constexpr (position_first) rows = find_table_rows<V::axes>(p, token);
  char* in[heads];
  std::uint32_t first[heads][V::words];
  std::uint32_t second[heads][V::words];
  HIPROPE_UNROLL
  for (int i = 0; i < heads; ++i) {
    in[i] = find_head<V, tensors>(p, p.q.in, p.k.in, token, first_head + (i < last ? i : last));
    load<V::bytes>(in[i] + at.first_in, first[i]);
    load<V::bytes>(in[i] + at.second_in, second[i]);
  }
  if constexpr (!position_first) rows = find_table_rows<V::axes>(p, token);
  if (!rows.in_table) {
    refuse_token<V, tensors>(p, token, group, unit, at, in, first, second);
    return;
  }
  if (!guessed || !same_rows(rows, guess)) load_unit_angles<V>(p, rows, at, cos_sin);
  HIPROPE_UNROLL
  for (int i = 0; i < heads; ++i) {
    if (i > last) break;
    char* const out = p.in_place != 0 ? in[i] : find_head<V, tensors>(p, p.q.out, p.k.out, token, first_head + i);
    rotate_unit<V>(cos_sin, p.sin_sign, first[i], second[i]);
    store<V::bytes>(out + at.first_out, first[i]);
    store<V::bytes>(out + at.second_out, second[i]);
  }
}

// One unit of a head group's pass-through elements, which lie before rotary_offset and behind the rotary part.
template <typename V, int tensors, int bytes>
HIPROPE_DEVICE void copy_heads(const KernelParams& p, Token token, std::int32_t group, std::int32_t unit) {
  constexpr int heads = V::heads_per_thread;
  const std::int32_t first_head = group * heads;
  const std::int32_t last = p.heads - first_head - 1;
  std::int32_t element = unit * (bytes / V::Element::bytes);
  if (element >= p.rotary_offset) element += p.rotary_dim;
  const std::uint32_t place = static_cast<std::uint32_t>(element) * static_cast<std::uint32_t>(V::Element::bytes);
  wait_for_launch_before();
  char* out[heads];  // null where nothing is to be copied
  std::uint32_t words[heads][bytes < 4 ? 1 : bytes / 4];
  HIPROPE_UNROLL
  for (int i = 0; i < heads; ++i) {
    const std::int32_t head = first_head + (i < last ? i : last);
    const char* const in = find_head<V, tensors>(p, p.q.in, p.k.in, token, head);
    out[i] = find_head<V, tensors>(p, p.q.out, p.k.out, token, head);
    if (i > last || out[i] == in) out[i] = nullptr;  // of Q and K, one may be in place
    if (out[i] != nullptr) load<bytes>(in + place, words[i]);
  }
  HIPROPE_UNROLL
  for (int i = 0; i < heads; ++i) {
    if (out[i] != nullptr) store<bytes>(out[i] + place, words[i]);
  }
}

// An item's place in the order that KernelParams describes.
struct Work {
  std::uint32_t row, unit;
  bool copies;
};

HIPROPE_DEVICE Work find_work(const KernelParams& p, std::uint32_t item) {
  const auto rotate_units = static_cast<std::uint32_t>(p.rotate_units);
  const auto copy_units = static_cast<std::uint32_t>(p.copy_units);
  if (copy_units == 0) {
    const std::uint32_t row = divide(item, p.by_rotate_units);
    return {row, item - row * rotate_units, false};
  }
  const std::uint32_t tile = divide(item, p.by_tile_items);
  const std::uint32_t in_tile = item - tile * kTileRows * (rotate_units + copy_units);
  const bool copies = in_tile >= kTileRows * rotate_units;
  const std::uint32_t in_kind = copies ? in_tile - kTileRows * rotate_units : in_tile;
  const std::uint32_t row_in_tile = divide(in_kind, copies ? p.by_copy_units : p.by_rotate_units);
  return {tile * kTileRows + row_in_tile, in_kind - row_in_tile * (copies ? copy_units : rotate_units), copies};
}

// Thread `thread` of block `block` of chunk `chunk`; nearly every launch has one chunk.
template <typename V, int tensors>
HIPROPE_DEVICE void run_thread(const KernelParams& p, std::uint32_t block, std::uint32_t chunk, std::uint32_t thread) {
  let_next_launch_begin();
  const Work work = find_work(p, block * static_cast<std::uint32_t>(p.block_threads) + thread);
  const std::uint32_t token_in_chunk = divide(work.row, p.by_head_groups);
  const Token token{chunk * p.chunk_tokens, token_in_chunk};
  if (token_in_chunk >= p.chunk_tokens || token.index() >= p.tokens) return;
  const auto group = static_cast<std::int32_t>(work.row - token_in_chunk * static_cast<std::uint32_t>(p.head_groups));
  const auto unit = static_cast<std::int32_t>(work.unit);
  if (!work.copies) {
    rotate_heads<V, tensors>(p, token, group, unit);
  } else if (V::bytes == 16 || p.copy_bytes == 16) {
    copy_heads<V, tensors, 16>(p, token, group, unit);
  } else {
    copy_heads<V, tensors, V::bytes>(p, token, group, unit);
  }
}

}  // namespace hiprope
