// A decode step of an engine: one Rope for the model, one call a layer on that layer's packed QKV, where it lies.
#include <cstdio>
#include <vector>

#include "device_array.h"
#include "hiprope/hiprope.hpp"

using namespace hiprope;

// Llama-3-8B: 32 heads of Q, 8 of K and 8 of V in a row of QKV.
constexpr int kHeadDim = 128, kHeads = 32, kKvHeads = 8, kRowHeads = kHeads + 2 * kKvHeads;

// Once for a model: makes the table, uploads it, loads the kernels.
Rope make_rope(Device device) {
  RopeConfig config;
  config.head_dim = kHeadDim;
  config.base = 500000;
  config.max_positions = 8192;
  return Rope(config, device);
}

// In every layer, between the QKV projection and attention: one launch on the engine's stream.
bool rotate(const Rope& rope, void* qkv, const std::int64_t* positions, std::int64_t tokens, void* stream) {
  const auto q = TensorView::packed(qkv, DataType::bf16, tokens, kRowHeads, 0, kHeads, kHeadDim);
  const auto k = TensorView::packed(qkv, DataType::bf16, tokens, kRowHeads, kHeads, kKvHeads, kHeadDim);
  const Result rotated = apply_position_embeddings_device(rope, q, k, Positions(positions), stream);
  if (!rotated) std::fprintf(stderr, "rotary embedding: %s\n", rotated.message().c_str());
  return rotated.status() == hiprope_ok;
}

int main() {
  const Rope rope = make_rope(best_device());
  if (!rope) {
    std::fprintf(stderr, "%s\n", rope.created().message().c_str());
    return 1;
  }

  constexpr int kLayers = 32;
  constexpr std::int64_t kTokens = 4;  // one from each of four sequences, at different places in them
  DeviceArray positions(std::vector<std::int64_t>{17, 4095, 0, 8191});
  DeviceArray qkv(std::vector<std::uint16_t>(kTokens * kRowHeads * kHeadDim, 0x3F80));  // bf16 ones
  void* stream = nullptr;                                                               // the engine's hipStream_t

  for (int layer = 0; layer < kLayers; ++layer) {
    // Here the engine's matrix product writes this layer's Q, K and V into qkv.
    if (!rotate(rope, qkv.data(), positions.data(), kTokens, stream)) return 1;
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
