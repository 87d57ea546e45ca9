// The float64 oracle: what a call must write, from the formula alone; shares no code with kernels or CPU path. The
// tests and `hiprope verify` judge by it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/case.h"

namespace hiprope::test {

struct OracleFrequencies {
  std::vector<double> inv_freq;            // [R/2], radians per position
  std::vector<std::uint8_t> axis_of_pair;  // [R/2]
  double attention_scaling = 1;
  bool independent = true;  // false: they are the library's own, and only the rotation is checked
};
// Throws where the library refuses the config.
OracleFrequencies oracle_frequencies(const RopeConfig& config);

// Whether it has frequencies of its own; those of other scalings have tests of their own (tests/frequencies).
bool oracle_knows(const RopeConfig& config);

constexpr double kRelativeTolerance = 1e-5;  // of the pair's magnitude; f16 and bf16 add half a step of the type there

struct Verdict {
  double max_abs_error = 0;  // over pairs of an ordinary magnitude; inputs have huge ones too
  double max_error = 0;  // relative to the pair's magnitude, or to the type's smallest normal number if that is larger
  std::string failure;   // the first thing found wrong; empty: all right
};

// Judges `after`, which a call made of `before`: rotated elements within the tolerance, every other byte of every
// buffer exactly.
Verdict judge(const Case& c, const Images& before, const Images& after);
inline std::string oracle_mismatch(const Case& c, const Images& before, const Images& after) {
  return judge(c, before, after).failure;
}

}  // namespace hiprope::test
