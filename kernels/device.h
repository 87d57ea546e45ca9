// All that a kernel takes from its compiler: HIP's clang, nvcc, or a host compiler, which runs the same code in tests.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda/annotated_ptr>
#define HIPROPE_DEVICE __device__ __forceinline__
#define HIPROPE_KERNEL(max_block_threads) extern "C" __global__ void __launch_bounds__(max_block_threads)
#elif defined(__HIP__)
#define HIPROPE_DEVICE __attribute__((device, always_inline)) inline
#if defined(__GFX11__)
// gfx1102 has 1024 registers a SIMD, its siblings 1536; 64 a thread leave all 16 waves, and no kernel spills for it.
#define HIPROPE_OCCUPANCY , amdgpu_waves_per_eu(16)
#else
#define HIPROPE_OCCUPANCY
#endif
#define HIPROPE_KERNEL(max_block_threads) \
  extern "C" __attribute__((global, amdgpu_flat_work_group_size(1, max_block_threads) HIPROPE_OCCUPANCY)) void
#else
#include <atomic>
#include <cmath>
#include <functional>
#define HIPROPE_DEVICE inline
#endif

// Arrays indexed in such a loop stay in registers.
#if defined(__CUDACC__) || defined(__clang__)
#define HIPROPE_UNROLL _Pragma("unroll")
#else
#define HIPROPE_UNROLL
#endif

