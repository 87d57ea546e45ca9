// The choice of a kernel and the packing of its parameters.
#include "launch.h"

#include <algorithm>
#include <bit>

#include "rope.h"
#include "status.h"
#include "tuning.h"

namespace hiprope::internal {

constexpr VariantRow kVariants[kVariantCount] = {
#define HIPROPE_VARIANT(element, pair_layout, bytes, heads, scope) \
  {#element "_" #pair_layout "_" #bytes "b_" #heads "h_" #scope,   \
   hiprope_##element,                                              \
   Layout::pair_layout,                                            \
   bytes,                                                          \
   heads,                                                          \
   Scope::scope},
#include "kernels/variants.inc"
#undef HIPROPE_VARIANT
};

namespace {

// The first kernel of accesses up to `bytes`, of heads up to `heads`, that can do such calls; there is always one.
int find_variant(std::int32_t data_type, Layout layout, std::int64_t bytes, std::int32_t heads, Scope scope) {
  int i = 0;
  const auto fits = [&](const VariantRow& row) {
    return row.data_type == data_type && row.layout == layout && row.access_bytes <= bytes && row.heads <= heads &&
           (row.scope == scope || row.scope == Scope::any);
  };
  while (!fits(kVariants[i])) ++i;
  return i;
}

// The widest access that every address and every stride is aligned to, and every part of a head, whose first elements
// are in the bits of `elements`.
std::int64_t access_bytes(const CheckedCall& call, std::int64_t elements) {
  std::uint64_t addresses = 16;
  for (int i = 0; i < call.tensors; ++i) {
    for (const hiprope_tensor* view : {&call.in[i], &call.out[i]}) {
      if (view->heads == 0) continue;
      addresses |= reinterpret_cast<std::uintptr_t>(view->data);
      elements |= view->token_stride | view->head_stride;
    }
  }
  const std::uint64_t bits = addresses | static_cast<std::uint64_t>(elements * element_bytes(call.in[0].data_type));
  return std::int64_t{1} << std::countr_zero(bits);
}

// The view from its token `first` on.
Heads heads_of(const hiprope_tensor& view, std::int64_t first) {
  const std::int64_t size = element_bytes(view.data_type);
  return {static_cast<char*>(view.data) + first * view.token_stride * size, view.token_stride * size,
          view.head_stride * size};
}

// Whether K's heads lie behind Q's as these lie behind each other, as in packed QKV.
bool follows(const hiprope_tensor& q, const hiprope_tensor& k) {
  return q.token_stride == k.token_stride && q.head_stride == k.head_stride &&
         static_cast<char*>(k.data) - static_cast<char*>(q.data) ==
             q.heads * q.head_stride * element_bytes(q.data_type);
}

constexpr std::int64_t divide_up(std::int64_t n, std::int64_t d) {
  return (n + d - 1) / d;
}

}  // namespace

hiprope_status cut_work(int variant, std::int32_t block_threads, std::int64_t tokens, std::int64_t most_blocks,
                        LaunchPlan& plan) {
  KernelParams& p = plan.params;
  const VariantRow& row = kVariants[variant];
  const std::int32_t vector = std::max(row.access_bytes / static_cast<std::int32_t>(element_bytes(row.data_type)), 2);
  const std::int64_t q_groups = divide_up(p.q_heads, row.heads);
  const std::int64_t rotate_tiles = tiles_of_pairs(vector, p.pairs, p.half);
  const std::int64_t tiles = rotate_tiles + divide_up(p.passed, 2 * vector);
  const std::int64_t items = (q_groups + divide_up(p.k_heads, row.heads)) * tiles;
  if (items > kMostIndex - kMaxBlockThreads) {
    return fail(hiprope_error_too_large, std::int64_t{p.q_heads} + p.k_heads, " heads give ", items,
                " work items a token, more than ", kMostIndex - kMaxBlockThreads);
  }
  // Blocks of many items have one token; those of few items have several.
  const std::int64_t block_items = std::min<std::int64_t>(items, block_threads);
  const std::int64_t block_tokens = std::max<std::int64_t>(block_threads / block_items, 1);
  const std::int64_t item_blocks = divide_up(items, block_items);
  const std::int64_t token_blocks = std::min(divide_up(tokens, block_tokens), most_blocks / item_blocks);
  const std::int64_t reached = std::min(tokens, token_blocks * block_tokens);
  plan.variant = variant;
  plan.blocks = static_cast<std::uint32_t>(token_blocks * item_blocks);
  plan.tokens_left = tokens - reached;
  p.by_item_blocks = make_divisor(static_cast<std::uint32_t>(item_blocks));
  p.by_tiles = make_divisor(static_cast<std::uint32_t>(tiles));
  p.by_half_tiles = make_divisor(static_cast<std::uint32_t>(divide_up(p.half, vector)));
  p.item_blocks = static_cast<std::uint32_t>(item_blocks);
  p.block_items = static_cast<std::uint32_t>(block_items);
  p.block_tokens = static_cast<std::uint32_t>(block_tokens);
  p.items = static_cast<std::uint32_t>(items);
  p.tokens = static_cast<std::uint32_t>(reached);
  p.tiles = static_cast<std::uint32_t>(tiles);
  p.q_groups = static_cast<std::uint32_t>(q_groups);
  p.rotate_tiles = static_cast<std::uint32_t>(rotate_tiles);
  return hiprope_ok;
}

hiprope_status plan_launch(const hiprope_rope& rope, const CheckedCall& call, std::int64_t first, LaunchPlan& plan) {
  const hiprope_config& config = rope.config;
  const hiprope_tensor& q = call.in[0];
  KernelParams& p = plan.params;
  p = {};
  p.q = heads_of(q, first);
  p.q_out = heads_of(call.out[0], first);
  p.q_heads = static_cast<std::int32_t>(q.heads);
  plan.tensors = call.tensors;
  if (call.tensors == 2 && follows(call.in[0], call.in[1]) && follows(call.out[0], call.out[1])) {
    plan.tensors = 1;  // packed: heads that a thread need not choose a tensor for
    p.q_heads += static_cast<std::int32_t>(call.in[1].heads);
  } else if (call.tensors == 2) {
    p.k = heads_of(call.in[1], first);
    p.k_out = heads_of(call.out[1], first);
    p.k_heads = static_cast<std::int32_t>(call.in[1].heads);
  }
  p.first_token = first;
  if (call.positions.ids != nullptr) p.ids_bytes = call.positions.type == hiprope_position_int64 ? 8 : 4;
  p.ids = static_cast<const char*>(call.positions.ids) + first * p.ids_bytes;
  p.start =
      static_cast<std::int64_t>(static_cast<std::uint64_t>(call.positions.start) + static_cast<std::uint64_t>(first));
  // Where all axes have the same positions, one is read.
  p.axes = call.positions.ids == nullptr ? 1 : call.positions.axes;
  p.axis_stride = call.positions.axis_stride * p.ids_bytes;
  p.max_positions = config.max_positions;
  p.table = rope.device_tables.table;
  p.axis_of_pair = rope.device_tables.axis_of_pair;
  p.out_of_range = rope.device_tables.out_of_range;
  p.pairs = config.rotary_dim / 2;
  p.half = rope.layout == Layout::half_split ? rope.block_in / 2 : p.pairs;
  p.rotary_offset = config.rotary_offset;
  p.in_place = call.in_place ? 1 : 0;
  p.passed = call.in_place ? 0 : config.head_dim - config.rotary_dim;
  p.sin_sign = call.direction == hiprope_inverse ? -1.0F : 1.0F;

  std::int64_t parts = p.rotary_offset | p.half;
  // What passes through begins and ends where the rotary part does, and at the head's ends.
  if (p.passed != 0) parts |= config.rotary_dim | config.head_dim;
  const std::int64_t bytes = access_bytes(call, parts);
  const std::int64_t head_bytes = std::int64_t{config.rotary_dim + p.passed} * element_bytes(q.data_type);
  const Scope scope = call.in_place && p.axes == 1 ? Scope::in_place : Scope::any;
  const Tuning tuning =
      choose_tuning(2 * q.tokens * (std::int64_t{p.q_heads} + p.k_heads) * head_bytes, rope.compute_units, rope.tuning);
  return cut_work(find_variant(q.data_type, rope.layout, bytes, tuning.accesses / 2, scope), tuning.block_threads,
                  q.tokens - first, kMostIndex / tuning.block_threads, plan);
}

}  // namespace hiprope::internal
