// The CPU path: chooses kernels and threads, and walks tokens and heads.
#include "cpu/rotate.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "cpu/heads.h"

namespace hiprope::internal {
namespace {

// Two threads overtake one at about 60 KiB of tensor while the team still spins, at about 1300 KiB when it has gone to
// sleep: `rotate_cpu_bench --benchmark_filter=one_thread`, x86-64, 2 cores, AVX-512, 2026-11-22. This lies between, and
// above a token of any model in tools/models.inc.
constexpr std::int64_t kBytesPerThread = 128 * 1024;

std::int64_t element_bytes(const HostCall& call) {
  return call.data_type == hiprope_f32 ? 4 : 2;
}

// Positions of one token on every axis; false when any is outside the table.
bool read_positions(const HostCall& call, std::int64_t token, std::int64_t (&position)[kMaxAxes]) {
  for (int axis = 0; axis < call.axes; ++axis) {
    const std::int64_t index = axis * call.axis_stride + token;
    if (call.ids == nullptr) {
      position[axis] =
          static_cast<std::int64_t>(static_cast<std::uint64_t>(call.start) + static_cast<std::uint64_t>(token));
    } else if (call.ids_bytes == 8) {
      position[axis] = static_cast<const std::int64_t*>(call.ids)[index];
    } else {
      position[axis] = static_cast<const std::int32_t*>(call.ids)[index];
    }
    if (position[axis] < 0 || position[axis] >= call.max_positions) return false;
  }
  return true;
}

// Copies elements [begin, end) of every head.
void copy_elements(const HostCall& call, const char* in, char* out, const Heads& heads, std::int64_t begin,
                   std::int64_t end) {
  if (begin == end) return;
  const std::int64_t size = element_bytes(call);
  for (std::int64_t head = 0; head < heads.count; ++head) {
    std::memcpy(out + (head * heads.out_stride + begin) * size, in + (head * heads.in_stride + begin) * size,
                static_cast<std::size_t>((end - begin) * size));
  }
}

void rotate_token(const Kernels& kernels, const HostCall& call, const Row& row, bool rotate, const HostTensor& tensor,
                  std::int64_t token, std::int64_t head, std::int64_t head_count) {
  const std::int64_t size = element_bytes(call);
  const char* in =
      static_cast<const char*>(tensor.in) + (token * tensor.in_token_stride + head * tensor.in_head_stride) * size;
  char* out = static_cast<char*>(tensor.out) + (token * tensor.out_token_stride + head * tensor.out_head_stride) * size;
  const std::int64_t offset = call.rotary_offset;
  const Heads heads = {in + offset * size, out + offset * size, head_count, tensor.in_head_stride,
                       tensor.out_head_stride};
  if (in != out) {
    copy_elements(call, in, out, heads, 0, rotate ? offset : call.head_dim);
    if (rotate) copy_elements(call, in, out, heads, offset + call.rotary_dim, call.head_dim);
  }
  if (rotate) kernels.rotate(call, row, heads);
}

// Rotates rows [begin, end) of the tokens x heads rows there are, all tensors' heads side by side. A refused token is
// reported with its first row.
RefusedTokens rotate_rows(const Kernels& kernels, const HostCall& call, const HostTensor* tensors, int tensor_count,
                          std::int64_t heads, std::int64_t begin, std::int64_t end) {
  RefusedTokens refused;
  if (begin == end) return refused;
  Row row;
  std::int64_t head = begin % heads;
  for (std::int64_t token = begin / heads, rows = end - begin; rows > 0; ++token) {
    std::int64_t left = std::min(heads - head, rows);
    rows -= left;
    const bool rotate = read_positions(call, token, row.position);
    if (rotate) {
      kernels.prepare(call, row);
    } else if (head == 0) {
      if (refused.count++ == 0) refused.first = token;
    }
    for (int i = 0; i < tensor_count && left > 0; ++i) {
      const std::int64_t count = std::min(tensors[i].heads - head, left);
      if (count > 0) {
        rotate_token(kernels, call, row, rotate, tensors[i], token, head, count);
        left -= count;
      }
      head = std::max<std::int64_t>(head - tensors[i].heads, 0);
    }
    head = 0;
  }
  return refused;
}

std::int64_t count_heads(const HostTensor* tensors, int tensor_count) {
  std::int64_t heads = 0;
  for (int i = 0; i < tensor_count; ++i) heads += tensors[i].heads;
  return heads;
}

int max_threads() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

}  // namespace

int choose_threads(const HostCall& call, const HostTensor* tensors, int tensor_count) {
  const std::int64_t bytes = call.tokens * count_heads(tensors, tensor_count) * call.rotary_dim * element_bytes(call);
  // All or one: a team whose size changes from call to call costs the runtime new threads.
  const int threads = max_threads();
  return bytes / threads >= kBytesPerThread ? threads : 1;
}

RefusedTokens rotate_with(const Kernels& kernels, int threads, const HostCall& call, const HostTensor* tensors,
                          int tensor_count) {
  const std::int64_t heads = count_heads(tensors, tensor_count);
  const std::int64_t rows = call.tokens * heads;
  if (threads == 1) return rotate_rows(kernels, call, tensors, tensor_count, heads, 0, rows);
  // Atomics and no reduction, which GNU's OpenMP ends under a lock of the whole process.
  std::atomic<std::uint64_t> count{0};
  std::atomic<std::int64_t> first{std::numeric_limits<std::int64_t>::max()};
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int part = 0; part < threads; ++part) {
    const std::int64_t begin = rows / threads * part + std::min<std::int64_t>(rows % threads, part);
    const std::int64_t end = begin + rows / threads + (part < rows % threads ? 1 : 0);
    const RefusedTokens refused = rotate_rows(kernels, call, tensors, tensor_count, heads, begin, end);
    if (refused.count == 0) continue;
    count.fetch_add(refused.count, std::memory_order_relaxed);
    store_min(first, refused.first);
  }
  return {count, count == 0 ? -1 : first.load()};
}

RefusedTokens rotate_on_host(const HostCall& call, const HostTensor* tensors, int tensor_count) {
  const Kernels kernels = is_vectorizable(call) ? vector_kernels() : scalar_kernels();
  return rotate_with(kernels, choose_threads(call, tensors, tensor_count), call, tensors, tensor_count);
}

}  // namespace hiprope::internal
