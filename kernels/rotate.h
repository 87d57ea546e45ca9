// The work of one thread: one unit of V pairs, or V pass-through elements, in a few heads of one token.
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

// n / d; see Divisor.
HIPROPE_DEVICE std::uint32_t divide(std::uint32_t n, Divisor d) {
  return static_cast<std::uint32_t>((static_cast<std::uint64_t>(n) * d.multiplier) >> d.shift);
}

// Where a unit's two vectors of V elements lie within a head, and which pairs they hold.
struct UnitPlace {
  std::int32_t first_in, second_in;  // elements from the head's start
  std::int32_t first_out, second_out;
  std::int32_t pair, later_pair;  // of the first V/2 pairs, and of the others
};

template <typename V>
HIPROPE_DEVICE UnitPlace place_unit(const KernelParams& p, std::int32_t unit) {
  constexpr std::int32_t n = V::elements;
  UnitPlace at{};
  at.pair = unit * n;
  at.later_pair = at.pair + n / 2;
  if constexpr (V::layout == Layout::half_split) {
    const auto block = static_cast<std::int32_t>(divide(static_cast<std::uint32_t>(unit), p.by_half_block_units));
    at.first_in = p.rotary_offset + unit * n + block * p.half_block;
    at.second_in = at.first_in + p.half_block;
  } else if constexpr (V::layout == Layout::interleaved && n > 1) {
    // The two vectors lie R/2 apart, so that neighbouring threads access neighbouring vectors.
    at.first_in = p.rotary_offset + unit * n;
    at.second_in = at.first_in + p.pairs;
    at.pair = unit * (n / 2);
    at.later_pair = at.pair + p.pairs / 2;
  } else {
    at.first_in = p.rotary_offset + 2 * unit * n;
    at.second_in = at.first_in + n;
  }
  at.first_out = at.first_in;
  at.second_out = at.second_in;
  if constexpr (V::layout == Layout::interleaved_to_half_split) {
    at.first_out = p.rotary_offset + unit * n;
    at.second_out = at.first_out + p.pairs;
  }
  return at;
}

// A token of a call. Threads of a launch differ in 32 bits of it, which keeps their address arithmetic short.
struct Token {
  std::int64_t chunk_first;
  std::uint32_t in_chunk;

  HIPROPE_DEVICE std::int64_t index() const { return chunk_first + in_chunk; }
};

// Element 0 of one head of one token; strides are not negative.
HIPROPE_DEVICE std::int64_t row_offset(Token token, std::uint32_t head, std::int64_t token_stride,
                                       std::int64_t head_stride) {
  const std::uint64_t in_chunk = std::uint64_t{token.in_chunk} * static_cast<std::uint64_t>(token_stride) +
                                 std::uint64_t{head} * static_cast<std::uint64_t>(head_stride);
  return token.chunk_first * token_stride + static_cast<std::int64_t>(in_chunk);
}

// Where a head of a token is read and where it is written.
template <typename V, int tensors>
HIPROPE_DEVICE const char* find_input(const KernelParams& p, Token token, std::int32_t head) {
  const bool of_k = tensors == 2 && head >= p.q_heads;
  const std::int64_t element =
      row_offset(token, static_cast<std::uint32_t>(of_k ? head - p.q_heads : head),
                 of_k ? p.k.in_token_stride : p.q.in_token_stride, of_k ? p.k.in_head_stride : p.q.in_head_stride);
  return static_cast<const char*>(of_k ? p.k.in : p.q.in) + element * V::Element::bytes;
}

