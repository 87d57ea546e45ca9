// The arguments of the kernels in touch.hip, filled by bench_gpu.cpp.
#pragma once

#include <cstdint>

#include "kernels/params.h"

namespace hiprope::tools {

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
  float scale;
};

// Reads all of `words` and writes nothing, to leave the caches full of them.
struct EvictParams {
  std::uint32_t* words;    // aligned to 16 bytes
  std::uint32_t accesses;  // of 16 bytes
  std::uint32_t threads;   // of the whole grid
};

}  // namespace hiprope::tools
