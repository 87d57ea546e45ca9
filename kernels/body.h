// The work of one thread: ask for a tile and its token's position, then for cos and sin, rotate, store.
#pragma once

#include "device.h"
#include "numeric.h"
#include "params.h"

namespace hiprope {

// A line of variants.inc as a type.
template <typename ElementType, Layout pair_layout, int access_bytes, int heads_a_thread, Scope calls>
struct Variant {
  using Element = ElementType;
  static constexpr Layout layout = pair_layout;
  static constexpr int bytes = access_bytes;
  static constexpr int heads = heads_a_thread;
  static constexpr bool in_place = calls == Scope::in_place;
  static constexpr int axes = in_place ? 1 : kMaxAxes;
  static constexpr int access = bytes / Element::bytes;      // elements of one access
  static constexpr int vector = access < 2 ? 2 : access;     // elements of a vector
  static constexpr bool whole = vector == access;            // every vector has all its elements
  static constexpr int words = vector * Element::bytes / 4;  // of a vector
  // Pairs whose cos are loaded together, at most 16 bytes: those of one access of the tensor.
  static constexpr int access_pairs = layout == Layout::interleaved ? (access + 1) / 2 : access;
  static constexpr int angles = access_pairs < 4 ? access_pairs : 4;
};

template <typename V>
HIPROPE_DEVICE void load_vector(const char* from, std::int32_t count, std::uint32_t (&words)[V::words]) {
  HIPROPE_UNROLL
  for (int i = 0; i < V::vector; i += V::access) {
    if (!V::whole && i >= count) continue;
    if constexpr (V::bytes == 2) {
      words[i / 2] |= std::uint32_t{load<std::uint16_t>(from + 2 * i)} << (16 * (i % 2));
    } else {
      load_words<V::bytes>(from + i * V::Element::bytes, words + i * V::Element::bytes / 4);
    }
  }
}

template <typename V>
HIPROPE_DEVICE void store_vector(char* to, std::int32_t count, const std::uint32_t (&words)[V::words]) {
  HIPROPE_UNROLL
  for (int i = 0; i < V::vector; i += V::access) {
    if (!V::whole && i >= count) continue;
    if constexpr (V::bytes == 2) {
      store(to + 2 * i, static_cast<std::uint16_t>(words[i / 2] >> (16 * (i % 2))));
    } else {
      store_words<V::bytes>(to + i * V::Element::bytes, words + i * V::Element::bytes / 4);
    }
  }
}

// The pair whose angle is the j-th of a tile: interleaved, each of its vectors has half of them.
template <typename V>
HIPROPE_DEVICE std::int32_t pair_of(const TilePlace& at, int j) {
  if (V::layout != Layout::interleaved || j < V::vector / 2) return at.pair[0] + j;
  return at.pair[1] + j - V::vector / 2;
}

// One behind the last pair that a tile can have.
template <typename V>
HIPROPE_DEVICE std::int32_t end_of_pairs(const KernelParams& p, const TilePlace& at) {
  return V::layout == Layout::half_split ? at.pair[0] + at.in_count[0] : p.pairs;
}

// A position in the table is below 2^31, so that one multiplication of 32 bits finds its row.
HIPROPE_DEVICE const float* row_of(const KernelParams& p, std::int64_t position) {
  return p.table + std::uint64_t{static_cast<std::uint32_t>(position)} * static_cast<std::uint32_t>(2 * p.pairs);
}

// cos and sin of a tile's pairs, those of its first vector first, from one row of the table.
template <typename V>
HIPROPE_DEVICE void load_angles(const KernelParams& p, const float* row, const TilePlace& at, float (&cos)[V::vector],
                                float (&sin)[V::vector]) {
  HIPROPE_UNROLL
  for (int j = 0; j < V::vector; j += V::angles) {
    const std::int32_t pair = pair_of<V>(at, j);
    if (!V::whole && pair >= end_of_pairs<V>(p, at)) continue;
    load_words<4 * V::angles>(row + pair, cos + j);
    load_words<4 * V::angles>(row + p.pairs + pair, sin + j);
  }
}

// By value, since a choice between elements of an array may put the array into memory.
HIPROPE_DEVICE std::int64_t either(bool first, std::int64_t a, std::int64_t b) {
  return first ? a : b;
}

// The same where each pair has an axis of its own.
template <typename V>
HIPROPE_DEVICE void load_angles_of_axes(const KernelParams& p, const std::int64_t (&position)[V::axes],
                                        const TilePlace& at, float (&cos)[V::vector], float (&sin)[V::vector]) {
  HIPROPE_UNROLL
  for (int j = 0; j < V::vector; ++j) {
    const std::int32_t pair = pair_of<V>(at, j);
    if (!V::whole && pair >= end_of_pairs<V>(p, at)) continue;
    const std::uint32_t axis = load<std::uint8_t>(p.axis_of_pair + pair);
    const std::int64_t even = either((axis & 2U) != 0, position[2], position[0]);
    const std::int64_t odd = either((axis & 2U) != 0, position[3], position[1]);
    const float* const row = row_of(p, either((axis & 1U) != 0, odd, even)) + pair;
    load_words<4>(row, cos + j);
    load_words<4>(row + p.pairs, sin + j);
  }
}

// A token's positions on its axes as they lie in memory, zeros above an id of 4 bytes: extending it would wait for it.
// Axes that the token has not stay 0.
template <typename V>
HIPROPE_DEVICE void load_positions(const KernelParams& p, std::uint32_t token, std::int64_t (&position)[V::axes]) {
  if (p.ids_bytes == 0) {
    position[0] = static_cast<std::int64_t>(static_cast<std::uint64_t>(p.start) + token);
    return;
  }
  HIPROPE_UNROLL
  for (int axis = 0; axis < V::axes; ++axis) {
    if (axis > 0 && axis >= p.axes) break;
    const char* const id = p.ids + std::uint64_t{token} * p.ids_bytes + axis * p.axis_stride;
    position[axis] = p.ids_bytes == 8 ? load<std::int64_t>(id) : load<std::uint32_t>(id);
  }
}

// Loads the angles of a tile; says whether the token's positions are in the table. Those of row 0 stand in for others,
// so that no load waits for a branch.
template <typename V>
HIPROPE_DEVICE bool find_angles(const KernelParams& p, std::int64_t (&position)[V::axes], const TilePlace& at,
                                float (&cos)[V::vector], float (&sin)[V::vector]) {
  bool inside = true, one = true;
  HIPROPE_UNROLL
  for (int axis = 0; axis < V::axes; ++axis) {
    if (p.ids_bytes == 4) position[axis] = static_cast<std::int32_t>(position[axis]);
    inside = inside && static_cast<std::uint64_t>(position[axis]) < static_cast<std::uint64_t>(p.max_positions);
    one = one && (axis >= p.axes || position[axis] == position[0]);
  }
  HIPROPE_UNROLL
  for (int axis = 0; axis < V::axes; ++axis) position[axis] = inside ? position[axis] : 0;
  if constexpr (V::axes > 1) {
    if (!one) {
      load_angles_of_axes<V>(p, position, at, cos, sin);
      return inside;
    }
  }
  load_angles<V>(p, row_of(p, position[0]), at, cos, sin);
  HIPROPE_UNROLL
  for (int j = 0; j < V::vector; ++j) keep_load_here(cos[j]), keep_load_here(sin[j]);
  return inside;
}

// x' = x cos - y sin, y' = y cos + x sin: one product and one fused multiply-add each, rounded in this order.
HIPROPE_DEVICE void rotate_pair(float cos, float sin, float& x, float& y) {
  const float rotated = multiply_add(x, cos, -(y * sin));
  y = multiply_add(y, cos, x * sin);
  x = rotated;
}

// Turns the elements of a tile, and brings them to where their layout is written.
template <Layout layout, int vector>
HIPROPE_DEVICE void rotate_tile(const float (&cos)[vector], const float (&sin)[vector], float sin_sign,
                                float (&value)[2 * vector]) {
  HIPROPE_UNROLL
  for (int j = 0; j < vector; ++j) {
    float& x = value[layout == Layout::half_split ? j : 2 * j];
    float& y = value[layout == Layout::half_split ? vector + j : 2 * j + 1];
    rotate_pair(cos[j], sin[j] * sin_sign, x, y);
  }
  if constexpr (layout == Layout::interleaved_to_half_split) {
    float apart[2 * vector];
    HIPROPE_UNROLL
    for (int i = 0; i < 2 * vector; ++i) apart[i % 2 * vector + i / 2] = value[i];
    HIPROPE_UNROLL
    for (int i = 0; i < 2 * vector; ++i) value[i] = apart[i];
  }
}

// What a thread does: a tile of `heads` heads of a token, from `head` of Q, or of K, on. Heads that a last group lacks
// repeat the last and are not stored.
struct Work {
  std::uint32_t token, tile, head;
  std::int32_t heads_left;
  bool of_k;
};

HIPROPE_DEVICE bool has_head(const Work& work, int i) {
  return i == 0 || i < work.heads_left;
}

// The heads of a thread: the i-th begins at data + i * step.
struct HeadRun {
  char* data;
  std::int64_t step;
};

// Where they lie in the tensors of Q and K that are read, or written.
HIPROPE_DEVICE HeadRun find_heads(const Heads& q, const Heads& k, const Work& work) {
  const std::int64_t step = work.of_k ? k.head_stride : q.head_stride;
  const std::int64_t token_stride = work.of_k ? k.token_stride : q.token_stride;
  return {(work.of_k ? k.data : q.data) + std::uint64_t{work.token} * static_cast<std::uint64_t>(token_stride) +
              std::uint64_t{work.head} * static_cast<std::uint64_t>(step),
          step};
}

template <typename V>
HIPROPE_DEVICE void rotate_heads(const KernelParams& p, const Work& work, std::int64_t (&position)[V::axes]) {
  const TilePlace at = place_tile(V::layout, V::vector, p, static_cast<std::int32_t>(work.tile));
  const HeadRun in = find_heads(p.q, p.k, work);
  std::uint32_t words[V::heads][2][V::words] = {};
  HIPROPE_UNROLL
  for (int i = 0; i < V::heads; ++i) {
    const char* const head = in.data + (has_head(work, i) ? i : work.heads_left - 1) * in.step;
    HIPROPE_UNROLL
    for (int v = 0; v < 2; ++v) {
      load_vector<V>(head + at.in[v] * V::Element::bytes, at.in_count[v], words[i][v]);
    }
  }
  HIPROPE_UNROLL
  for (auto& head_words : words) {
    HIPROPE_UNROLL
    for (auto& vector_words : head_words) {
      HIPROPE_UNROLL
      for (std::uint32_t& word : vector_words) keep_load_here(word);
    }
  }
  float cos[V::vector] = {}, sin[V::vector] = {};
  const bool inside = find_angles<V>(p, position, at, cos, sin);
  if (!inside) {  // the token stays as it is, or is copied
    if (work.head == 0 && work.tile == 0 && (!work.of_k || p.q_heads == 0)) {
      atomic_add(p.out_of_range, 1);
      atomic_min(p.out_of_range + 1, static_cast<std::uint64_t>(p.first_token) + work.token);
    }
    if (V::in_place || p.in_place != 0) return;
  }
  const HeadRun out = V::in_place || p.in_place != 0 ? in : find_heads(p.q_out, p.k_out, work);
  HIPROPE_UNROLL
  for (int i = 0; i < V::heads; ++i) {
    if (!has_head(work, i)) break;
    if (V::in_place || inside) {
      float value[2 * V::vector];
      decode_vector<typename V::Element, V::vector>(words[i][0], value);
      decode_vector<typename V::Element, V::vector>(words[i][1], value + V::vector);
      rotate_tile<V::layout, V::vector>(cos, sin, p.sin_sign, value);
      encode_vector<typename V::Element, V::vector>(value, words[i][0]);
      encode_vector<typename V::Element, V::vector>(value + V::vector, words[i][1]);
    }
    HIPROPE_UNROLL
    for (int v = 0; v < 2; ++v) {
      char* const to = out.data + i * out.step + (inside ? at.out[v] : at.in[v]) * V::Element::bytes;
      store_vector<V>(to, inside ? at.out_count[v] : at.in_count[v], words[i][v]);
    }
  }
}

// Copies a tile of the elements before and behind the rotary part.
template <typename V>
HIPROPE_DEVICE void copy_heads(const KernelParams& p, const Work& work) {
  const HeadRun in = find_heads(p.q, p.k, work), out = find_heads(p.q_out, p.k_out, work);
  if (in.data == out.data) return;  // of Q and K one may be in place
  constexpr int accesses = 2 * V::vector / V::access;
  typename Access<V::bytes>::type value[accesses] = {};
  std::int32_t at[accesses];
  HIPROPE_UNROLL
  for (int i = 0; i < accesses; ++i) {
    const std::int32_t passed = (static_cast<std::int32_t>(work.tile - p.rotate_tiles) * accesses + i) * V::access;
    at[i] = (passed < p.rotary_offset ? passed : passed + 2 * p.pairs) * V::Element::bytes;
    if (passed >= p.passed) at[i] = -1;
  }
  HIPROPE_UNROLL
  for (int head = 0; head < V::heads; ++head) {
    if (!has_head(work, head)) break;
    HIPROPE_UNROLL
    for (int i = 0; i < accesses; ++i) {
      if (at[i] >= 0) value[i] = load<typename Access<V::bytes>::type>(in.data + head * in.step + at[i]);
    }
    HIPROPE_UNROLL
    for (int i = 0; i < accesses; ++i) {
      if (at[i] >= 0) store(out.data + head * out.step + at[i], value[i]);
    }
  }
}

template <typename V, int tensors>
HIPROPE_DEVICE void run_thread(const KernelParams& p, ThreadIndex thread) {
  load_now(p.q_heads), load_now(p.pairs);
  const std::uint32_t token_block = divide(thread.block, p.by_item_blocks);
  const std::uint32_t item = (thread.block - token_block * p.item_blocks) * p.block_items + thread.x;
  Work work{};
  work.token = token_block * p.block_tokens + thread.y;
  if (item >= p.items || work.token >= p.tokens) return;
  std::int64_t position[V::axes] = {};  // asked for first, since the angles wait for it
  load_positions<V>(p, work.token, position);
  const std::uint32_t group = divide(item, p.by_tiles);
  work.tile = item - group * p.tiles;
  work.of_k = tensors == 2 && group >= p.q_groups;
  work.head = (work.of_k ? group - p.q_groups : group) * V::heads;
  work.heads_left = (work.of_k ? p.k_heads : p.q_heads) - static_cast<std::int32_t>(work.head);
  if (V::in_place || work.tile < p.rotate_tiles) {
    rotate_heads<V>(p, work, position);
  } else {
    copy_heads<V>(p, work);
  }
}

}  // namespace hiprope
