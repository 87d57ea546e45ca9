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
  std::int32_t axes;  // 1, or 4 for any number
};
extern const VariantRow kVariants[];
extern const int kVariantCount;

// The kernels of one Rope: [data type][log2 of access bytes][log2 of heads a thread] is an index into kVariants, of the
// most heads that exist up to those asked for.
struct VariantIndex {
  std::int16_t index[3][5][3];
};
VariantIndex index_variants(Layout layout, int axes);

struct LaunchPlan {
  int variant;           // index into kVariants
  std::uint32_t blocks;  // of one chunk
  std::uint32_t chunks;
  KernelParams params;
};

// hiprope_error_too_large when a token has too many heads for a launch, or a launch too many tokens.
[[nodiscard]] hiprope_status plan_launch(const hiprope_rope& rope, const CheckedCall& call, LaunchPlan& plan);

}  // namespace hiprope::internal
