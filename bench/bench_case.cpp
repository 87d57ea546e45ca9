// Shapes and memory layout of the benchmark's cases.
#include "bench/bench_case.h"

#include <array>

namespace hiprope::tools {
namespace {

constexpr std::int64_t kMaxPositions = 131072;
constexpr std::size_t kTensorAlignment = 256;  // bytes

std::size_t aligned(std::int64_t bytes) {
  return (static_cast<std::size_t>(bytes) + kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment;
}

BenchShape make_shape(const char* name, std::int64_t heads, std::int64_t kv_heads, std::int32_t head_dim,
                      std::int32_t rotary_dim, Pairing pairing, std::int64_t head_stride) {
  BenchShape shape{name, heads, kv_heads, 0, head_stride, {}};
  shape.config.head_dim = head_dim;
  shape.config.rotary_dim = rotary_dim;
  shape.config.pairing = pairing;
  shape.config.max_positions = kMaxPositions;
  return shape;
}

}  // namespace

const std::vector<BenchShape>& bench_shapes() {
  static const std::vector<BenchShape> shapes{
#define HIPROPE_SHAPE(name, heads, kv_heads, head_dim, rotary_dim, pairing, head_stride) \
  make_shape(name, heads, kv_heads, head_dim, rotary_dim, Pairing::pairing, head_stride),
#include "bench/shapes.inc"
#undef HIPROPE_SHAPE
  };
  return shapes;
}

std::size_t BenchCase::tensor_bytes() const {
  return static_cast<std::size_t>(tokens * (shape.heads + shape.kv_heads) * head_elements() * element_bytes());
}

std::int64_t span_of(const hiprope_tensor& view) {
  if (view.tokens == 0 || view.heads == 0) return 0;
  return (view.tokens - 1) * view.token_stride + (view.heads - 1) * view.head_stride + view.head_dim;
}

BenchSets::BenchSets(const BenchCase& bench_case, void* arena) : out_of_place_(bench_case.out_of_place) {
  const BenchShape& shape = bench_case.shape;
  const std::int32_t dim = shape.config.head_dim;
  const std::int64_t head_stride = shape.head_stride > 0 ? shape.head_stride : dim;
  const std::int64_t token_stride = shape.token_stride > 0 ? shape.token_stride : shape.heads * head_stride;
  q_view_ = TensorView(arena, bench_case.type, bench_case.tokens, shape.heads, dim, token_stride, head_stride);
  k_view_ = TensorView::thd(arena, bench_case.type, bench_case.tokens, shape.kv_heads, dim);
  q_bytes_ = aligned(span_of(q_view_) * bench_case.element_bytes());
  k_bytes_ = aligned(span_of(k_view_) * bench_case.element_bytes());
  set_bytes_ = (q_bytes_ + k_bytes_) * (out_of_place_ ? 2 : 1);
}

TensorView BenchSets::view(std::int64_t set, std::size_t offset, bool of_k) const {
  TensorView moved = of_k ? k_view_ : q_view_;
  moved.data = static_cast<std::byte*>(moved.data) + static_cast<std::size_t>(set) * set_bytes_ + offset;
  return moved;
}

const char* type_name(DataType type) {
  constexpr std::array<const char*, 3> names{"f32", "f16", "bf16"};
  return names[static_cast<std::size_t>(type)];
}

}  // namespace hiprope::tools
