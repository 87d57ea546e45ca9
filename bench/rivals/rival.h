// One call of one implementation as bench/compare.py passes it to the libraries that bench/carry.sh builds.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

struct RivalCall {
  void *q, *k, *v;                // [tokens, heads, dim], heads side by side but where q_head says otherwise
  void *k_cache, *v_cache;        // [slots][k_run] and [slots][v_run], of the tensors' type; 8 bits in *_cache8
  void* q8;                       // [tokens, heads, head_dim], what *_cache8 make of Q
  const float* table;             // [positions][rotary_dim]: cosines, then sines
  const std::int64_t* positions;  // of each token
  const std::int64_t* slots;      // likewise; where its K and V go
  const std::int32_t* slots32;
  const std::int32_t *pages, *page_range, *last_page, *batch;  // a paged cache of one request that has every slot
  cudaStream_t stream;
  std::int64_t q_row, q_head, k_row, v_row;  // strides in elements
  std::int32_t k_run, v_run;                 // elements of a token of K and of V
  std::int32_t tokens, heads, kv_heads, head_dim, rotary_dim;
  std::int32_t interleaved, is_f16;
};

inline constexpr int kUnsupported = -1;  // else what the functions return is a cudaError_t
