// What stands around a call in `hiprope bench`, its ceiling, and a copy of K and V to a cache, behind C entry points.
#include "../layer.hip"
#include "rival.h"

namespace {

using hiprope::tools::kAccessBytes;

constexpr std::uint32_t kBlock = 128;  // threads of a copy

// A thread copies an access; K's come before V's within a token.
__global__ void __launch_bounds__(kBlock) copy_rows(RivalCall call, std::uint32_t k_accesses, std::uint32_t accesses) {
  const std::uint32_t item = blockIdx.x * kBlock + threadIdx.x;
  const std::uint32_t token = item / accesses, access = item - token * accesses;
  if (token >= static_cast<std::uint32_t>(call.tokens)) return;
  const std::int64_t slot = call.slots[token];
  if (slot < 0) return;
  const bool of_v = access >= k_accesses;
  const std::int64_t offset = std::int64_t{of_v ? access - k_accesses : access} * kAccessBytes;
  const std::int64_t row = (of_v ? call.v_row : call.k_row) * token * 2, run = (of_v ? call.v_run : call.k_run) * 2;
  *reinterpret_cast<uint4*>(static_cast<char*>(of_v ? call.v_cache : call.k_cache) + slot * run + offset) =
      *reinterpret_cast<const uint4*>(static_cast<const char*>(of_v ? call.v : call.k) + row + offset);
}

}  // namespace

extern "C" int bench_copy(const RivalCall* call) {
  const auto accesses = static_cast<std::uint32_t>((call->k_run + call->v_run) * 2) / kAccessBytes;
  const std::uint32_t items = accesses * static_cast<std::uint32_t>(call->tokens);
  copy_rows<<<(items + kBlock - 1) / kBlock, kBlock, 0, call->stream>>>(
      *call, static_cast<std::uint32_t>(call->k_run) * 2 / kAccessBytes, accesses);
  return cudaGetLastError();
}

extern "C" int bench_project(const hiprope::tools::ProjectParams* params, cudaStream_t stream) {
  project<<<params->threads / 256, 256, 0, stream>>>(*params);
  return cudaGetLastError();
}

// Turns the signs of what turns, in accesses of 16 bytes, one or two a thread.
extern "C" int bench_touch(const hiprope::tools::TouchParams* params, int in_flight, cudaStream_t stream) {
  const std::uint32_t block_items = params->block_threads * static_cast<std::uint32_t>(in_flight);
  const std::uint32_t blocks = (params->items + block_items - 1) / block_items;
  if (in_flight == 1) {
    touch_16b_1v<<<blocks, params->block_threads, 0, stream>>>(*params);
  } else {
    touch_16b_2v<<<blocks, params->block_threads, 0, stream>>>(*params);
  }
  return cudaGetLastError();
}
