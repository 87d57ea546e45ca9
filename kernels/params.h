// The one argument of every kernel, filled by src/launch.cpp, and how a head is cut into tiles.
#pragma once

#include <cstdint>

namespace hiprope {

// Which elements of a head form pairs, as read and as written.
enum class Layout : std::int32_t { half_split, interleaved, interleaved_to_half_split };

// Which calls a kernel can do: those in place that read one position a token, or any.
enum class Scope : std::int32_t { in_place, any };

constexpr int kMaxAxes = 4;  // positions of a token

// n / d for n < 2^31 as a multiplication (Granlund and Montgomery, PLDI 1994).
struct Divisor {
  std::uint32_t multiplier;  // ceil(2^shift / d)
  std::uint32_t shift;       // 31 + ceil(log2(d))
};

constexpr Divisor make_divisor(std::uint32_t d) {
  std::uint32_t shift = 31;
  while ((std::uint64_t{1} << (shift - 31)) < d) ++shift;
  return {static_cast<std::uint32_t>(((std::uint64_t{1} << shift) + d - 1) / d), shift};
}

constexpr std::uint32_t divide(std::uint32_t n, Divisor d) {
  return static_cast<std::uint32_t>((std::uint64_t{n} * d.multiplier) >> d.shift);
}

// One tensor as it is read or written: head h of token t begins at data + t * token_stride + h * head_stride. Strides
// in bytes, not negative.
struct Heads {
  char* data;
  std::int64_t token_stride;
  std::int64_t head_stride;
};

// A launch is tokens x items. An item is a tile of a head group, tiles the fastest: item = group * tiles + tile. A
// group is the heads of one thread; Q's groups come first, then K's. The first `rotate_tiles` tiles of a head turn its
// pairs, the others copy what passes through, out of place only. A block is block_items x block_tokens threads;
// `item_blocks` blocks have all items of their tokens.
struct KernelParams {
  Divisor by_item_blocks;
  Divisor by_tiles;
  std::uint32_t item_blocks;
  std::uint32_t block_items, block_tokens;
  std::uint32_t items;  // of a token
  std::uint32_t tokens;
  std::uint32_t tiles;  // of a head
  std::uint32_t q_groups;
  const char* ids;          // [axes][tokens] int32 or int64
  std::uint32_t ids_bytes;  // 4 or 8; 0: token t has position start + t
  std::int32_t axes;        // positions of a token that are read; 1: its one position turns every pair
  Heads q, k;
  std::uint32_t rotate_tiles;
  std::int32_t in_place;  // 1: what is written lies where it was read, of Q and K
  std::int32_t q_heads, k_heads;
  std::int32_t pairs;          // R/2
  std::int32_t half;           // half_split: pairs of one block, B/2; interleaved: R/2
  std::int32_t rotary_offset;  // first element that turns
  float sin_sign;              // +1 forward, -1 inverse
  Divisor by_half_tiles;       // half_split: tiles of one block
  std::int64_t max_positions;
  const float* table;  // [max_positions][2 * pairs]: cosines of all pairs, then sines
  std::int64_t start;
  std::int64_t axis_stride;          // bytes from one axis's ids to the next
  const std::uint8_t* axis_of_pair;  // [pairs]; null where a Rope has one axis
  std::uint64_t* out_of_range;       // [2]: tokens with a position outside the table; the smallest such token
  std::int64_t first_token;          // of the call, where it takes more than one launch
  Heads q_out, k_out;                // equal to q and k in place
  std::int32_t passed;               // elements of a head that are copied, 0 in place
};

constexpr std::int32_t divide_up(std::int32_t n, std::int32_t d) {
  return (n + d - 1) / d;
}

// A tile, the work of one thread in a head, is two vectors of `vector` elements, so as many pairs.
//
// Tiles that turn the pairs of a head: of each block of `half` pairs by itself.
constexpr std::int32_t tiles_of_pairs(std::int32_t vector, std::int32_t pairs, std::int32_t half) {
  return pairs / half * divide_up(half, vector);
}

// The two vectors of a tile. `count` is how many of a vector's elements there are, all or more but at the end of a
// part.
struct TilePlace {
  std::int32_t in[2], out[2];  // first element, from the head's start
  std::int32_t in_count[2], out_count[2];
  std::int32_t pair[2];  // first pair of each vector
};

// half_split: the x of some pairs, and their y, B/2 further. interleaved: some pairs, and as many behind the first
// vectors of all tiles, so that neighbouring threads access neighbouring memory. interleaved_to_half_split: pairs in a
// row, written as a vector of x and one of y.
constexpr TilePlace place_tile(Layout layout, std::int32_t vector, const KernelParams& p, std::int32_t tile) {
  TilePlace at{};
  if (layout == Layout::half_split) {
    const auto block = static_cast<std::int32_t>(divide(static_cast<std::uint32_t>(tile), p.by_half_tiles));
    const std::int32_t first = vector * (tile - block * divide_up(p.half, vector));
    at.pair[0] = at.pair[1] = block * p.half + first;
    at.in[0] = p.rotary_offset + 2 * block * p.half + first;
    at.in[1] = at.in[0] + p.half;
    at.in_count[0] = at.in_count[1] = p.half - first;
  } else {
    const bool apart = layout == Layout::interleaved;
    const std::int32_t second = apart ? vector * static_cast<std::int32_t>(p.rotate_tiles) : vector;
    const std::int32_t first = (apart ? 1 : 2) * vector * tile;
    at.pair[0] = first / 2;
    at.pair[1] = (first + second) / 2;
    at.in[0] = p.rotary_offset + first;
    at.in[1] = at.in[0] + second;
    at.in_count[0] = 2 * p.pairs - first;
    at.in_count[1] = at.in_count[0] - second;
  }
  at.out[0] = at.in[0], at.out[1] = at.in[1];
  at.out_count[0] = at.in_count[0], at.out_count[1] = at.in_count[1];
  if (layout == Layout::interleaved_to_half_split) {
    at.out[0] = p.rotary_offset + at.pair[0];
    at.out[1] = at.out[0] + p.pairs;
    at.out_count[0] = at.out_count[1] = p.pairs - at.pair[0];
  }
  return at;
}

}  // namespace hiprope
