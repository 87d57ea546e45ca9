// The CPU path: rotates views of host memory under the contract of the kernels, with the same bits.
#pragma once

#include <atomic>
#include <cstdint>

#include "hiprope/hiprope.h"

namespace hiprope::internal {

// One tensor of a call. Strides in elements.
struct HostTensor {
  const void* in = nullptr;
  void* out = nullptr;  // equals `in` when in place
  std::int64_t heads = 0;
  std::int64_t in_token_stride = 0;
  std::int64_t in_head_stride = 0;
  std::int64_t out_token_stride = 0;
  std::int64_t out_head_stride = 0;
};

// What all tensors of a call share. Everything has been checked.
struct HostCall {
  std::int32_t data_type = hiprope_f32;
  std::int32_t head_dim = 0;
  std::int32_t rotary_dim = 0;
  std::int32_t rotary_offset = 0;
  std::int32_t block_in = 0;                   // B of the pairs read: R half_split, 2 interleaved, pair_block blocked
  std::int32_t block_out = 0;                  // B of the pairs written
  float sin_sign = 1.0F;                       // -1: inverse
  const float* table = nullptr;                // [max_positions][R]: R/2 cosines, then R/2 sines
  const std::uint8_t* axis_of_pair = nullptr;  // [R/2]; null: every pair takes axis 0
  const void* ids = nullptr;                   // [axes][tokens]; null: token t has position start + t
  std::int32_t ids_bytes = 8;
  std::int32_t axes = 1;
  std::int64_t axis_stride = 0;  // 0: one row of ids serves every axis
  std::int64_t start = 0;
  std::int64_t max_positions = 0;
  std::int64_t tokens = 0;
};

// Tokens left unrotated.
struct RefusedTokens {
  std::uint64_t count = 0;
  std::int64_t first = -1;
};

// Makes `least` the smaller of itself and `value`.
template <typename Integer>
void store_min(std::atomic<Integer>& least, Integer value) {
  Integer seen = least.load(std::memory_order_relaxed);
  while (value < seen && !least.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

RefusedTokens rotate_on_host(const HostCall& call, const HostTensor* tensors, int tensor_count);

}  // namespace hiprope::internal
