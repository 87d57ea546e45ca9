// What kernels take from nvcc.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstdint>

#define HIPROPE_DEVICE __device__ __forceinline__
#define HIPROPE_KERNEL(max_block_threads) extern "C" __global__ void __launch_bounds__(max_block_threads)
#define HIPROPE_GLOBAL

namespace hiprope {

template <int bytes>
struct Access;
template <>
struct Access<16> {
  using type = uint4;
};
template <>
struct Access<8> {
  using type = uint2;
};
template <>
struct Access<4> {
  using type = std::uint32_t;
};
template <>
struct Access<2> {
  using type = std::uint16_t;
};

// Keeps a load before those that follow: nvcc would move it behind a branch, or behind work, that waits for another.
HIPROPE_DEVICE void keep_load_here(std::uint32_t& word) {
  asm volatile("" : "+r"(word));
}
HIPROPE_DEVICE void keep_load_here(float& word) {
  asm volatile("" : "+f"(word));
}

HIPROPE_DEVICE void load_now(std::int32_t /*word*/) {}

HIPROPE_DEVICE float multiply_add(float a, float b, float c) {
  return __fmaf_rn(a, b, c);
}

HIPROPE_DEVICE void atomic_add(std::uint64_t* address, std::uint64_t value) {
  atomicAdd(reinterpret_cast<unsigned long long*>(address), static_cast<unsigned long long>(value));
}

HIPROPE_DEVICE void atomic_min(std::uint64_t* address, std::uint64_t value) {
  atomicMin(reinterpret_cast<unsigned long long*>(address), static_cast<unsigned long long>(value));
}

HIPROPE_DEVICE ThreadIndex thread_index() {
  return {blockIdx.x, threadIdx.x, threadIdx.y};
}

}  // namespace hiprope
