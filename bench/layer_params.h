// The arguments of the kernels in layer.hip, filled by bench_gpu.cpp.
#pragma once

#include <cstdint>

#include "kernels/params.h"

namespace hiprope::tools {

constexpr std::uint32_t kAccessBytes = 16;  // of whatever counts accesses below

// Stands for a projection: reads `in` and the weights and writes `out`, in `steps` equal parts one after the other, as
// the tiles of a matrix product do. What it writes are finite numbers that depend on their place alone.
struct ProjectParams {
  const char* in;  // rows of row_accesses, row_stride bytes apart
  const char* weights;
  char* out;
  std::int64_t row_stride;
  std::uint32_t row_accesses;
  std::uint32_t in_accesses;
  std::uint32_t weight_accesses;
  std::uint32_t out_accesses;
  std::uint32_t steps;
  std::uint32_t threads;    // of the whole grid
  std::uint32_t keep, set;  // bits of a written word that may be set, and that are
  std::uint32_t never;      // what a thread's words of `in` and of the weights never are when joined by or
};

// Equal runs of elements in one tensor. Item i touches access `i % units` of run `i / units`, runs being `heads` to a
// token. Strides in bytes.
struct TouchTensor {
  const char* in;
  char* out;  // equals `in` when in place
  std::int64_t token_stride;
  std::int64_t head_stride;
  std::uint32_t units;
  std::uint32_t heads;
  Divisor by_units;
  Divisor by_heads;
};

struct TouchParams {
  TouchTensor q;
  TouchTensor k;
  std::uint32_t q_items;
  std::uint32_t items;  // of q and k together, below 2^31
  std::uint32_t block_threads;
  std::uint32_t signs;  // bits of a word that are turned over
};

// As many bytes of arguments as a rotation has.
struct EmptyParams {
  char bytes[256];
};

}  // namespace hiprope::tools
