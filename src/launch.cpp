// The choice of a kernel and the packing of its parameters.
#include "launch.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>

#include "rope.h"
#include "status.h"
#include "tuning.h"

namespace hiprope::internal {

const VariantRow kVariants[] = {
#define HIPROPE_VARIANT(element, pair_layout, bytes, heads, angles) \
  {#element "_" #pair_layout "_" #bytes "b_" #heads "h_" #angles,   \
   hiprope_##element,                                               \
   Layout::pair_layout,                                             \
   bytes,                                                           \
   heads,                                                           \
   AngleInput::of_##angles},
#include "kernels/variants.inc"
#undef HIPROPE_VARIANT
};
const int kVariantCount = static_cast<int>(std::size(kVariants));

namespace {

constexpr std::int64_t kMaxAccessBytes = 16;
constexpr std::int64_t kMaxChunks = 65535;

// The widest access that every address and every number of elements in the bits of `elements` is aligned to, as well as
// the start of every head.
std::int64_t access_bytes(const CheckedCall& call, std::int64_t elements) {
  std::uint64_t addresses = 0;
  for (int i = 0; i < call.tensors; ++i) {
    for (const hiprope_tensor* view : {&call.in[i], &call.out[i]}) {
      if (view->heads == 0) continue;
      addresses |= reinterpret_cast<std::uintptr_t>(view->data);
      elements |= view->token_stride | view->head_stride;
    }
  }
  const std::uint64_t bits = addresses | static_cast<std::uint64_t>(elements * element_bytes(call.in[0].data_type)) |
                             static_cast<std::uint64_t>(kMaxAccessBytes);
  return std::int64_t{1} << std::countr_zero(bits);
}

// Whether of heads that lie apart the `elements` from `first` on begin or end within lines of the cache.
bool partial_lines(const CheckedCall& call, std::int64_t first, std::int64_t elements) {
  constexpr std::int64_t line_bytes = 128;  // NVIDIA's; no other card's choices ask
  return std::any_of(call.in, call.in + call.tensors, [&](const hiprope_tensor& view) {
    const std::int64_t stride = view.heads > 1 ? view.head_stride : view.token_stride;
    const std::int64_t bytes = (first | elements | stride) * element_bytes(view.data_type);
    return stride != elements && bytes % line_bytes != 0;
  });
}

int log2_of(std::int64_t power_of_two) {
  return std::countr_zero(static_cast<std::uint64_t>(power_of_two));
}

std::int64_t divide_up(std::int64_t n, std::int64_t d) {
  return (n + d - 1) / d;
}

TensorParams tensor_params(const hiprope_tensor& in, const hiprope_tensor& out) {
  return {{in.data, in.token_stride, in.head_stride}, {out.data, out.token_stride, out.head_stride}};
}

AngleInput angle_input(std::int32_t axes, AngleSource source) {
  if (axes > 3) return AngleInput::of_4a;
  const bool factors = source == AngleSource::factors;
  if (axes > 1) return factors ? AngleInput::of_3f : AngleInput::of_3a;
  return factors ? AngleInput::of_1f : AngleInput::of_1a;
}

}  // namespace

VariantIndex index_variants(Layout layout, bool have_factors) {
  VariantIndex variants;
  std::memset(&variants.index, -1, sizeof(variants.index));
  variants.take_factors = false;
  // Rows with more heads, and those of factors, come later and overwrite what others stood in for.
  const auto add = [&variants](AngleInput angles, int i) {
    const VariantRow& row = kVariants[i];
    auto& of_heads = variants.index[static_cast<int>(angles)][row.data_type][log2_of(row.access_bytes)];
    for (int heads = 0; heads < 4; ++heads) {
      if (of_heads[heads] < 0 || heads >= log2_of(row.heads_per_thread)) of_heads[heads] = static_cast<std::int16_t>(i);
    }
  };
  for (int i = 0; i < kVariantCount; ++i) {
    const AngleInput angles = kVariants[i].angles;
    if (kVariants[i].layout != layout || (multiplies(angles) && !have_factors)) continue;
    add(angles, i);
    if (angles == AngleInput::of_1a) add(AngleInput::of_1f, i);
    if (angles == AngleInput::of_3a) add(AngleInput::of_3f, i);
    if (multiplies(angles)) variants.take_factors = true;
  }
  return variants;
}

hiprope_status cut_work(const WorkShape& shape, LaunchPlan& plan) {
  const VariantRow& variant = kVariants[shape.variant];
  const std::int64_t vector = variant.access_bytes / element_bytes(variant.data_type);
  const std::int64_t vectors = vectors_of_unit(variant.layout == Layout::interleaved, vector);
  const std::int64_t rotate_units = 2 * shape.pairs / (vectors * vector);
  const std::int64_t copied_vectors = shape.copied / variant.access_bytes;
  const std::int64_t copy_units = divide_up(copied_vectors, vectors);
  const std::int64_t units = rotate_units + copy_units;
  const std::int64_t q_groups = divide_up(shape.q_heads, variant.heads_per_thread);
  const std::int64_t head_groups = q_groups + divide_up(shape.k_heads, variant.heads_per_thread);
  const std::int64_t items_per_token = head_groups * units;
  const std::int64_t chunk_tokens = std::min(shape.tokens, shape.most_items / items_per_token);
  if (chunk_tokens < 1) {
    return fail(hiprope_error_too_large, shape.q_heads + shape.k_heads, " heads give ", items_per_token,
                " work items a token, more than ", shape.most_items);
  }
  const std::int64_t chunks = divide_up(shape.tokens, chunk_tokens);
  if (chunks > kMaxChunks) {
    return fail(hiprope_error_too_large, shape.tokens, " tokens of ", items_per_token,
                " work items each exceed one launch");
  }
  plan.variant = shape.variant;
  plan.blocks = static_cast<std::uint32_t>(divide_up(chunk_tokens * items_per_token, shape.block_threads));
  plan.chunks = static_cast<std::uint32_t>(chunks);
  KernelParams& p = plan.params;
  plan.shared_bytes = 0;
  if (!multiplies(variant.angles) && reads_ids_ahead(p)) {
    const std::int64_t tokens_of_block = divide_up(shape.block_threads - 1, items_per_token) + 1;
    const std::int64_t ids = tokens_of_block * axes_of(variant.angles);
    plan.shared_bytes = static_cast<std::uint32_t>(ids * static_cast<std::int64_t>(sizeof(SeenId)));
  }
  p.tokens = shape.tokens;
  p.chunk_tokens = chunk_tokens;
  p.q_heads = static_cast<std::int32_t>(shape.q_heads);
  p.k_heads = static_cast<std::int32_t>(shape.k_heads);
  p.q_groups = static_cast<std::int32_t>(q_groups);
  p.head_groups = static_cast<std::int32_t>(head_groups);
  p.rotate_units = static_cast<std::int32_t>(rotate_units);
  p.copy_units = static_cast<std::int32_t>(copy_units);
  p.copied_vectors = static_cast<std::int32_t>(copied_vectors);
  p.pairs = shape.pairs;
  p.half_block = shape.half_block;
  p.block_threads = shape.block_threads;
  p.by_units = make_divisor(static_cast<std::uint32_t>(units));
  p.by_head_groups = make_divisor(static_cast<std::uint32_t>(head_groups));
  p.by_half_block_units =
      make_divisor(static_cast<std::uint32_t>(std::max<std::int64_t>(shape.half_block / vector, 1)));
  return hiprope_ok;
}

hiprope_status plan_launch(const hiprope_rope& rope, const CheckedCall& call, LaunchPlan& plan) {
  const hiprope_config& config = rope.config;
  const hiprope_tensor& q = call.in[0];
  const std::int64_t k_heads = call.tensors == 2 ? call.in[1].heads : 0;
  const std::int64_t size = element_bytes(q.data_type);
  const std::int32_t pairs = config.rotary_dim / 2;
  const std::int32_t half_block = rope.layout == Layout::half_split ? rope.block_in / 2 : pairs;
  const std::int64_t passed = call.in_place ? 0 : config.head_dim - config.rotary_dim;
  std::int64_t parts = config.rotary_offset | (rope.layout == Layout::interleaved ? config.rotary_dim : half_block);
  // Pass-through elements begin and end where the rotary part does, and at the head's ends.
  if (passed != 0) parts |= config.rotary_dim | config.head_dim;
  const std::int64_t bytes = access_bytes(call, parts);
  // Where all axes have the same positions, a Rope of several is one of one.
  const std::int32_t axes = call.positions.ids == nullptr ? 1 : call.positions.axes;

  const bool partial = partial_lines(call, passed == 0 ? config.rotary_offset : 0, config.rotary_dim + passed);
  const Tuning tuning =
      choose_tuning(rope, {.access_bytes = bytes,
                           .layout = rope.layout,
                           .rotary_bytes = config.rotary_dim * size,
                           .axes = axes,
                           .copies = passed != 0,
                           .partial_lines = partial,
                           .accesses = q.tokens * (q.heads + k_heads) * ((config.rotary_dim + passed) * size / bytes)});
  std::int64_t thread_heads =
      tuning.accesses_per_thread / vectors_of_unit(rope.layout == Layout::interleaved, bytes / size);
  // Heads that a group lacks are waited for like others, but smaller groups cost more (H200, 8 and 1 interleaved heads,
  // 65536 tokens: 0.91 of touch by 8 heads, 0.74 by 2). So only those that no tensor fills to more than half are.
  const std::int64_t most_heads = std::max(q.heads, k_heads);
  while (rope.tuning.accesses_per_thread == 0 && thread_heads >= 2 * most_heads) thread_heads /= 2;
  KernelParams& p = plan.params;
  p = {};
  p.q = tensor_params(q, call.out[0]);
  p.k = call.tensors == 2 ? tensor_params(call.in[1], call.out[1]) : TensorParams{};
  p.table = rope.device_tables.table;
  p.coarse = rope.device_tables.coarse;
  p.fine = rope.device_tables.fine;
  p.ids = call.positions.ids;
  p.axis = rope.device_tables.axis_of_pair;
  p.refused = rope.device_tables.refused;
  p.start = call.positions.start;
  p.max_positions = config.max_positions;
  p.ids_bytes = call.positions.type == hiprope_position_int64 ? 8 : 4;
  for (int axis = 1; axis < axes; ++axis) p.axis_bytes[axis - 1] = axis * call.positions.axis_stride * p.ids_bytes;
  p.tiles = rope.tiles;
  p.ahead = tuning.ahead == Ahead::lines && partial ? Ahead::heads : tuning.ahead;
  p.rotary_offset = config.rotary_offset;
  p.in_place = call.in_place ? 1 : 0;
  p.sin_sign = call.direction == hiprope_inverse ? -1.0F : 1.0F;
  const auto& of_bytes =
      rope.variants.index[static_cast<int>(angle_input(axes, tuning.angles))][q.data_type][log2_of(bytes)];
  return cut_work({.variant = of_bytes[log2_of(thread_heads)],
                   .tokens = q.tokens,
                   .q_heads = q.heads,
                   .k_heads = k_heads,
                   .copied = passed * size,
                   .pairs = pairs,
                   .half_block = half_block,
                   .block_threads = tuning.block_threads,
                   .most_items = kMostItems},
                  plan);
}

}  // namespace hiprope::internal
