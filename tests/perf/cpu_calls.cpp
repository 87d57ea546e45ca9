// Makes one call of the CPU path for each case and has callgrind write what it took under the case's name.
#include <hwy/targets.h>
#include <valgrind/callgrind.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "cpu/heads.h"

namespace {

using hiprope::internal::HostCall;
using hiprope::internal::HostTensor;

struct Shape {
  const char* name;
  int q_heads, k_heads, head_dim, rotary_dim, block_in, block_out, axes;
};

constexpr Shape kShapes[] = {
    {"half_split_128", 32, 8, 128, 128, 128, 128, 1},
    {"interleaved_64", 32, 2, 128, 64, 2, 2, 1},
    {"half_split_24", 64, 64, 96, 24, 24, 24, 1},
    {"interleaved_to_half_split_64", 128, 1, 64, 64, 2, 64, 1},
    {"three_axes_half_split_128", 32, 8, 128, 128, 128, 128, 3},
};

struct DataType {
  const char* name;
  std::int32_t value;
};

constexpr DataType kDataTypes[] = {{"f32", hiprope_f32}, {"f16", hiprope_f16}, {"bf16", hiprope_bf16}};
constexpr std::int64_t kTokens = 16;

void count_call(const Shape& shape, const DataType& type) {
  const auto table_size = static_cast<std::size_t>(kTokens * shape.rotary_dim);
  const std::vector<float> table(table_size, 0.5F);
  std::vector<std::uint8_t> axis_of_pair;
  for (int j = 0; j < shape.rotary_dim / 2; ++j) axis_of_pair.push_back(static_cast<std::uint8_t>(j % shape.axes));
  HostCall call;
  call.data_type = type.value;
  call.head_dim = shape.head_dim;
  call.rotary_dim = shape.rotary_dim;
  call.block_in = shape.block_in;
  call.block_out = shape.block_out;
  call.table = table.data();
  call.axis_of_pair = shape.axes > 1 ? axis_of_pair.data() : nullptr;
  call.axes = shape.axes;
  call.max_positions = call.tokens = kTokens;
  const bool in_place = shape.block_in == shape.block_out;
  std::vector<std::vector<float>> memory;  // large enough for any type
  const auto tensor_of = [&](std::int64_t heads) {
    const auto size = static_cast<std::size_t>(kTokens * heads * shape.head_dim);
    memory.emplace_back(size, 0.0F);
    void* const in = memory.back().data();
    if (!in_place) memory.emplace_back(size, 0.0F);
    const std::int64_t token_stride = heads * shape.head_dim;
    return HostTensor{in, memory.back().data(), heads, token_stride, shape.head_dim, token_stride, shape.head_dim};
  };
  const HostTensor tensors[2] = {tensor_of(shape.q_heads), tensor_of(shape.k_heads)};
  const std::string name = std::string(shape.name) + "/" + type.name;
  CALLGRIND_ZERO_STATS;
  rotate_with(hiprope::internal::vector_kernels(), 1, call, tensors, 2);
  CALLGRIND_DUMP_STATS_AT(name.c_str());
}

}  // namespace

int main() {
  if ((hwy::SupportedTargets() & HWY_AVX2) == 0) {
    std::fputs("this processor has no AVX2, for which the counts are stored\n", stderr);
    return 77;
  }
  hwy::GetChosenTarget().Update(HWY_AVX2);  // valgrind knows no AVX-512
  for (const Shape& shape : kShapes) {
    for (const DataType& type : kDataTypes) {
      count_call(shape, type);
    }
  }
}
