// The one argument of every kernel, filled by src/launch.cpp and read by kernels/rotate.h.
#pragma once

#include <cstdint>

namespace hiprope {

// One tensor of a call; element (t, h, d) is in[t * in_token_stride + h * in_head_stride + d]. Strides in elements.
struct TensorParams {
  const void* in;
  void* out;  // equals `in` when in place
  std::int64_t in_token_stride;
  std::int64_t in_head_stride;
  std::int64_t out_token_stride;
  std::int64_t out_head_stride;
};

// n / d for n < 2^31 as (n * multiplier) >> shift; see make_divisor in src/launch.cpp.
struct Divisor {
  std::uint32_t multiplier;
  std::uint32_t shift;
};

// Where a table row keeps cos and sin of a pair, as an index of pairs. A row is a sequence of entries of two pairs, 16
// bytes, and the `tile` entries one thread reads lie apart, so that the threads of a head read neighbouring entries at
// a time: entry e lies at (e % tile) * (entries / tile) + e / tile, tile = 2^tile_shift. An odd count of pairs has
// tile_shift 0, which is the plain order.
constexpr std::int32_t table_location(std::int32_t pair, std::int32_t pairs, std::int32_t tile_shift) {
  const std::int32_t entry = pair >> 1;
  const std::int32_t entries_apart = pairs >> (1 + tile_shift);
  return 2 * ((entry & ((1 << tile_shift) - 1)) * entries_apart + (entry >> tile_shift)) + (pair & 1);
}

// A head is cut into units, one thread's work each: rotate_units of V pairs, then copy_units of V elements (only out of
// place). Heads are taken heads_per_thread at a time. item = (token * head_groups + group) * units + unit.
struct KernelParams {
  TensorParams q;
  TensorParams k;
  const float* table;        // [max_positions][pairs][2]: cos, sin of pairs in the order of table_location
  const void* ids;           // [axes][tokens] int32 or int64; null: token t has position start + t
  const std::uint8_t* axis;  // [pairs], which axis's position turns a pair; null: all axis 0
  std::uint64_t* refused;    // [2]: tokens with a position outside the table; the smallest such token index
  std::int64_t start;
  std::int64_t max_positions;
  std::int64_t tokens;
  std::int64_t axis_stride;   // ids from one axis to the next
  std::int64_t chunk_tokens;  // tokens * items per token stays below 2^31 within a chunk
  std::int32_t axes;
  std::int32_t ids_bytes;  // 4 or 8
  std::int32_t q_heads;
  std::int32_t heads;        // of q and k together
  std::int32_t head_groups;  // ceil(heads / heads_per_thread)
  std::int32_t units;        // rotate_units + copy_units
  std::int32_t rotate_units;
  std::int32_t pairs;       // R/2
  std::int32_t tile_shift;  // see table_location
  std::int32_t half_block;  // half_split: pairs in one block; B/2
  std::int32_t rotary_offset;
  std::int32_t rotary_dim;  // R
  std::int32_t block_threads;
  std::int32_t in_place;  // 1: every `out` equals its `in`, strides too
  float sin_sign;         // +1 forward, -1 inverse
  Divisor by_units;
  Divisor by_head_groups;
  Divisor by_half_block_units;  // divides a unit index by the units of one half_split block
};

}  // namespace hiprope
