// Models whose rotary embedding the tools know by name: their RopeConfig and how Q and K lie in memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hiprope/hiprope.hpp"

namespace hiprope::tools {

// Where a view [tokens, heads, head_dim] lies: element (t, h, d) is at first + t * row + h * head_stride + d.
struct TensorLayout {
  std::int64_t heads;
  std::int64_t head_stride;
  std::int64_t first;
  std::int64_t row;
};

struct Model {
  std::string name;
  std::string layout;  // in words
  RopeConfig config;
  TensorLayout q, k;
  bool packed;                   // Q and K lie in the same rows
  std::int64_t hidden_size = 0;  // elements of a token between layers; 0: not known
  // Elements of the projections that make Q, K and V of the hidden state, and the hidden state of attention's output.
  std::int64_t qkv_weights = 0, out_weights = 0;
  bool measured = false;  // one of the models that `hiprope bench` and bench/compare.py measure unasked
};

// Q and K in tensors of their own, [tokens, heads, head_dim], contiguous.
Model separate_model(std::string name, const RopeConfig& config, std::int64_t heads, std::int64_t kv_heads);

const std::vector<Model>& built_in_models();
// Without regard to case; an unknown name is refused with the closest ones.
const Model& find_model(const std::string& name);

}  // namespace hiprope::tools