namespace hiprope {

// The widest and narrower memory accesses, by bytes.
template <int bytes>
struct Access;
#if defined(__CUDACC__)
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
#else
template <>
struct Access<16> {
  typedef std::uint32_t type __attribute__((vector_size(16), may_alias));
};
template <>
struct Access<8> {
  typedef std::uint32_t type __attribute__((vector_size(8), may_alias));
};
template <>
struct Access<4> {
  typedef std::uint32_t type __attribute__((may_alias));
};
template <>
struct Access<2> {
  typedef std::uint16_t type __attribute__((may_alias));
};
#endif

#if defined(__HIP__)
// Kernel arguments point to global memory; saying so spares the flat instructions of an unknown address space.
#define HIPROPE_GLOBAL __attribute__((address_space(1)))
#else
#define HIPROPE_GLOBAL
#endif

// Says the same to nvcc, which else loses sight of it where an address is one of two.
HIPROPE_DEVICE void assume_global([[maybe_unused]] const void* address) {
#if defined(__CUDACC__)
  __builtin_assume(__isGlobal(address));
#endif
}

// `bytes` from memory into 32-bit words; the upper half of a 2-byte word is zero.
template <int bytes>
HIPROPE_DEVICE void load(const void* address, std::uint32_t* words) {
  using Value = typename Access<bytes>::type;
  words[0] = 0;
  assume_global(address);
  const Value value = *(const HIPROPE_GLOBAL Value*)address;
  __builtin_memcpy(words, &value, bytes);
}

template <int bytes>
HIPROPE_DEVICE void store(void* address, const std::uint32_t* words) {
  using Value = typename Access<bytes>::type;
  Value value;
  __builtin_memcpy(&value, words, bytes);
  assume_global(address);
  *(HIPROPE_GLOBAL Value*)address = value;
}

// Asks the second-level cache for the line of an access of `bytes`, where that begins a line or is the `first` in it: a
// line that is asked for twice is read twice. That cache has what every launch writes, so also before
// wait_for_launch_before.
template <int bytes>
HIPROPE_DEVICE void prefetch([[maybe_unused]] const void* address, [[maybe_unused]] bool first) {
#if defined(__CUDACC__)
  constexpr std::uint64_t line_bytes = 128;
  if (first || reinterpret_cast<std::uint64_t>(address) % line_bytes < bytes) {
    cuda::apply_access_property(address, bytes, cuda::access_property::normal{});
  }
#endif
}

// A read of memory that no kernel writes while this one runs: the axis map.
template <typename T>
HIPROPE_DEVICE T load_constant(const T* address) {
#if defined(__CUDACC__)
  return __ldg(address);
#else
  return *(const HIPROPE_GLOBAL T*)address;
#endif
}

// A position id. Unless it is `final` the launch before may still be writing it, so on NVIDIA it is read from behind
// the first-level cache and not kept there, where a later read would find what is old by then.
template <bool final, typename T>
HIPROPE_DEVICE T load_id(const T* address) {
#if defined(__CUDACC__)
  if constexpr (!final) return *static_cast<const volatile T*>(address);
#endif
  assume_global(address);
  return *(const HIPROPE_GLOBAL T*)address;
}

// Table and factors, which no kernel writes either. The compiler moves reads of what it knows to be constant behind
// wait_for_launch_before, where they are late (f32 interleaved, 8 tokens: 1.35 instead of 1.90 of touch).
template <int bytes, typename Number>
HIPROPE_DEVICE void load_constants(const Number* address, Number* values) {
  using Value = typename Access<bytes>::type;
  const Value value = *(const HIPROPE_GLOBAL Value*)address;
  __builtin_memcpy(values, &value, bytes);
}

// The same of what all tokens share, the factors: the second-level cache lets go of it last, also after the launch.
// Else tensors that pass through drive it out (H200, 64 and 8 heads of 128 out of place, 16384 tokens: 305 MB read from
// memory instead of 311). Factors of 131072 positions and 64 pairs are 0.75 MiB.
template <int bytes, typename Number>
HIPROPE_DEVICE void load_kept_constants(const Number* address, Number* values) {
#if defined(__CUDACC__)
  address = cuda::associate_access_property(address, cuda::access_property::persisting{});
#endif
  load_constants<bytes>(address, values);
}

// Bytes that an offset of load_constants_at counts. AMD's loads add an offset of 32 bits to an address that a wave
// shares, with nothing to compute for a lane; NVIDIA's multiplication of 32 bits adds to one of 64.
#if defined(__CUDACC__)
inline constexpr std::uint32_t kOffsetBytes = 8;
#else
inline constexpr std::uint32_t kOffsetBytes = 1;
#endif

// `bytes` from `offset` on, `further` bytes behind it; all lie within 4 GiB.
template <int bytes, typename Number>
HIPROPE_DEVICE void load_constants_at(const Number* array, std::uint32_t offset, int further, Number* values) {
  const char* const address = reinterpret_cast<const char*>(array) + std::uint64_t{offset} * kOffsetBytes + further;
  load_constants<bytes>(reinterpret_cast<const Number*>(address), values);
}

// 1, 2 or 4 consecutive bytes, the first lowest.
template <int count>
HIPROPE_DEVICE std::uint32_t load_bytes(const std::uint8_t* address) {
  if constexpr (count == 1) return load_constant(address);
  if constexpr (count == 2) return load_constant(reinterpret_cast<const std::uint16_t*>(address));
  return load_constant(reinterpret_cast<const std::uint32_t*>(address));
}

HIPROPE_DEVICE float multiply_add(float a, float b, float c) {
#if defined(__CUDACC__)
  return __fmaf_rn(a, b, c);
#else
  return __builtin_fmaf(a, b, c);
#endif
}

HIPROPE_DEVICE double multiply_add(double a, double b, double c) {
#if defined(__CUDACC__)
  return __fma_rn(a, b, c);
#else
  return __builtin_fma(a, b, c);
#endif
}

template <typename To, typename From>
HIPROPE_DEVICE To bits_as(From value) {
  static_assert(sizeof(To) == sizeof(From), "a bit pattern keeps its size");
  To result;
  __builtin_memcpy(&result, &value, sizeof(To));
  return result;
}

HIPROPE_DEVICE void atomic_add(std::uint64_t* address, std::uint64_t value) {
#if defined(__CUDACC__)
  atomicAdd(reinterpret_cast<unsigned long long*>(address), static_cast<unsigned long long>(value));
#elif defined(__HIP__)
  __hip_atomic_fetch_add(address, value, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
#else
  std::atomic_ref<std::uint64_t>(*address).fetch_add(value, std::memory_order_relaxed);
#endif
}

HIPROPE_DEVICE void atomic_min(std::uint64_t* address, std::uint64_t value) {
#if defined(__CUDACC__)
  atomicMin(reinterpret_cast<unsigned long long*>(address), static_cast<unsigned long long>(value));
#elif defined(__HIP__)
  __hip_atomic_fetch_min(address, value, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
#else
  std::atomic_ref<std::uint64_t> word(*address);
  std::uint64_t seen = word.load(std::memory_order_relaxed);
  while (value < seen && !word.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
#endif
}

// From compute capability 9.0 on a kernel may begin while the launch before it in the stream drains. Until
// wait_for_launch_before returns, memory that the launch before writes must not be relied on.
//
// let_next_launch_begin is true for every thread. Without a branch behind it the compiler reads constants first, which
// a launch finds in no cache, and all launches behind are late by that (H200, 1 token: 0.93 instead of 0.80 us).
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
inline constexpr bool kOverlapsLaunches = true;
[[nodiscard]] HIPROPE_DEVICE bool let_next_launch_begin() {
  cudaTriggerProgrammaticLaunchCompletion();
  return threadIdx.z == 0;
}
HIPROPE_DEVICE void wait_for_launch_before() {
  cudaGridDependencySynchronize();
}
#elif defined(__CUDACC__) || defined(__HIP__)
inline constexpr bool kOverlapsLaunches = false;
[[nodiscard]] HIPROPE_DEVICE bool let_next_launch_begin() {
  return true;
}
HIPROPE_DEVICE void wait_for_launch_before() {}
#else
// On the host, in tests, as on the platform that is built for. A test says what memory is when a thread begins, and
// what the launch before has made of it by the end of the wait.
#if defined(HIPROPE_PLATFORM_AMD)
inline constexpr bool kOverlapsLaunches = false;
#else
inline constexpr bool kOverlapsLaunches = true;
#endif
inline std::function<void()> when_thread_begins, when_wait_ends;
[[nodiscard]] HIPROPE_DEVICE bool let_next_launch_begin() {
  if (when_thread_begins) when_thread_begins();
  return true;
}
HIPROPE_DEVICE void wait_for_launch_before() {
  if (when_wait_ends) when_wait_ends();
}
#endif

// What a block's threads share, LaunchPlan::shared_bytes, and where each waits for all others; without use where
// launches do not overlap. On the host a test runs one thread at a time and does the rest (tests/host/kernel_body.cpp).
#if defined(__CUDACC__)
HIPROPE_DEVICE void* shared_memory() {
  extern __shared__ uint4 memory[];
  return memory;
}
HIPROPE_DEVICE void wait_for_block() {
  __syncthreads();
}
#elif defined(__HIP__)
HIPROPE_DEVICE void* shared_memory() {
  return nullptr;
}
HIPROPE_DEVICE void wait_for_block() {}
#else
inline void* block_memory = nullptr;
inline std::function<void()> when_thread_waits_for_block;
HIPROPE_DEVICE void* shared_memory() {
  return block_memory;
}
HIPROPE_DEVICE void wait_for_block() {
  if (when_thread_waits_for_block) when_thread_waits_for_block();
}
#endif

#if defined(__CUDACC__)
HIPROPE_DEVICE std::uint32_t block_index() {
  return blockIdx.x;
}
HIPROPE_DEVICE std::uint32_t chunk_index() {
  return blockIdx.y;
}
HIPROPE_DEVICE std::uint32_t thread_index() {
  return threadIdx.x;
}
#elif defined(__HIP__)
HIPROPE_DEVICE std::uint32_t block_index() {
  return __builtin_amdgcn_workgroup_id_x();
}
HIPROPE_DEVICE std::uint32_t chunk_index() {
  return __builtin_amdgcn_workgroup_id_y();
}
HIPROPE_DEVICE std::uint32_t thread_index() {
  return __builtin_amdgcn_workitem_id_x();
}
#endif

}  // namespace hiprope
