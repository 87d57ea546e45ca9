// The work of one thread: one unit of pairs, or of pass-through elements, in a few heads of one token.
#pragma once

#include "angles.h"
#include "numeric.h"
#include "params.h"

namespace hiprope {

enum class Layout { half_split, interleaved, interleaved_to_half_split };

// A line of variants.inc as a type.
template <typename ElementType, Layout layout_value, int access_bytes, int heads_a_thread, AngleInput angle_input>
struct Variant {
  using Element = ElementType;
  static constexpr Layout layout = layout_value;
  static constexpr int bytes = access_bytes;
  static constexpr int heads_per_thread = heads_a_thread;
  static constexpr AngleInput angles = angle_input;
  static constexpr int axes = axes_of(angles);
  static constexpr int elements = bytes / Element::bytes;  // V
  static constexpr int words = bytes < 4 ? 1 : bytes / 4;
  static constexpr int vectors = vectors_of_unit(layout == Layout::interleaved, elements);
  static constexpr int pairs = vectors * elements / 2;  // of a unit
  // Whether ids that confirm a guess are asked for before the tensor all the same: three or four are long in coming
  // behind the requests of all waves for theirs (H200, text, 64 tokens of 64 and 8 heads: 1.29 instead of 1.44 us).
  // With more accesses, or interleaved pairs, nvcc waits for them between requests for the tensor.
  static constexpr bool asks_ids_first =
      works_ahead(angles) && axes > 1 && heads_per_thread <= 2 && layout == Layout::half_split;
};

// Where a unit's vectors of V elements lie within a head, and its first pair if it has pairs.
template <typename V>
struct UnitPlace {
  std::uint32_t in[V::vectors], out[V::vectors];  // bytes from the head's start
  std::int32_t pair;
};

template <typename V>
HIPROPE_DEVICE UnitPlace<V> place_unit(const KernelParams& p, std::int32_t unit) {
  constexpr std::int32_t n = V::elements;
  const auto bytes = [](std::int32_t element) {
    return static_cast<std::uint32_t>(element) * static_cast<std::uint32_t>(V::Element::bytes);
  };
  UnitPlace<V> at;
  at.pair = unit * V::pairs;
  std::int32_t first = p.rotary_offset + unit * n;  // elements
  std::int32_t apart = n;                           // of the second vector from the first
  if constexpr (V::layout == Layout::half_split) {
    const auto block = static_cast<std::int32_t>(divide(static_cast<std::uint32_t>(unit), p.by_half_block_units));
    first += block * p.half_block;
    apart = p.half_block;
  } else if constexpr (V::vectors == 2) {
    first += unit * n;
  }
  constexpr bool deals = V::layout == Layout::interleaved_to_half_split;
  at.in[0] = bytes(first);
  at.out[0] = deals ? bytes(p.rotary_offset + unit * n) : at.in[0];
  if constexpr (V::vectors == 2) {
    at.in[1] = bytes(first + apart);
    at.out[1] = deals ? at.out[0] + bytes(p.pairs) : at.in[1];
  }
  return at;
}

// Vectors of a unit of pass-through elements, which lie before rotary_offset and behind the rotary part. Where they are
// an odd number the last unit has one of them twice.
template <typename V>
HIPROPE_DEVICE UnitPlace<V> place_copied_unit(const KernelParams& p, std::int32_t unit) {
  UnitPlace<V> at{};
  HIPROPE_UNROLL
  for (int v = 0; v < V::vectors; ++v) {
    const std::int32_t vector = unit + v * p.copy_units;
    std::int32_t element = (vector < p.copied_vectors ? vector : unit) * V::elements;
    if (element >= p.rotary_offset) element += 2 * p.pairs;
    at.in[v] = at.out[v] = static_cast<std::uint32_t>(element) * static_cast<std::uint32_t>(V::Element::bytes);
  }
  return at;
}

// A thread's heads of a token: those of one group of one tensor.
template <typename V, int tensors>
struct HeadGroup {
  bool of_k;
  std::int32_t first;  // head of the tensor
  std::int32_t last;   // of the group, counted from its first; 0 or more

