// Kernels of the layer into which `hiprope bench` puts a call: the projections before and behind it, the ceiling it is
// held against, which turns the sign of the same elements in the same place, and one that does nothing.
#include "bench/layer_params.h"

#if defined(__CUDACC__)
#define LAYER_DEVICE __device__ __forceinline__
#define LAYER_KERNEL(max_threads) extern "C" __global__ void __launch_bounds__(max_threads)
#define LAYER_GLOBAL
#else
#define LAYER_DEVICE __attribute__((device, always_inline)) inline
#define LAYER_KERNEL(max_threads) extern "C" __attribute__((global, amdgpu_flat_work_group_size(1, max_threads))) void
#define LAYER_GLOBAL __attribute__((address_space(1)))
#endif

namespace hiprope::tools {

#if defined(__CUDACC__)
LAYER_DEVICE std::uint32_t block_index() {
  return blockIdx.x;
}
LAYER_DEVICE std::uint32_t thread_index() {
  return threadIdx.x;
}
#else
LAYER_DEVICE std::uint32_t block_index() {
  return __builtin_amdgcn_workgroup_id_x();
}
LAYER_DEVICE std::uint32_t thread_index() {
  return __builtin_amdgcn_workitem_id_x();
}
#endif

// An access of so many bytes as one value.
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
#else
template <>
struct Access<16> {
  typedef std::uint32_t type __attribute__((vector_size(16), may_alias));
};
template <>
struct Access<8> {
  typedef std::uint32_t type __attribute__((vector_size(8), may_alias));
};
#endif
template <>
struct Access<4> {
  using type = std::uint32_t;
};
template <>
struct Access<2> {
  using type = std::uint16_t;
};

// What an access holds; 2 bytes lie in the lower half of the word.
template <int bytes>
struct Words {
  std::uint32_t word[bytes < 4 ? 1 : bytes / 4];
};

template <int bytes>
LAYER_DEVICE Words<bytes> load(const char* address) {
  using Value = typename Access<bytes>::type;
  const Value value = *(const LAYER_GLOBAL Value*)address;
  Words<bytes> words = {};
  __builtin_memcpy(words.word, &value, bytes);
  return words;
}

template <int bytes>
LAYER_DEVICE void store(char* address, const Words<bytes>& words) {
  typename Access<bytes>::type value;
  __builtin_memcpy(&value, words.word, bytes);
  *(LAYER_GLOBAL typename Access<bytes>::type*)address = value;
}

LAYER_DEVICE std::uint32_t all_bits(Words<16> words) {
  return words.word[0] | words.word[1] | words.word[2] | words.word[3];
}

LAYER_DEVICE std::uint32_t hash(std::uint32_t x) {
  x *= 0x9E3779B1U;
  x ^= x >> 15;
  x *= 0x85EBCA77U;
  return x ^ x >> 13;
}

// The first of `count` that belongs to a step.
LAYER_DEVICE std::uint32_t first_of_step(std::uint32_t count, std::uint32_t step, std::uint32_t steps) {
  return static_cast<std::uint32_t>(std::uint64_t{count} * step / steps);
}

// The bits of this thread's part of accesses `first` to `last` - 1, four of them in flight.
LAYER_DEVICE std::uint32_t read_part(const char* data, std::uint32_t first, std::uint32_t last, std::uint32_t thread,
                                     std::uint32_t threads) {
  constexpr std::uint32_t in_flight = 4;
  std::uint32_t bits = 0, i = first + thread;
  for (; i + (in_flight - 1) * threads < last; i += in_flight * threads) {
    Words<16> words[in_flight];
#pragma unroll
    for (std::uint32_t j = 0; j < in_flight; ++j) {
      words[j] = load<16>(data + std::uint64_t{i + j * threads} * kAccessBytes);
    }
#pragma unroll
    for (std::uint32_t j = 0; j < in_flight; ++j) bits |= all_bits(words[j]);
  }
  for (; i < last; i += threads) bits |= all_bits(load<16>(data + std::uint64_t{i} * kAccessBytes));
  return bits;
}

LAYER_DEVICE void project_tiles(const ProjectParams& p) {
  const std::uint32_t thread = block_index() * 256 + thread_index();
  std::uint32_t bits = 0;
  for (std::uint32_t step = 0; step < p.steps; ++step) {
    const std::uint32_t in_end = first_of_step(p.in_accesses, step + 1, p.steps);
    for (std::uint32_t i = first_of_step(p.in_accesses, step, p.steps) + thread; i < in_end; i += p.threads) {
      const std::uint32_t row = i / p.row_accesses;
      const std::uint32_t column = i - row * p.row_accesses;
      bits |= all_bits(load<16>(p.in + row * p.row_stride + std::uint64_t{column} * kAccessBytes));
    }
    bits |= read_part(p.weights, first_of_step(p.weight_accesses, step, p.steps),
                      first_of_step(p.weight_accesses, step + 1, p.steps), thread, p.threads);
    const std::uint32_t out_end = first_of_step(p.out_accesses, step + 1, p.steps);
    for (std::uint32_t i = first_of_step(p.out_accesses, step, p.steps) + thread; i < out_end; i += p.threads) {
      Words<16> words;
#pragma unroll
      for (std::uint32_t j = 0; j < 4; ++j) {
        // What was read changes nothing, which the compiler cannot know.
        words.word[j] = (hash(4 * i + j) & p.keep) | p.set | (bits == p.never ? 1U : 0U);
      }
      store<16>(p.out + std::uint64_t{i} * kAccessBytes, words);
    }
  }
}

// Bytes from the start of either tensor to an item's access.
LAYER_DEVICE std::int64_t offset_of(const TouchTensor& tensor, std::uint32_t item, int bytes) {
  const std::uint32_t run = divide(item, tensor.by_units);
  const std::uint32_t token = divide(run, tensor.by_heads);
  return token * tensor.token_stride + (run - token * tensor.heads) * tensor.head_stride +
         static_cast<std::int64_t>(item - run * tensor.units) * bytes;
}

template <int bytes, int in_flight>
LAYER_DEVICE void touch(const TouchParams& p) {
  const std::uint32_t first = block_index() * p.block_threads * in_flight + thread_index();
  char* out[in_flight];
  Words<bytes> words[in_flight];
#pragma unroll
  for (int i = 0; i < in_flight; ++i) {
    const std::uint32_t item = first + static_cast<std::uint32_t>(i) * p.block_threads;
    if (item >= p.items) break;
    const bool of_k = item >= p.q_items;
    const std::int64_t offset = of_k ? offset_of(p.k, item - p.q_items, bytes) : offset_of(p.q, item, bytes);
    out[i] = (of_k ? p.k.out : p.q.out) + offset;
    words[i] = load<bytes>((of_k ? p.k.in : p.q.in) + offset);
  }
#pragma unroll
  for (int i = 0; i < in_flight; ++i) {
    if (first + static_cast<std::uint32_t>(i) * p.block_threads >= p.items) break;
    for (auto& word : words[i].word) word ^= p.signs;
    store<bytes>(out[i], words[i]);
  }
}

}  // namespace hiprope::tools

LAYER_KERNEL(256) project(hiprope::tools::ProjectParams params) {
  hiprope::tools::project_tiles(params);
}

#define LAYER_TOUCH(bytes, in_flight)                                                     \
  LAYER_KERNEL(512) touch_##bytes##b_##in_flight##v(hiprope::tools::TouchParams params) { \
    hiprope::tools::touch<bytes, in_flight>(params);                                      \
  }
LAYER_TOUCH(16, 1)
LAYER_TOUCH(16, 2)
LAYER_TOUCH(16, 4)
LAYER_TOUCH(8, 1)
LAYER_TOUCH(8, 2)
LAYER_TOUCH(8, 4)
LAYER_TOUCH(4, 1)
LAYER_TOUCH(4, 2)
LAYER_TOUCH(4, 4)
LAYER_TOUCH(2, 1)
LAYER_TOUCH(2, 2)
LAYER_TOUCH(2, 4)

LAYER_KERNEL(64) empty(hiprope::tools::EmptyParams) {}
