// What kernels take from a host compiler, on which tests run them thread by thread.
#pragma once

#include <atomic>
#include <cmath>
#include <cstdint>

#define HIPROPE_DEVICE inline
#define HIPROPE_GLOBAL

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

template <typename Word>
inline void keep_load_here(Word& /*word*/) {}

inline void load_now(std::int32_t /*word*/) {}

inline float multiply_add(float a, float b, float c) {
  return __builtin_fmaf(a, b, c);
}

inline void atomic_add(std::uint64_t* address, std::uint64_t value) {
  std::atomic_ref<std::uint64_t>(*address).fetch_add(value, std::memory_order_relaxed);
}

inline void atomic_min(std::uint64_t* address, std::uint64_t value) {
  std::atomic_ref<std::uint64_t> word(*address);
  std::uint64_t seen = word.load(std::memory_order_relaxed);
  while (value < seen && !word.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

}  // namespace hiprope
