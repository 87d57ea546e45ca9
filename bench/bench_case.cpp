// Models as they are measured, and the memory layout of their cases.
#include "bench/bench_case.h"

#include <array>

namespace hiprope::tools {
namespace {

constexpr std::int64_t kMaxPositions = 131072;
constexpr std::size_t kAlignment = 256;    // bytes
constexpr std::int64_t kAccessBytes = 16;  // of what reads a region

std::size_t aligned(std::int64_t bytes) {
  return (static_cast<std::size_t>(bytes) + kAlignment - 1) / kAlignment * kAlignment;
}

TensorView view_of(const TensorLayout& layout, const BenchCase& bench_case, std::byte* data) {
  return {data + layout.first * bench_case.element_bytes(),
          bench_case.type,
          bench_case.tokens,
          layout.heads,
          bench_case.model.config.head_dim,
          layout.row,
          layout.head_stride};
}

}  // namespace

Model measured_model(const Model& model) {
  Model measured = model;
  measured.config.max_positions = kMaxPositions;
  measured.config.scaling = Scaling();  // changes numbers of the table alone
  if (model.q.first > 0) return measured;
  const std::int64_t dim = model.config.head_dim, row = (model.q.heads + 2 * model.k.heads) * dim;
  measured.packed = true;
  measured.q = {model.q.heads, dim, 0, row};
  measured.k = {model.k.heads, dim, model.q.heads * dim, row};
  return measured;
}

void set_hidden_size(Model& model, std::int64_t hidden_size) {
  model.qkv_weights = model.qkv_weights * hidden_size / model.hidden_size;
  model.out_weights = model.out_weights * hidden_size / model.hidden_size;
  model.hidden_size = hidden_size;
}

void set_axes(RopeConfig& config, std::int32_t axes) {
  config.axes = axes;
  const std::int32_t pairs = (config.rotary_dim > 0 ? config.rotary_dim : config.head_dim - config.rotary_offset) / 2;
  std::int32_t left = pairs;
  for (std::int32_t axis = 0; axis < axes; ++axis) {
    const std::int32_t section = axes == 3 && axis == 0 ? pairs / 4 : left / (axes - axis);
    config.sections[static_cast<std::size_t>(axis)] = section;
    left -= section;
  }
}

std::size_t BenchCase::tensor_bytes() const {
  return static_cast<std::size_t>(tokens * (model.q.heads + model.k.heads) * head_elements() * element_bytes());
}

std::int64_t span_of(const hiprope_tensor& view) {
  if (view.tokens == 0 || view.heads == 0) return 0;
  return (view.tokens - 1) * view.token_stride + (view.heads - 1) * view.head_stride + view.head_dim;
}

BenchBuffers::BenchBuffers(const BenchCase& bench_case, void* arena)
    : arena_(static_cast<std::byte*>(arena)), out_of_place_(bench_case.out_of_place) {
  const Model& model = bench_case.model;
  const std::int64_t size = bench_case.element_bytes();
  q_ = view_of(model.q, bench_case, arena_);
  k_ = view_of(model.k, bench_case, arena_);
  if (model.packed) {
    input_bytes_ = aligned(bench_case.tokens * model.q.row * size);
  } else {
    const std::size_t q_bytes = aligned((model.q.first + span_of(q_)) * size);
    k_ = view_of(model.k, bench_case, arena_ + q_bytes);
    input_bytes_ = q_bytes + aligned((model.k.first + span_of(k_)) * size);
  }
  set_bytes_ = input_bytes_ * (out_of_place_ ? 2 : 1);
  region_ = {arena, 1, static_cast<std::int64_t>(input_bytes_), 0};
  const std::int64_t row = model.q.row * size, read = (model.q.heads + model.k.heads) * model.config.head_dim * size;
  if (model.packed && row % kAccessBytes == 0 && read % kAccessBytes == 0) {
    region_ = {arena, bench_case.tokens, read, row};
  }
}

void* BenchBuffers::place(std::int64_t set, bool of_outputs) const {
  return arena_ + static_cast<std::size_t>(set) * set_bytes_ + (of_outputs ? input_bytes_ : 0);
}

TensorView BenchBuffers::moved(TensorView view, std::int64_t set, bool of_outputs) const {
  view.data = static_cast<std::byte*>(view.data) + (static_cast<std::byte*>(place(set, of_outputs)) - arena_);
  return view;
}

Region BenchBuffers::region(std::int64_t set, bool rotated) const {
  Region found = region_;
  found.data = place(set, rotated && out_of_place_);
  return found;
}

const char* type_name(DataType type) {
  constexpr std::array<const char*, 3> names{"f32", "f16", "bf16"};
  return names[static_cast<std::size_t>(type)];
}

const char* positions_name(BenchPositions positions) {
  constexpr std::array<const char*, 5> names{"by_tokens", "random", "text", "image", "sequential"};
  return names[static_cast<std::size_t>(positions)];
}

}  // namespace hiprope::tools
