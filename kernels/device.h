// All that a kernel takes from its compiler: HIP's clang, nvcc, or a host compiler, which runs the same code in tests.
//
// Each of the three files has HIPROPE_DEVICE, HIPROPE_GLOBAL (the address space of what kernel arguments point to), the
// type of one memory access by its bytes, multiply_add, atomic_add and atomic_min; those of GPUs also HIPROPE_KERNEL
// and where a thread stands in its grid.
#pragma once

#include <cstdint>

namespace hiprope {

// Where a thread stands: its block in the grid, and its place there.
struct ThreadIndex {
  std::uint32_t block, x, y;
};

}  // namespace hiprope

#if defined(__CUDACC__)
#include "device_nvidia.h"
#elif defined(__HIP__)
#include "device_amd.h"
#else
#include "device_host.h"
#endif

// Arrays indexed in such a loop stay in registers.
#if defined(__CUDACC__) || defined(__clang__)
#define HIPROPE_UNROLL _Pragma("unroll")
#else
#define HIPROPE_UNROLL
#endif

namespace hiprope {

template <typename T>
HIPROPE_DEVICE T load(const void* address) {
  return *(const HIPROPE_GLOBAL T*)address;
}

template <typename T>
HIPROPE_DEVICE void store(void* address, T value) {
  *(HIPROPE_GLOBAL T*)address = value;
}

// `bytes` in one access, from or to 32-bit words or floats.
template <int bytes, typename Word>
HIPROPE_DEVICE void load_words(const void* address, Word* words) {
  const auto value = load<typename Access<bytes>::type>(address);
  __builtin_memcpy(words, &value, bytes);
}

template <int bytes, typename Word>
HIPROPE_DEVICE void store_words(void* address, const Word* words) {
  typename Access<bytes>::type value;
  __builtin_memcpy(&value, words, bytes);
  store(address, value);
}

template <typename To, typename From>
HIPROPE_DEVICE To bits_as(From value) {
  static_assert(sizeof(To) == sizeof(From), "a bit pattern keeps its size");
  To result;
  __builtin_memcpy(&result, &value, sizeof(To));
  return result;
}

}  // namespace hiprope
