// The kernel sources compiled for the host, with their own entry points.
#include "tests/fake_gpu/fake_kernels.h"

#include <cstring>

#include "kernels/device.h"

#define HIPROPE_KERNEL(max_block_threads) extern "C" void

namespace hiprope {
namespace {

thread_local ThreadIndex place{};

ThreadIndex thread_index() {
  return place;
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
#define HIPROPE_VARIANT(element, layout, bytes, heads, scope)            \
  HIPROPE_ROW(rope_##element##_##layout##_##bytes##b_##heads##h_##scope) \
  HIPROPE_ROW(position_embeddings_##element##_##layout##_##bytes##b_##heads##h_##scope)
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

void run_grid(Kernel kernel, const KernelParams& params, std::uint32_t blocks) {
  for (place.block = 0; place.block < blocks; ++place.block) {
    for (place.y = 0; place.y < params.block_tokens; ++place.y) {
      for (place.x = 0; place.x < params.block_items; ++place.x) kernel(params);
    }
  }
}

}  // namespace hiprope::fake
