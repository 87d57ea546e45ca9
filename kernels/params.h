// The one argument of every kernel, filled by src/launch.cpp and read by the kernels.
#pragma once

#include <cstdint>

namespace hiprope {

// One tensor as it is read or written; element (t, h, d) is data[t * token_stride + h * head_stride + d]. Strides in
// elements, not negative.
struct Heads {
  void* data;
  std::int64_t token_stride;
  std::int64_t head_stride;
};

struct TensorParams {
  Heads in;
  Heads out;  // equals `in` when in place
};

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

// In which order rows of the table and of factors keep their entries, see entry_location.
struct TileShifts {
  std::int32_t table;
  std::int32_t factors;
};

// Where a row of angles keeps an entry of 16 bytes. The 2^tile_shift entries one thread reads lie apart, so that the
// threads of a head read neighbouring entries at a time. tile_shift 0 is the plain order. An entry of factors is a
// pair's.
constexpr std::int32_t entry_location(std::int32_t entry, std::int32_t entries, std::int32_t tile_shift) {
  return (entry & ((1 << tile_shift) - 1)) * (entries >> tile_shift) + (entry >> tile_shift);
}

// Whether rows of a table with several axes are dealt out as those with one are. On AMD they have the plain order,
// where the place of a unit is one product an axis and all else an offset of an access: dealt out, kernels of several
// axes were 5 to 23 % longer, gfx1102 had no registers left for some, and no card has shown what it would bring.
#if defined(__HIP__) || defined(HIPROPE_PLATFORM_AMD)
inline constexpr bool kDealsAxes = false;
#else
inline constexpr bool kDealsAxes = true;
#endif

// Where a table row keeps cos and sin of a pair, as an index of pairs: an entry has two. An odd count of pairs has
// tile_shift 0.
constexpr std::int32_t table_location(std::int32_t pair, std::int32_t pairs, std::int32_t tile_shift) {
  return 2 * entry_location(pair >> 1, pairs >> 1, tile_shift) + (pair & 1);
}

// A position is the sum of a fine part, the kFineBits bits of it from bit kFineShift on, and a coarse part, the others.
// Positions that follow each other differ in both: were the coarse part without low bits, all tokens that are on a card
// at once would read one row of it, from few places in the second-level cache (docs/design.md).
constexpr std::int32_t kFineShift = 3;
constexpr std::int32_t kFineBits = 8;
constexpr std::uint32_t kFineRows = 1U << kFineBits;
constexpr std::uint32_t kCoarseLow = (1U << kFineShift) - 1;  // bits of the coarse part below the fine one

constexpr std::uint32_t fine_row(std::uint32_t position) {
  return position >> kFineShift & (kFineRows - 1);
}

constexpr std::uint32_t fine_position(std::uint32_t row) {
  return row << kFineShift;
}

// Rows that the positions up to `last` have.
constexpr std::uint32_t fine_rows(std::uint32_t last) {
  const std::uint32_t rows = (last >> kFineShift) + 1;
  return rows < kFineRows ? rows : kFineRows;
}

constexpr std::uint32_t coarse_row(std::uint32_t position) {
  return position >> (kFineShift + kFineBits) << kFineShift | (position & kCoarseLow);
}

constexpr std::uint32_t coarse_position(std::uint32_t row) {
  return row >> kFineShift << (kFineShift + kFineBits) | (row & kCoarseLow);
}

constexpr std::uint32_t coarse_rows(std::uint32_t last) {
  return ((last >> (kFineShift + kFineBits)) + 1) << kFineShift;
}

// Where a kernel has cos and sin from: the table's rows of a token's one position (1a), of up to three (3a) or four
// (4a), or products of factors of one (1f), or of up to three that are equal, made ahead of the wait, else the table
// (3f). Factors stay in caches where every position has a row of the table to itself; that pays in large launches.
enum class AngleInput { of_1a, of_3a, of_4a, of_1f, of_3f };
constexpr int kAngleInputs = 5;

constexpr bool multiplies(AngleInput angles) {
  return angles == AngleInput::of_1f || angles == AngleInput::of_3f;
}

// What a thread does before it waits for the launch before: nothing; read the angles of its token's position as it
// stands; also ask the second-level cache for lines of the tensor, those that an access begins, and where heads lie
// apart those in which a head begins as well. Each includes those before it.
enum class Ahead : std::int32_t { nothing, angles, lines, heads };

// Positions of a token that a kernel reads.
constexpr int axes_of(AngleInput angles) {
  if (angles == AngleInput::of_4a) return 4;
  return angles == AngleInput::of_3a || angles == AngleInput::of_3f ? 3 : 1;
}

// A token's id on an axis as a thread of the block saw it before the wait, and where it lies: a block's shared memory
// has them as [token][axis]. Were all threads to read ids of their own then, they would queue for few lines of the
// second-level cache (docs/design.md).
struct SeenId {
  std::int64_t position;
  const char* address;
};

// Vectors of V elements that a unit has: pairs of two blocks lie in two, interleaved ones in one, which 1 element is
// not.
constexpr int vectors_of_unit(bool interleaved, std::int64_t elements) {
  return interleaved && elements > 1 ? 1 : 2;
}

// A head is cut into units, one thread's work each, of one or two vectors: rotate_units, and copy_units of pass-through
// elements (only out of place). Heads of a tensor are taken heads_per_thread at a time, Q's groups first, then K's; row
// = token * head_groups + group, item = row * (rotate_units + copy_units) + unit, so that a wave reads and writes whole
// heads.
struct KernelParams {
  TensorParams q;
  TensorParams k;
  const float* table;  // [max_positions][pairs][2]: cos, sin of pairs in the order of table_location
  // The table's factors, [rows][pairs][2] in the order of entry_location: a position's angles are the products of its
  // coarse_row and its fine_row. Null where no kernel of the Rope takes them.
  const double* coarse;
  const double* fine;
  const void* ids;           // [axes][tokens] int32 or int64; null, with one axis: token t has position start + t
  const std::uint8_t* axis;  // [pairs], which axis's position turns a pair; null where a Rope has one axis
  std::uint64_t* refused;    // [2]: tokens with a position outside the table; the smallest such token index
  std::int64_t start;
  std::int64_t max_positions;
  std::int64_t tokens;
  std::int64_t axis_bytes[3];  // from axis 0's ids to those of axes 1 to 3; axes beyond a call's repeat axis 0
  std::int64_t chunk_tokens;   // tokens * items per token stays below 2^31 within a chunk
  std::int32_t ids_bytes;      // 4 or 8
  std::int32_t q_heads;
  std::int32_t k_heads;
  std::int32_t q_groups;     // ceil(q_heads / heads_per_thread)
  std::int32_t head_groups;  // of q and k together
  std::int32_t rotate_units;
  std::int32_t copy_units;
  std::int32_t copied_vectors;  // of a head, that copy_units are made of
  std::int32_t pairs;           // R/2
  TileShifts tiles;
  std::int32_t half_block;  // half_split: pairs in one block; B/2
  std::int32_t rotary_offset;
  std::int32_t block_threads;
  std::int32_t in_place;  // 1: every `out` equals its `in`, strides too
  float sin_sign;         // +1 forward, -1 inverse
  Divisor by_units;       // rotate_units + copy_units
  Divisor by_head_groups;
  Divisor by_half_block_units;  // divides a unit index by the units of one half_split block
  Ahead ahead;
};

constexpr bool reads_ids_ahead(const KernelParams& p) {
  return p.ids != nullptr && p.ahead != Ahead::nothing;
}

}  // namespace hiprope
