// What the CPU path asks of a vector target: rotate the heads of one token, given the token's row of the table.
#pragma once

#include <cstdint>

#include "cpu/rotate.h"

namespace hiprope::internal {

constexpr int kMaxAxes = 4;
constexpr std::int32_t kMaxVectorRotaryDim = 1024;

// Cos and sin of one token, filled by Kernels::prepare.
struct Row {
  std::int64_t position[kMaxAxes];
  // In an order of the kernels' own.
  alignas(64) float cos[kMaxVectorRotaryDim];
  alignas(64) float sin[kMaxVectorRotaryDim];
};

// Some heads of one token of one tensor. Strides in elements.
struct Heads {
  const void* in;  // element rotary_offset of the first head
  void* out;
  std::int64_t count;
  std::int64_t in_stride;
  std::int64_t out_stride;
};

struct Kernels {
  void (*prepare)(const HostCall& call, Row& row);
  void (*rotate)(const HostCall& call, const Row& row, const Heads& heads);
};

// Element of pair j's first half, counted from rotary_offset; its partner lies block/2 further.
inline std::int64_t first_element(std::int64_t j, std::int32_t block) {
  const std::int32_t half = block / 2;
  return (j / half) * block + j % half;
}

// Where the table has the cosine of pair j; its sine lies rotary_dim / 2 further.
inline const float* table_entry(const HostCall& call, const Row& row, std::int64_t j) {
  const int axis = call.axis_of_pair != nullptr ? call.axis_of_pair[j] : 0;
  return call.table + row.position[axis] * call.rotary_dim + j;
}

// One pair at a time; every call can take them, and all others must give their bits.
Kernels scalar_kernels();

// The best the processor offers; only for calls of which is_vectorizable holds.
Kernels vector_kernels();

inline bool is_vectorizable(const HostCall& call) {
  return call.rotary_dim <= kMaxVectorRotaryDim && call.block_out % call.block_in == 0;
}

// Threads worth waking for a call.
int choose_threads(const HostCall& call, const HostTensor* tensors, int tensor_count);

// rotate_on_host with the kernels and the number of threads given.
RefusedTokens rotate_with(const Kernels& kernels, int threads, const HostCall& call, const HostTensor* tensors,
                          int tensor_count);

}  // namespace hiprope::internal
