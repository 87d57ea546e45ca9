// From a checked call to a launch: which kernel, how many blocks, and the parameters it gets.
#pragma once

#include <cstdint>

#include "check.h"
#include "hiprope/hiprope.h"
#include "kernels/params.h"

namespace hiprope::internal {

// A line of kernels/variants.inc.
struct VariantRow {
  const char* name;  // "bf16_half_split_16b_2h": a kernel's symbol behind "rope_" or "position_embeddings_"
  std::int32_t data_type;
  Layout layout;
  std::int32_t access_bytes;
  std::int32_t heads;  // that a thread rotates
  Scope scope;
};
enum : int {
#define HIPROPE_VARIANT(element, layout, bytes, heads, scope) \
  variant_##element##_##layout##_##bytes##b_##heads##h_##scope,
#include "kernels/variants.inc"
#undef HIPROPE_VARIANT
  kVariantCount
};
extern const VariantRow kVariants[kVariantCount];

struct LaunchPlan {
  int variant;  // index into kVariants
  int tensors;  // of the kernel: 1 rope, 2 position_embeddings
  std::uint32_t blocks;
  KernelParams params;
  std::int64_t tokens_left;  // that this launch does not reach
};

// The largest index of a block or of an item that a launch has.
constexpr std::int64_t kMostIndex = (std::int64_t{1} << 31) - 1;

// Cuts the work of `tokens` tokens with `plan.params`, whose tensors, pairs and passed elements are known, into groups,
// tiles and blocks of about `block_threads`, at most `most_blocks` of them; what is left goes to another launch.
// hiprope_error_too_large when a token has too many heads.
[[nodiscard]] hiprope_status cut_work(int variant, std::int32_t block_threads, std::int64_t tokens,
                                      std::int64_t most_blocks, LaunchPlan& plan);

// Plans a launch of a call that is not empty, from its token `first` on. hiprope_error_too_large as cut_work.
[[nodiscard]] hiprope_status plan_launch(const hiprope_rope& rope, const CheckedCall& call, std::int64_t first,
                                         LaunchPlan& plan);

}  // namespace hiprope::internal