  HIPROPE_DEVICE HeadGroup(const KernelParams& p, std::int32_t group) {
    of_k = tensors == 2 && group >= p.q_groups;
    first = (of_k ? group - p.q_groups : group) * V::heads_per_thread;
    last = (of_k ? p.k_heads : p.q_heads) - first - 1;
  }
};

// Where a group's heads begin: the i-th at data + i * step.
struct HeadRow {
  char* data;
  std::int64_t step;  // bytes
};

template <typename V, int tensors>
HIPROPE_DEVICE HeadRow find_heads(const Heads& q, const Heads& k, Token token, const HeadGroup<V, tensors>& group) {
  const std::int64_t token_stride = group.of_k ? k.token_stride : q.token_stride;
  const std::int64_t head_stride = group.of_k ? k.head_stride : q.head_stride;
  const std::uint64_t in_chunk =
      std::uint64_t{token.in_chunk} * static_cast<std::uint64_t>(token_stride) +
      std::uint64_t{static_cast<std::uint32_t>(group.first)} * static_cast<std::uint64_t>(head_stride);
  const std::int64_t element = token.chunk_first * token_stride + static_cast<std::int64_t>(in_chunk);
  return {static_cast<char*>(group.of_k ? k.data : q.data) + element * V::Element::bytes,
          head_stride * V::Element::bytes};
}

template <typename V, int tensors, bool copies>
HIPROPE_DEVICE HeadRow find_out(const KernelParams& p, Token token, const HeadGroup<V, tensors>& group, HeadRow in) {
  if (!copies && p.in_place != 0) return in;
  return find_heads<V, tensors>(p.q.out, p.k.out, token, group);
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

// Rotates a unit in registers.
template <typename V>
HIPROPE_DEVICE void rotate_unit(const float* cos_sin, float sin_sign, std::uint32_t (&vector)[V::vectors][V::words]) {
  using Element = typename V::Element;
  constexpr int n = V::elements;
  constexpr bool split = V::layout == Layout::half_split || n == 1;  // partners are n apart, not neighbours
  float value[V::vectors * n];
  HIPROPE_UNROLL
  for (int i = 0; i < V::vectors * n; ++i) value[i] = decode_element<Element>(vector[i / n], i % n);
  HIPROPE_UNROLL
  for (int j = 0; j < V::pairs; ++j) {
    rotate_pair(cos_sin[2 * j], cos_sin[2 * j + 1] * sin_sign, value[split ? j : 2 * j],
                value[split ? n + j : 2 * j + 1]);
  }
  constexpr bool deal = V::layout == Layout::interleaved_to_half_split && n > 1;
  HIPROPE_UNROLL
  for (int v = 0; v < V::vectors; ++v) {
    encode_elements<Element, n, deal ? 2 : 1>(value + (deal ? v : v * n), vector[v]);
  }
}

template <typename V>
HIPROPE_DEVICE void store_unit(char* head, const std::uint32_t (&at)[V::vectors],
                               const std::uint32_t (&vector)[V::vectors][V::words]) {
  HIPROPE_UNROLL
  for (int v = 0; v < V::vectors; ++v) store<V::bytes>(head + at[v], vector[v]);
}

// Asks for a unit of a group's heads, where load_heads will find it near.
template <typename V>
HIPROPE_DEVICE void prefetch_heads(HeadRow in, const std::uint32_t (&at)[V::vectors], std::int32_t last,
                                   bool begins_heads) {
  const char* head = in.data;
  HIPROPE_UNROLL
  for (int i = 0; i < V::heads_per_thread; ++i) {
    if (i != 0 && i > last) break;
    HIPROPE_UNROLL
    for (int v = 0; v < V::vectors; ++v) prefetch<V::bytes>(head + at[v], begins_heads && v == 0);
    head += in.step;
  }
}

// Heads beyond the group's last repeat the last.
template <typename V>
HIPROPE_DEVICE void load_heads(HeadRow in, const std::uint32_t (&at)[V::vectors], std::int32_t last,
                               std::uint32_t (*vectors)[V::vectors][V::words]) {
  const char* head = in.data;
  HIPROPE_UNROLL
  for (int i = 0; i < V::heads_per_thread; ++i) {
    HIPROPE_UNROLL
    for (int v = 0; v < V::vectors; ++v) load<V::bytes>(head + at[v], vectors[i][v]);
    if (i < last) head += in.step;
  }
}

// A group's heads as they are in registers.
template <typename V>
HIPROPE_DEVICE void store_heads(HeadRow out, const std::uint32_t (&at)[V::vectors], std::int32_t last,
                                const std::uint32_t (*vectors)[V::vectors][V::words]) {
  HIPROPE_UNROLL
  for (int i = 0; i < V::heads_per_thread; ++i) {
    if (i != 0 && i > last) break;
    store_unit<V>(out.data + i * out.step, at, vectors[i]);
  }
}

// Counts a token whose position is outside the table; its elements stay as they are, or are copied.
HIPROPE_DEVICE void count_refused(const KernelParams& p, Token token) {
  atomic_add(p.refused, 1);
  atomic_min(p.refused + 1, static_cast<std::uint64_t>(token.index()));
}

template <typename V>
HIPROPE_DEVICE bool shares_ids(const KernelParams& p) {
  return prepares_ahead(V::angles) && reads_ids_ahead(p);
}

// One unit of a head group. Heads beyond the last repeat the last and are not stored. With `copies` some units are of
// pass-through elements; they ask for memory where others do, so that a wave of both kinds waits once. The token is the
// `of_shared`-th of those that the block shares ids of, if it does.
template <typename V, int tensors, bool copies>
HIPROPE_DEVICE void run_unit(const KernelParams& p, Token token, std::uint32_t of_shared, std::int32_t group_index,
                             std::int32_t unit) {
  constexpr int heads = V::heads_per_thread;
  // Where a wave rotates some heads and copies others, all lanes store together, not those that copy after those that
  // rotate (GPT-NeoX-20B out of place, 16384 tokens: 0.93 instead of 0.85 of touch). More than 64 bytes a thread would
  // fill registers until then: 108 instead of 90.
  constexpr bool stores_together = copies && heads * V::vectors * V::bytes <= 64;
  const HeadGroup<V, tensors> group(p, group_index);
  const bool turns = !copies || unit < p.rotate_units;
  // Of Q and K one may be in place: of that one, what passes through is not read either.
  if (!turns && (group.of_k ? p.k.in.data == p.k.out.data : p.q.in.data == p.q.out.data)) return;
  const UnitPlace<V> at = turns ? place_unit<V>(p, unit) : place_copied_unit<V>(p, unit - p.rotate_units);
  const HeadRow in = find_heads<V, tensors>(p.q.in, p.k.in, token, group);
  const UnitAxes<V> axes = load_unit_axes<V>(p, at.pair);
  Ids<V::axes> ids = find_ids<V>(p, token);
  float cos_sin[2 * V::pairs];
  // Positions rarely change between launches: with those seen now the angles are read before or during the wait.
  Rows<V::axes> guess{};
  if constexpr (works_ahead(V::angles)) {
    if (p.ahead >= Ahead::lines) prefetch_heads<V>(in, at.in, group.last, p.ahead == Ahead::heads && unit == 0);
    if (p.ahead != Ahead::nothing) {
      std::int64_t seen[V::axes];
      if (shares_ids<V>(p)) {
        take_ids<V::axes>(of_shared, ids, seen);
      } else {
        read_positions<V, false>(p, token, ids, seen);
      }
      guess = find_rows(p, seen);
      if (turns && guess.in_table) load_unit_angles<V, true>(p, guess, at.pair, axes, cos_sin);
    }
  }
  HeadRow out = in;
  if constexpr (prepares_ahead(V::angles)) out = find_out<V, tensors, copies>(p, token, group, in);
  wait_for_launch_before();

  // The angles wait for the position, so it is asked for before the tensor; as a rule behind it where it only confirms
  // a guess.
  constexpr bool position_first = !works_ahead(V::angles) || V::asks_ids_first;
  std::int64_t position[V::axes];
  if constexpr (position_first) read_positions<V, true>(p, token, ids, position);
  std::uint32_t vectors[heads][V::vectors][V::words];
  load_heads<V>(in, at.in, group.last, vectors);
  if constexpr (!position_first) read_positions<V, true>(p, token, ids, position);
  bool stays = false;
  if (turns && !are_of(position, guess)) {
    const Rows<V::axes> rows = find_rows(p, position);
    stays = !rows.in_table;
    if (!stays) load_unit_angles<V, false>(p, rows, at.pair, axes, cos_sin);
  }
  if constexpr (!prepares_ahead(V::angles)) out = find_out<V, tensors, copies>(p, token, group, in);
  if (stays) {
    if (group_index == 0 && unit == 0) count_refused(p, token);
    if (out.data != in.data) store_heads<V>(out, at.in, group.last, vectors);
    return;
  }
  const float sin_sign = prepares_ahead(V::angles) ? 1.0F : p.sin_sign;
  if constexpr (stores_together) {
    if (turns) {
      HIPROPE_UNROLL
      for (int i = 0; i < heads; ++i) rotate_unit<V>(cos_sin, sin_sign, vectors[i]);
    }
    store_heads<V>(out, at.out, group.last, vectors);
  } else if (turns) {
    HIPROPE_UNROLL
    for (int i = 0; i < heads; ++i) {
      if (i != 0 && i > group.last) break;
      rotate_unit<V>(cos_sin, sin_sign, vectors[i]);
      store_unit<V>(out.data + i * out.step, at.out, vectors[i]);
    }
  } else {
    store_heads<V>(out, at.out, group.last, vectors);
  }
}

// Thread `thread` of block `block` of chunk `chunk`; nearly every launch has one chunk.
template <typename V, int tensors>
HIPROPE_DEVICE void run_thread(const KernelParams& p, std::uint32_t block, std::uint32_t chunk, std::uint32_t thread) {
  if (!let_next_launch_begin()) return;  // no thread does
  const std::uint32_t first_item = block * static_cast<std::uint32_t>(p.block_threads);
  const std::int64_t chunk_first = chunk * p.chunk_tokens;
  std::uint32_t first_shared = 0;
  if (shares_ids<V>(p)) first_shared = share_ids<V>(p, chunk_first, first_item, thread);
  const std::uint32_t item = first_item + thread;
  const std::uint32_t row = divide(item, p.by_units);
  const std::uint32_t token_in_chunk = divide(row, p.by_head_groups);
  const Token token{chunk_first, token_in_chunk};
  if (token_in_chunk >= p.chunk_tokens || token.index() >= p.tokens) return;
  const auto group = static_cast<std::int32_t>(row - token_in_chunk * static_cast<std::uint32_t>(p.head_groups));
  const auto unit = static_cast<std::int32_t>(item - row * static_cast<std::uint32_t>(p.rotate_units + p.copy_units));
  if (p.copy_units == 0) {
    run_unit<V, tensors, false>(p, token, token_in_chunk - first_shared, group, unit);
  } else {
    run_unit<V, tensors, true>(p, token, token_in_chunk - first_shared, group, unit);
  }
}

}  // namespace hiprope
