// Verification of one model on one device: every call, judged by the float64 oracle and compared with the CPU path bit
// by bit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hiprope/hiprope.hpp"
#include "tests/support/oracle.h"
#include "tools/models.h"

namespace hiprope::tools {

enum class Function { rope_q, rope_k, position_embeddings };

// One call under test.
struct Call {
  Function function = Function::rope_q;
  bool in_place = true;
  Direction direction = Direction::forward;
  bool replayed = false;  // from a captured graph
};

// What the call does, on random memory. Forward calls rotate plain values by int64 positions, inverse ones any bits by
// int32 positions.
test::Case case_of(const Model& model, const Call& call, DataType type, std::int64_t tokens, std::uint64_t seed);

struct RunResult {
  Call run;
  Path path = Path::none;
  test::Verdict verdict;
  bool bitwise_equal_cpu = false;
  double seconds = 0;       // from the call until its stream is idle
  std::uint64_t bytes = 0;  // of Q and K that the run reads and writes

  bool passed() const { return verdict.failure.empty() && bitwise_equal_cpu; }
  double gb_per_s() const { return seconds > 0 ? static_cast<double>(bytes) / seconds * 1e-9 : 0; }
};

// A model's Rope on the device under test and another on the CPU.
class Verifier {
 public:
  // Throws ToolError when a Rope cannot be created.
  Verifier(const Model& model, Device device);
  std::vector<RunResult> verify(DataType type, std::int64_t tokens, std::uint64_t seed) const;
  std::string fallback_reason() const {
    const char* const reason = rope_.info().fallback_reason;
    return reason == nullptr ? "" : reason;
  }

 private:
  RunResult run(const test::Case& c, const Call& call) const;

  Model model_;
  Device device_;
  Rope rope_, cpu_rope_;
};

const char* name_of(Function function);

}  // namespace hiprope::tools
