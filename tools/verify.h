// Verification of one model on one device: every run, judged by the oracle and compared with the CPU path bit by bit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/verify_check.h"

namespace hiprope::tools {

struct RunResult {
  Call run;
  Path path = Path::none;
  Verdict verdict;
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
  Model model_;
  Device device_;
  Rope rope_, cpu_rope_;
};

const char* name_of(Function function);

}  // namespace hiprope::tools
