// The README's program: rotates Q and K of 16 tokens of Llama-3-8B, on the GPU or, where there is none, on the CPU.
#include <cstdio>
#include "device_array.h"  // stands for the tensors of your engine
#include "hiprope/hiprope.hpp"
using namespace hiprope;

int main() {
  RopeConfig config;
  config.head_dim = 128, config.base = 500000, config.max_positions = 8192;
  const Rope rope(config, best_device());
  DeviceArray q(std::vector<float>(16 * 32 * 128, 1)), k(std::vector<float>(16 * 8 * 128, 1));
  const auto q_view = TensorView::thd(q.data(), DataType::f32, 16, 32, 128);
  const auto k_view = TensorView::thd(k.data(), DataType::f32, 16, 8, 128);
  const Result result = apply_position_embeddings_device(rope, q_view, k_view, Positions::from(0));
  std::printf("%s %s\n", to_string(result.path()), result.message().c_str());
  return result ? 0 : 1;
}
