// What `hiprope verify` runs on and how it judges an output: random Q and K, poisoned outputs, the float64 oracle.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "hiprope/hiprope.hpp"
#include "tools/models.h"
#include "tools/oracle.h"

namespace hiprope::tools {

using Bytes = std::vector<std::byte>;

enum class Function { rope_q, rope_k, position_embeddings };

// One call under test.
struct Call {
  Function function = Function::rope_q;
  bool in_place = true;
  Direction direction = Direction::forward;
  bool replayed = false;  // from a captured graph

  bool rotates_q() const { return function != Function::rope_k; }
  bool rotates_k() const { return function != Function::rope_q; }
};

// Q and K of a model in one allocation, with guards before and after each, filled at random from `seed`.
struct Workload {
  Workload(const Model& model, DataType type, std::int64_t tokens, std::uint64_t seed);

  // The views within an allocation of input.size() bytes.
  TensorView q_view(void* base) const { return view(q, base); }
  TensorView k_view(void* base) const { return view(k, base); }
  // What the memory a run writes to holds before it: the input itself in place, else NaNs everywhere.
  Bytes before(const Call& run) const;

  RopeConfig config;
  DataType type;
  NumberFormat format;
  std::int64_t tokens;
  TensorLayout q, k;  // `first` counted from the start of the allocation
  Bytes input;
  std::vector<std::int64_t> positions;  // [axes][tokens], the last one of the model and 0 among them
  OracleFrequencies frequencies;

 private:
  TensorView view(const TensorLayout& layout, void* base) const;
};

struct Verdict {
  double max_abs_error = 0;  // over pairs no larger than kOrdinaryMagnitude; the input has planted huge ones
  double max_error = 0;  // relative to the pair's magnitude, or to the type's smallest normal number if that is larger
  std::string failure;   // the first thing found wrong; empty: all right
};

constexpr double kOrdinaryMagnitude = 8;
constexpr double kRelativeTolerance = 1e-5;  // of the pair's magnitude; f16 and bf16 add half a step of the type there

// Judges what `run` left behind where before(run) had been: rotated elements by the oracle, every other byte by
// equality.
Verdict judge(const Workload& workload, const Call& run, const Bytes& after);

}  // namespace hiprope::tools
