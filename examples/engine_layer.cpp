// A decode step of an engine: one Rope for the model, one call a layer on that layer's packed QKV, where it lies.
#include <cstdio>
#include <vector>

#include "device_array.h"
#include "hiprope/hiprope.hpp"

namespace {

// Llama-3-8B.
constexpr int kLayers = 32;
constexpr std::int64_t kHeads = 32, kKvHeads = 8, kRowHeads = kHeads + 2 * kKvHeads;
constexpr std::int32_t kHeadDim = 128;
// One token from each of four sequences, at different places in them.
constexpr std::int64_t kTokens = 4;

}  // namespace

int main() {
  using namespace hiprope;
  RopeConfig config;
  config.head_dim = kHeadDim;
  config.base = 500000;
  config.max_positions = 8192;
  const Rope rope(config, best_device());
  if (!rope) {
    std::fprintf(stderr, "%s\n", rope.created().message().c_str());
    return 1;
  }

  DeviceArray positions(std::vector<std::int64_t>{17, 4095, 0, 8191});
  DeviceArray qkv(std::vector<std::uint16_t>(kTokens * kRowHeads * kHeadDim, 0x3F80));  // bf16 ones
  const auto q = TensorView::packed(qkv.data(), DataType::bf16, kTokens, kRowHeads, 0, kHeads, kHeadDim);
  const auto k = TensorView::packed(qkv.data(), DataType::bf16, kTokens, kRowHeads, kHeads, kKvHeads, kHeadDim);
  void* stream = nullptr;  // the engine's hipStream_t

  for (int layer = 0; layer < kLayers; ++layer) {
    // Here the engine's matrix product writes this layer's Q, K and V into qkv.
    const Result rotated = apply_position_embeddings_device(rope, q, k, Positions(positions.data()), stream);
    if (!rotated) {
      std::fprintf(stderr, "layer %d: %s\n", layer, rotated.message().c_str());
      return 1;
    }
    // Here attention reads them.
  }

  hiprope_position_errors errors;
  if (!rope.read_position_errors(errors, stream)) return 1;
  const hiprope_stats stats = rope.stats();
  std::printf("%d layers on %s: %llu launches, %llu calls on the CPU, %llu fallbacks, %llu table uploads\n", kLayers,
              rope.info().architecture, static_cast<unsigned long long>(stats.launches),
              static_cast<unsigned long long>(stats.cpu_calls), static_cast<unsigned long long>(stats.fallbacks),
              static_cast<unsigned long long>(stats.table_uploads));
  return errors.count == 0 ? 0 : 1;
}
