// How the results of `hiprope verify` are summed up and shown, to a person or as JSON.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/verify.h"

namespace hiprope::tools {

// All runs of one model in one data type.
struct ModelRuns {
  std::string model, dtype, fallback_reason;
  std::int64_t tokens;
  bool independent;  // the oracle has frequencies of its own
  std::vector<RunResult> results;
};

struct Target {
  Device device;
  std::string name;         // "gpu:0", "cpu"
  std::string description;  // "NVIDIA H200 (sm_90)"
};

struct Summary {
  std::size_t runs = 0, passed = 0;
  double max_abs_error = 0, max_error = 0;
  bool bitwise_equal_cpu = true;
  Path path = Path::none;  // the least wanted path that any run took
  std::int64_t tokens = 0;
  double seconds = 0, gb_per_s = 0;  // of the fastest call that was not replayed

  bool all_passed() const { return runs > 0 && passed == runs; }
  void add(const RunResult& result) {
    ++runs;
    passed += result.passed() ? 1 : 0;
    max_abs_error = std::max(max_abs_error, result.verdict.max_abs_error);
    max_error = std::max(max_error, result.verdict.max_error);
    bitwise_equal_cpu = bitwise_equal_cpu && result.bitwise_equal_cpu;
    path = std::max(path, result.path);
    if (!result.run.replayed && result.gb_per_s() > gb_per_s) {
      gb_per_s = result.gb_per_s();
      seconds = result.seconds;
    }
  }
};

Summary summarise(const std::vector<ModelRuns>& cases);

// What was asked for, as far as the report shows it.
struct ReportHeader {
  Target target;
  std::string dtype;
  std::uint64_t seed;
  std::vector<std::string> notes;  // what was chosen and not asked for
};

void print_verify_json(const ReportHeader& header, const std::vector<ModelRuns>& cases);
void print_verify_text(const ReportHeader& header, const std::vector<ModelRuns>& cases);

}  // namespace hiprope::tools
