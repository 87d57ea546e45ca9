// A config and a call that are right as they stand, for tests that spoil one thing in them, and the statuses they
// reach.
#pragma once

#include <set>
#include <vector>

#include "hiprope/hiprope.hpp"
#include "tests/support/random.h"

namespace hiprope::test {

inline hiprope_config good_config() {
  hiprope_config config{};
  config.size = sizeof(config);
  config.head_dim = 64;
  config.max_positions = 16;
  return config;
}

// Arguments of a call over Q and K that is right as it stands.
struct Call {
  hiprope_config config = good_config();
  std::vector<float> memory;
  std::vector<std::int64_t> ids{1, 2, 3};
  TensorView q, k, q_out, k_out;
  Positions positions;
  hiprope_apply_options options{};
  bool with_rope = true, with_q = true, with_k = true, with_positions = true;
  std::int32_t path = 77;

  Call() : memory(8192) {
    Random random(run_seed());
    for (float& value : memory) value = static_cast<float>(random.signed_unit());
    q = TensorView::thd(memory.data(), DataType::f32, 3, 4, 64);
    k = TensorView::thd(memory.data() + 1024, DataType::f32, 3, 2, 64);
    q_out = TensorView::thd(memory.data() + 2048, DataType::f32, 3, 4, 64);
    k_out = TensorView::thd(memory.data() + 4096, DataType::f32, 3, 2, 64);
    positions = Positions(ids.data());
    options.size = sizeof(options);
    options.path = &path;
  }
  void out_of_place() {
    options.out = &q_out;
    options.k_out = &k_out;
  }
};

// Statuses that the tables of bad configs and bad calls expect.
std::set<hiprope_status> statuses_of_bad_configs();
std::set<hiprope_status> statuses_of_bad_calls();

}  // namespace hiprope::test
