// From a checked call to a launch: which kernel, how many blocks, and the parameters it gets.
#pragma once

#include <cstdint>

#include "check.h"
#include "hiprope/hiprope.h"
#include "kernels/params.h"

namespace hiprope::internal {

// Pair layouts that kernels exist for; the names are those of kernels/variants.inc.
enum class Layout : std::int32_t { half_split, interleaved, interleaved_to_half_split };

// A line of kernels/variants.inc.
struct VariantRow {
  const char* name;  // "bf16_half_split_16b_2h_1a": a kernel's symbol behind "rope_" or "position_embeddings_"
  std::int32_t data_type;
  Layout layout;
  std::int32_t access_bytes;
  std::int32_t heads_per_thread;
  AngleInput angles;
};
extern const VariantRow kVariants[];
extern const int kVariantCount;

// The kernels of one Rope: [AngleInput][data type][log2 of access bytes][log2 of heads a thread] is an index into
// kVariants, of the most heads that exist up to those asked for, or else the fewest. Where no kernel multiplies
// factors, or there are none, those of the table stand in.
struct VariantIndex {
  std::int16_t index[kAngleInputs][3][5][4];
  bool take_factors;  // some kernel does
};
VariantIndex index_variants(Layout layout, bool have_factors);

struct LaunchPlan {
  int variant;           // index into kVariants
  std::uint32_t blocks;  // of one chunk
  std::uint32_t chunks;
  std::uint32_t shared_bytes;  // of a block, if it shares ids: a SeenId for every axis of its tokens
  KernelParams params;
};

// What the work of a launch is cut from.
struct WorkShape {
  int variant;
  std::int64_t tokens;
  std::int64_t q_heads;
  std::int64_t k_heads;
  std::int64_t copied;  // pass-through bytes of a head that are to be copied
  std::int32_t pairs;
  std::int32_t half_block;  // half_split: pairs in one block
  std::int32_t block_threads;
  std::int64_t most_items;  // of one chunk
};
// Items of one chunk: with the last block's surplus threads an item's index stays below 2^31.
constexpr std::int64_t kMostItems = (std::int64_t{1} << 31) - 1024;

// Fills the plan's grid, its shared_bytes, for which params.ids and params.ahead are looked at, and those parameters
// that say which work is whose. hiprope_error_too_large when a token has too many heads for a chunk, or the tokens are
// too many chunks.
[[nodiscard]] hiprope_status cut_work(const WorkShape& shape, LaunchPlan& plan);

// Plans a launch of a call that is not empty. hiprope_error_too_large when a token has too many heads for a launch, or
// a launch too many tokens.
[[nodiscard]] hiprope_status plan_launch(const hiprope_rope& rope, const CheckedCall& call, LaunchPlan& plan);

}  // namespace hiprope::internal
