// Picks touch kernels and fills their arguments.
#include "bench/touch_gpu.h"

#include <algorithm>
#include <iterator>

#include "tools/tool_error.h"

namespace hiprope::tools {
namespace {

constexpr std::uint32_t kBlocks[] = {64, 128, 256, 512};  // threads
constexpr std::int64_t kMostItems = (std::int64_t{1} << 31) - 4 * 512 - 1;

std::int64_t first_element(const BenchCase& bench_case) {
  return bench_case.out_of_place ? 0 : bench_case.model.config.rotary_offset;
}

// Runs that touch are joined, so that a dense tensor is one run.
TouchTensor touch_tensor(const TensorView& in, const TensorView& out, const BenchCase& bench_case,
                         std::int64_t access_bytes) {
  const std::int64_t size = bench_case.element_bytes(), first = first_element(bench_case);
  TouchTensor tensor{};
  tensor.in = static_cast<const char*>(in.data) + first * size;
  tensor.out = static_cast<char*>(out.data) + first * size;
  tensor.token_stride = in.token_stride * size;
  tensor.head_stride = in.head_stride * size;
  std::int64_t run = bench_case.head_elements() * size, heads = in.heads;
  if (heads > 0 && tensor.head_stride == run) {
    run *= heads;
    heads = 1;
    if (tensor.token_stride == run) run *= in.tokens;
  }
  tensor.units = static_cast<std::uint32_t>(run / access_bytes);
  tensor.heads = static_cast<std::uint32_t>(std::max<std::int64_t>(heads, 1));
  tensor.by_units = make_divisor(tensor.units);
  tensor.by_heads = make_divisor(tensor.heads);
  return tensor;
}

}  // namespace

std::string TouchChoice::name() const {
  return fmt::format("{} threads, {} x {} bytes", block, kTouchKernels[kernel].in_flight,
                     kTouchKernels[kernel].access_bytes);
}

std::vector<TouchChoice> choices_of_touch(const BenchCase& bench_case) {
  const BenchBuffers buffers(bench_case, nullptr);
  std::int64_t elements = first_element(bench_case) | bench_case.head_elements();
  for (const TensorView& view : {buffers.q(0), buffers.k(0)}) elements |= view.token_stride | view.head_stride;
  elements |= bench_case.model.q.first | bench_case.model.k.first;
  std::int64_t bytes = 16;
  while (elements * bench_case.element_bytes() % bytes != 0) bytes /= 2;
  std::vector<TouchChoice> found;
  for (std::size_t i = 0; i < std::size(kTouchKernels); ++i) {
    if (kTouchKernels[i].access_bytes != bytes) continue;
    for (const std::uint32_t block : kBlocks) found.push_back({i, block});
  }
  return found;
}

TouchParams touch_params(const BenchCase& bench_case, const BenchBuffers& buffers, std::int64_t set,
                         const TouchChoice& choice) {
  const std::int64_t access_bytes = kTouchKernels[choice.kernel].access_bytes;
  const std::int64_t head_items = bench_case.head_elements() * bench_case.element_bytes() / access_bytes;
  const std::int64_t q_items = bench_case.tokens * bench_case.model.q.heads * head_items;
  const std::int64_t items = q_items + bench_case.tokens * bench_case.model.k.heads * head_items;
  if (items > kMostItems) {
    refuse("{} tokens are more than the touch kernel can index; ask for fewer", bench_case.tokens);
  }
  TouchParams params{};
  params.q = touch_tensor(buffers.q(set), buffers.q_out(set), bench_case, access_bytes);
  if (bench_case.has_k()) params.k = touch_tensor(buffers.k(set), buffers.k_out(set), bench_case, access_bytes);
  params.q_items = static_cast<std::uint32_t>(q_items);
  params.items = static_cast<std::uint32_t>(items);
  params.block_threads = choice.block;
  params.signs = bench_case.type == DataType::f32 ? 0x80000000U : 0x80008000U;
  return params;
}

}  // namespace hiprope::tools
