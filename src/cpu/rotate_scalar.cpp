// The CPU path's reference: one pair at a time, in the order of operations that every other path repeats.
#include <cmath>

#include "cpu/heads.h"
#include "cpu/numeric.h"

namespace hiprope::internal {
namespace {

template <typename Element>
void rotate_head(const HostCall& call, const Row& row, const Element* in, Element* out) {
  const std::int64_t pairs = call.rotary_dim / 2;
  for (std::int64_t j = 0; j < pairs; ++j) {
    const float* entry = table_entry(call, row, j);
    const float cos = entry[0];
    const float sin = entry[pairs] * call.sin_sign;
    const Element* read = in + first_element(j, call.block_in);
    Element* write = out + first_element(j, call.block_out);
    const float x = to_float(read[0]);
    const float y = to_float(read[call.block_in / 2]);
    write[0] = from_float<Element>(std::fma(x, cos, -(y * sin)));
    write[call.block_out / 2] = from_float<Element>(std::fma(y, cos, x * sin));
  }
}

template <typename Element>
void rotate_heads(const HostCall& call, const Row& row, const Heads& heads) {
  const auto* in = static_cast<const Element*>(heads.in);
  auto* out = static_cast<Element*>(heads.out);
  for (std::int64_t head = 0; head < heads.count; ++head) {
    rotate_head(call, row, in + head * heads.in_stride, out + head * heads.out_stride);
  }
}

void prepare(const HostCall& /*call*/, Row& /*row*/) {}

void rotate(const HostCall& call, const Row& row, const Heads& heads) {
  switch (call.data_type) {
    case hiprope_f16:
      return rotate_heads<Half>(call, row, heads);
    case hiprope_bf16:
      return rotate_heads<Bfloat>(call, row, heads);
    default:
      return rotate_heads<float>(call, row, heads);
  }
}

}  // namespace

Kernels scalar_kernels() {
  return {prepare, rotate};
}

}  // namespace hiprope::internal
