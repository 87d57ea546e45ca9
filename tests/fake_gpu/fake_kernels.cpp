// The kernel sources compiled for the host, with their own entry points.
#include "tests/fake_gpu/fake_kernels.h"

#include <cstring>

#include "kernels/device.h"

#define HIPROPE_KERNEL(max_block_threads) extern "C" void

namespace hiprope {
namespace {

struct Place {
  std::uint32_t block, chunk, thread;
};
thread_local Place place{};

std::uint32_t block_index() {
  return place.block;
}
std::uint32_t chunk_index() {
  return place.chunk;
}
std::uint32_t thread_index() {
  return place.thread;
}

}  // namespace
}  // namespace hiprope

#include "kernels/rope.hip"
#undef HIPROPE_VARIANT
#include "kernels/position_embeddings.hip"
#undef HIPROPE_VARIANT

namespace hiprope::fake {
namespace {

constexpr struct {
  const char* symbol;
  Kernel kernel;
} kKernels[] = {
#define HIPROPE_ROW(kernel) {#kernel, &kernel},
#define HIPROPE_VARIANT(element, layout, bytes, heads, angles)            \
  HIPROPE_ROW(rope_##element##_##layout##_##bytes##b_##heads##h_##angles) \
  HIPROPE_ROW(position_embeddings_##element##_##layout##_##bytes##b_##heads##h_##angles)
#include "kernels/variants.inc"
#undef HIPROPE_VARIANT
};

}  // namespace

Kernel find_kernel(const char* symbol) {
  for (const auto& row : kKernels) {
    if (std::strcmp(row.symbol, symbol) == 0) return row.kernel;
  }
  return nullptr;
}

void run_grid(Kernel kernel, const KernelParams& params, std::uint32_t blocks, std::uint32_t chunks) {
  const auto threads = static_cast<std::uint32_t>(params.block_threads);
  for (place.chunk = 0; place.chunk < chunks; ++place.chunk) {
    for (place.block = 0; place.block < blocks; ++place.block) {
      for (place.thread = 0; place.thread < threads; ++place.thread) kernel(params);
    }
  }
}

}  // namespace hiprope::fake