template <typename V, int tensors>
HIPROPE_DEVICE char* find_output(const KernelParams& p, Token token, std::int32_t head) {
  const bool of_k = tensors == 2 && head >= p.q_heads;
  const std::int64_t element =
      row_offset(token, static_cast<std::uint32_t>(of_k ? head - p.q_heads : head),
                 of_k ? p.k.out_token_stride : p.q.out_token_stride, of_k ? p.k.out_head_stride : p.q.out_head_stride);
  return static_cast<char*>(of_k ? p.k.out : p.q.out) + element * V::Element::bytes;
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

// cos and sin of `count` consecutive pairs, as cos, sin, cos, sin, ...; `pair` is a multiple of `count`. A tile of the
// table has at least as many entries as one call reads, which therefore lie evenly apart.
template <int count>
HIPROPE_DEVICE void load_angles(const KernelParams& p, const TableRows<1>& rows, std::int32_t pair, float* cos_sin) {
  constexpr int step = count == 1 ? 1 : 2;  // pairs of one access: 8 bytes, or an entry's 16
  const auto first = static_cast<std::uint32_t>(table_location(pair, p.pairs, p.tile_shift));
  const auto apart = static_cast<std::uint32_t>(table_location(2, p.pairs, p.tile_shift));
  HIPROPE_UNROLL
  for (std::uint32_t i = 0; i < count; i += step) {
    load_constant_floats<8 * step>(table_row(p, rows.row[0]) + 2 * (first + i / 2 * apart), cos_sin + 2 * i);
  }
}

template <int count>
HIPROPE_DEVICE void load_angles(const KernelParams& p, const TableRows<4>& rows, std::int32_t pair, float* cos_sin) {
  const std::uint32_t axes = load_bytes<count>(p.axis + pair);
  const auto first = static_cast<std::uint32_t>(table_location(pair, p.pairs, p.tile_shift));
  const auto apart = static_cast<std::uint32_t>(table_location(2, p.pairs, p.tile_shift));
  HIPROPE_UNROLL
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t axis = axes >> (8 * i);
    const std::uint32_t even = (axis & 2U) != 0 ? rows.row[2] : rows.row[0];
    const std::uint32_t odd = (axis & 2U) != 0 ? rows.row[3] : rows.row[1];
    const float* const row = table_row(p, (axis & 1U) != 0 ? odd : even);
    load_constant_floats<8>(row + 2 * (first + i / 2 * apart + i % 2), cos_sin + 2 * i);
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

// One item: a unit of a head group of a token. Heads beyond the last repeat the last and are not stored.
template <typename V, int tensors>
HIPROPE_DEVICE void run_item(const KernelParams& p, Token token, std::int32_t group, std::int32_t unit) {
  constexpr int heads = V::heads_per_thread;
  constexpr std::uint32_t element_bytes = V::Element::bytes;
  const std::int32_t first_head = group * heads;
  const std::int32_t last = p.heads - first_head - 1;

  if (unit >= p.rotate_units) {
    // Pass-through elements lie before rotary_offset and behind the rotary part.
    std::int32_t element = (unit - p.rotate_units) * V::elements;
    if (element >= p.rotary_offset) element += p.rotary_dim;
    wait_for_launch_before();
    HIPROPE_UNROLL
    for (int i = 0; i < heads; ++i) {
      if (i > last) break;
      const char* const in_head = find_input<V, tensors>(p, token, first_head + i);
      char* const out_head = find_output<V, tensors>(p, token, first_head + i);
      if (out_head == in_head) continue;  // of Q and K, one may be in place
      std::uint32_t words[V::words];
      load<V::bytes>(in_head + static_cast<std::uint32_t>(element) * element_bytes, words);
      store<V::bytes>(out_head + static_cast<std::uint32_t>(element) * element_bytes, words);
    }
    return;
  }

  const UnitPlace at = place_unit<V>(p, unit);
  float cos_sin[2 * V::elements];
  TableRows<V::axes> guess{};
  bool guessed = false;
  if constexpr (kOverlapsLaunches) {
    // Positions rarely change between launches: with those seen now the table is read during the wait.
    guess = find_table_rows<V::axes>(p, token);
    guessed = guess.in_table;
    if (guessed) load_unit_angles<V>(p, guess, at, cos_sin);
  }
  wait_for_launch_before();

  // The tensor is asked for first: the wait for it covers the chain from position to table row.
  const char* in[heads];
  std::uint32_t first[heads][V::words];
  std::uint32_t second[heads][V::words];
  HIPROPE_UNROLL
  for (int i = 0; i < heads; ++i) {
    in[i] = find_input<V, tensors>(p, token, first_head + (i < last ? i : last));
    load<V::bytes>(in[i] + static_cast<std::uint32_t>(at.first_in) * element_bytes, first[i]);
    load<V::bytes>(in[i] + static_cast<std::uint32_t>(at.second_in) * element_bytes, second[i]);
  }
  const TableRows<V::axes> rows = find_table_rows<V::axes>(p, token);
  if (!rows.in_table) {
    if (unit == 0 && group == 0) {
      atomic_add(p.refused, 1);
      atomic_min(p.refused + 1, static_cast<std::uint64_t>(token.index()));
    }
    HIPROPE_UNROLL
    for (int i = 0; i < heads; ++i) {
      if (i > last) break;
      char* out = find_output<V, tensors>(p, token, first_head + i);
      if (out == in[i]) continue;
      store<V::bytes>(out + static_cast<std::uint32_t>(at.first_in) * element_bytes, first[i]);
      store<V::bytes>(out + static_cast<std::uint32_t>(at.second_in) * element_bytes, second[i]);
    }
    return;
  }
  if (!guessed || !same_rows(rows, guess)) load_unit_angles<V>(p, rows, at, cos_sin);
  HIPROPE_UNROLL
  for (int i = 0; i < heads; ++i) {
    if (i > last) break;
    char* out = p.in_place != 0 ? const_cast<char*>(in[i]) : find_output<V, tensors>(p, token, first_head + i);
    rotate_unit<V>(cos_sin, p.sin_sign, first[i], second[i]);
    store<V::bytes>(out + static_cast<std::uint32_t>(at.first_out) * element_bytes, first[i]);
    store<V::bytes>(out + static_cast<std::uint32_t>(at.second_out) * element_bytes, second[i]);
  }
}

// Thread `thread` of block `block` of chunk `chunk`; nearly every launch has one chunk.
template <typename V, int tensors>
HIPROPE_DEVICE void run_thread(const KernelParams& p, std::uint32_t block, std::uint32_t chunk, std::uint32_t thread) {
  let_next_launch_begin();
  const std::uint32_t item = block * static_cast<std::uint32_t>(p.block_threads) + thread;
  const std::uint32_t row = divide(item, p.by_units);
  const std::uint32_t token_in_chunk = divide(row, p.by_head_groups);
  const std::uint32_t unit = item - row * static_cast<std::uint32_t>(p.units);
  const std::uint32_t group = row - token_in_chunk * static_cast<std::uint32_t>(p.head_groups);
  const Token token{chunk * p.chunk_tokens, token_in_chunk};
  if (token_in_chunk >= p.chunk_tokens || token.index() >= p.tokens) return;
  run_item<V, tensors>(p, token, static_cast<std::int32_t>(group), static_cast<std::int32_t>(unit));
}

}  // namespace hiprope
