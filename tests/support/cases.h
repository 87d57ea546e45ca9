// The table of cases that the CPU path, the host-compiled kernel body and the GPU all run.
#pragma once

#include <string>
#include <vector>

#include "tests/support/case.h"

namespace hiprope::test {

struct Group {
  std::string name;
  std::vector<Case> cases;
};

const std::vector<Group>& case_groups();

// How the tensors of a case lie in memory.
enum class Arrangement {
  thd,     // [tokens, heads, head_dim]
  htd,     // [heads, tokens, head_dim]
  packed,  // Q and K inside rows of Q, K and V heads
  mla,     // DeepSeek: Q the last head_dim of heads of head_dim + 128, K one head behind 512 latent elements
  padded   // [tokens, heads, head_dim] with gaps between heads and between tokens
};

// A case as the table writes it.
struct Draft {
  std::string name{};
  RopeConfig config{};
  DataType type = DataType::f32;
  std::int64_t tokens = 3;
  std::int64_t q_heads = 2;
  std::int64_t k_heads = 0;  // 0: only Q, by apply_rope_device
  Arrangement arrangement = Arrangement::thd;
  bool out_of_place = false;
  std::int64_t shift = 0;  // elements by which every tensor is moved off its alignment
  Direction direction = Direction::forward;
  int ids_bytes = 8;
  std::int64_t start = 0;
  std::vector<std::int64_t> ids{};  // empty: random ids inside the table
  std::int32_t position_axes = 1;
  std::int64_t axis_stride = 0;
  bool wild = false;
};
Case build(const Draft& draft);

}  // namespace hiprope::test
