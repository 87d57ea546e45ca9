// What kernels take from HIP's clang; no header of ROCm's, so that any clang builds them.
#pragma once

#include <cstdint>

#define HIPROPE_DEVICE __attribute__((device, always_inline)) inline
#if defined(__GFX11__)
// gfx1102 has 1024 registers a SIMD, its siblings 1536; 64 a thread leave all 16 waves, and no kernel spills for it.
#define HIPROPE_OCCUPANCY , amdgpu_waves_per_eu(16)
#else
#define HIPROPE_OCCUPANCY
#endif
#define HIPROPE_KERNEL(max_block_threads) \
  extern "C" __attribute__((global, amdgpu_flat_work_group_size(1, max_block_threads) HIPROPE_OCCUPANCY)) void
// Kernel arguments point to global memory; saying so spares the flat instructions of an unknown address space.
#define HIPROPE_GLOBAL __attribute__((address_space(1)))

namespace hiprope {

template <int bytes>
struct Access {
  typedef std::uint32_t type __attribute__((vector_size(bytes), may_alias));
};
template <>
struct Access<4> {
  typedef std::uint32_t type __attribute__((may_alias));
};
template <>
struct Access<2> {
  typedef std::uint16_t type __attribute__((may_alias));
};

// Loads stand before it as they do in the source: the compiler would move them behind a branch that waits for another.
template <typename Word>
HIPROPE_DEVICE void keep_load_here(Word& /*word*/) {
  asm volatile("" ::: "memory");
}

// Loads a word of the kernel argument with those before it.
HIPROPE_DEVICE void load_now(std::int32_t word) {
  asm volatile("" ::"s"(word));
}

HIPROPE_DEVICE float multiply_add(float a, float b, float c) {
  return __builtin_fmaf(a, b, c);
}

HIPROPE_DEVICE void atomic_add(std::uint64_t* address, std::uint64_t value) {
  __hip_atomic_fetch_add(address, value, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
}

HIPROPE_DEVICE void atomic_min(std::uint64_t* address, std::uint64_t value) {
  __hip_atomic_fetch_min(address, value, __ATOMIC_RELAXED, __HIP_MEMORY_SCOPE_AGENT);
}

HIPROPE_DEVICE ThreadIndex thread_index() {
  return {__builtin_amdgcn_workgroup_id_x(), __builtin_amdgcn_workitem_id_x(), __builtin_amdgcn_workitem_id_y()};
}

}  // namespace hiprope
