// The choice of a kernel and the packing of its parameters.
#include "launch.h"

#include <algorithm>
#include <bit>
#include <iterator>

#include "rope.h"
#include "status.h"
#include "tuning.h"

namespace hiprope::internal {

const VariantRow kVariants[] = {
#define HIPROPE_VARIANT(element, pair_layout, bytes, heads, axes)   \
  {#element "_" #pair_layout "_" #bytes "b_" #heads "h_" #axes "a", \
   hiprope_##element,                                               \
   Layout::pair_layout,                                             \
   bytes,                                                           \
   heads,                                                           \
   axes},
#include "kernels/variants.inc"
#undef HIPROPE_VARIANT
};
const int kVariantCount = static_cast<int>(std::size(kVariants));

namespace {

constexpr std::int64_t kMaxAccessBytes = 16;
constexpr std::int64_t kMaxChunks = 65535;
// Items of one chunk: with the last block's surplus threads an item's index stays below 2^31.
constexpr std::int64_t kMaxItems = (std::int64_t{1} << 31) - 1024;

// The widest access that every address and every number of elements in the bits of `elements` is aligned to, as well as
// the start of every head.
std::int64_t access_bytes(const CheckedCall& call, std::int64_t elements) {
  std::uint64_t addresses = 0;
  for (int i = 0; i < call.tensors; ++i) {
    for (const hiprope_tensor* view : {&call.in[i], &call.out[i]}) {
      if (view->heads == 0) continue;
      addresses |= reinterpret_cast<std::uintptr_t>(view->data);
      if (view->tokens > 1) elements |= view->token_stride;
      if (view->heads > 1) elements |= view->head_stride;
    }
  }
  const std::uint64_t bits = addresses | static_cast<std::uint64_t>(elements * element_bytes(call.in[0].data_type)) |
                             static_cast<std::uint64_t>(kMaxAccessBytes);
  return std::int64_t{1} << std::countr_zero(bits);
}

int log2_of(std::int64_t power_of_two) {
  return std::countr_zero(static_cast<std::uint64_t>(power_of_two));
}

TensorParams tensor_params(const hiprope_tensor& in, const hiprope_tensor& out) {
  return {{in.data, in.token_stride, in.head_stride}, {out.data, out.token_stride, out.head_stride}};
}

}  // namespace

VariantIndex index_variants(Layout layout, int axes) {
  VariantIndex variants = {};
  for (int i = 0; i < kVariantCount; ++i) {
    const VariantRow& row = kVariants[i];
    if (row.layout != layout || row.axes != (axes == 1 ? 1 : 4)) continue;
    // Rows with more heads come later and overwrite what a row with fewer stood in for.
    for (int heads = log2_of(row.heads_per_thread); heads < 3; ++heads) {
      variants.index[row.data_type][log2_of(row.access_bytes)][heads] = static_cast<std::int16_t>(i);
    }
  }
  return variants;
}

hiprope_status plan_launch(const hiprope_rope& rope, const CheckedCall& call, LaunchPlan& plan) {
  const hiprope_config& config = rope.config;
  const hiprope_tensor& q = call.in[0];
  const std::int64_t k_heads = call.tensors == 2 ? call.in[1].heads : 0;
  const std::int64_t heads = q.heads + k_heads;
  const std::int64_t size = element_bytes(q.data_type);
  const std::int32_t pairs = config.rotary_dim / 2;
  const std::int64_t passed = call.in_place ? 0 : config.head_dim - config.rotary_dim;
  // Pass-through elements begin and end where the rotary part does, and at the head's ends.
  const std::int64_t passed_parts = passed == 0 ? 0 : config.rotary_offset | config.rotary_dim | config.head_dim;
  const std::int32_t half_block = rope.layout == Layout::half_split ? rope.block_in / 2 : pairs;
  const std::int64_t bytes = access_bytes(call, config.rotary_offset | half_block | passed_parts);
  const std::int64_t copy_bytes = access_bytes(call, passed_parts) == kMaxAccessBytes ? kMaxAccessBytes : bytes;
  const std::int64_t vector = bytes / size;
  const std::int64_t rotate_units = pairs / vector;
  const std::int64_t copy_units = passed * size / copy_bytes;
  const std::int64_t units = rotate_units + copy_units;

  const Tuning tuning = choose_tuning(rope, bytes, q.tokens * heads * units);
  plan.variant = rope.variants.index[q.data_type][log2_of(bytes)][log2_of(tuning.heads_per_thread)];
  const std::int32_t heads_per_thread = kVariants[plan.variant].heads_per_thread;
  const std::int64_t head_groups = (heads + heads_per_thread - 1) / heads_per_thread;
  const std::int64_t items_per_token = head_groups * units;
  const std::int64_t tile_items = kTileRows * units;
  if (items_per_token > kMaxItems - tile_items) {
    return fail(hiprope_error_too_large, heads, " heads of head_dim ", config.head_dim, " give ", items_per_token,
                " work items a token, more than ", kMaxItems - tile_items);
  }
  const std::int64_t chunk_tokens = std::min(q.tokens, (kMaxItems - tile_items) / items_per_token);
  const std::int64_t chunks = (q.tokens + chunk_tokens - 1) / chunk_tokens;
  if (chunks > kMaxChunks) {
    return fail(hiprope_error_too_large, q.tokens, " tokens of ", items_per_token,
                " work items each exceed one launch");
  }
  const std::int64_t rows = chunk_tokens * head_groups;
  const std::int64_t tiles = (rows + kTileRows - 1) / kTileRows;
  const std::int64_t items = copy_units == 0 ? rows * rotate_units : tiles * tile_items;
  const std::int64_t block = tuning.block_threads;

  plan.blocks = static_cast<std::uint32_t>((items + block - 1) / block);
  plan.chunks = static_cast<std::uint32_t>(chunks);
  plan.params = {
      .q = tensor_params(q, call.out[0]),
      .k = call.tensors == 2 ? tensor_params(call.in[1], call.out[1]) : TensorParams{},
      .table = rope.device_tables.table,
      .ids = call.positions.ids,
      .axis = rope.device_tables.axis_of_pair,
      .refused = rope.device_tables.refused,
      .start = call.positions.start,
      .max_positions = config.max_positions,
      .tokens = q.tokens,
      .axis_stride = call.positions.axis_stride,
      .chunk_tokens = chunk_tokens,
      .axes = call.positions.ids == nullptr ? 1 : call.positions.axes,
      .ids_bytes = call.positions.type == hiprope_position_int64 ? 8 : 4,
      .q_heads = static_cast<std::int32_t>(q.heads),
      .heads = static_cast<std::int32_t>(heads),
      .head_groups = static_cast<std::int32_t>(head_groups),
      .rotate_units = static_cast<std::int32_t>(rotate_units),
      .copy_units = static_cast<std::int32_t>(copy_units),
      .copy_bytes = static_cast<std::int32_t>(copy_bytes),
      .pairs = pairs,
      .tile_shift = rope.tile_shift,
      .half_block = half_block,
      .rotary_offset = config.rotary_offset,
      .rotary_dim = config.rotary_dim,
      .block_threads = static_cast<std::int32_t>(block),
      .in_place = call.in_place ? 1 : 0,
      .sin_sign = call.direction == hiprope_inverse ? -1.0F : 1.0F,
      .by_rotate_units = make_divisor(static_cast<std::uint32_t>(rotate_units)),
      .by_copy_units = make_divisor(static_cast<std::uint32_t>(std::max<std::int64_t>(copy_units, 1))),
      .by_tile_items = make_divisor(static_cast<std::uint32_t>(tile_items)),
      .by_head_groups = make_divisor(static_cast<std::uint32_t>(head_groups)),
      .by_half_block_units = make_divisor(static_cast<std::uint32_t>(half_block / vector)),
  };
  return hiprope_ok;
}

}  // namespace hiprope::internal
