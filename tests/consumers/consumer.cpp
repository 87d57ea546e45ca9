// A C++17 user: rotates Q and K in one call and back again, then runs the C half.
#include "consumer.h"

#include <cmath>
#include <cstdint>
#include <hiprope/hiprope.hpp>
#include <iostream>
#include <vector>

int main() {
  constexpr std::int64_t tokens = 3, q_heads = 4, k_heads = 2;
  constexpr std::int32_t head_dim = 8;
  hiprope::RopeConfig config;
  config.head_dim = head_dim;
  config.max_positions = 64;
  const hiprope::Rope rope(config, hiprope::Device::cpu());
  if (!rope) {
    std::cerr << rope.created().message() << '\n';
    return 1;
  }

  std::vector<float> q(tokens * q_heads * head_dim), k(tokens * k_heads * head_dim);
  for (std::size_t i = 0; i < q.size(); ++i) q[i] = static_cast<float>(i % 17) - 8.0F;
  for (std::size_t i = 0; i < k.size(); ++i) k[i] = static_cast<float>(i % 11) - 5.0F;
  const std::vector<float> original = q;
  const auto q_view = hiprope::TensorView::thd(q.data(), hiprope::DataType::f32, tokens, q_heads, head_dim);
  const auto k_view = hiprope::TensorView::thd(k.data(), hiprope::DataType::f32, tokens, k_heads, head_dim);
  const std::vector<std::int64_t> ids{7, 0, 63};

  hiprope::Apply back;
  back.direction = hiprope::Direction::inverse;
  const auto rotated = hiprope::apply_position_embeddings_cpu(rope, q_view, k_view, hiprope::Positions(ids.data()));
  const bool changed = q != original;
  const auto restored = hiprope::apply_rope_cpu(rope, q_view, hiprope::Positions(ids.data()), back);
  if (!rotated || !restored || rotated.path() != hiprope::Path::cpu || !changed) {
    std::cerr << "rotated: " << rotated.message() << ", restored: " << restored.message() << ", changed: " << changed
              << '\n';
    return 1;
  }
  for (std::size_t i = 0; i < q.size(); ++i) {
    if (!(std::abs(q[i] - original[i]) < 1e-5F)) {
      std::cerr << "q[" << i << "] is " << q[i] << " after rotating there and back, expected " << original[i] << '\n';
      return 1;
    }
  }
  return use_from_c();
}
