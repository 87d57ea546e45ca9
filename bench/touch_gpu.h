// Which touch kernels there are for a case on a GPU, and their arguments.
#pragma once

#include <string>
#include <vector>

#include "bench/bench_case.h"
#include "bench/layer_params.h"

namespace hiprope::tools {

struct TouchKernel {
  const char* name;
  std::int64_t access_bytes;
  std::uint32_t in_flight;  // accesses of a thread
};

inline constexpr TouchKernel kTouchKernels[] = {
    {"touch_16b_1v", 16, 1}, {"touch_16b_2v", 16, 2}, {"touch_16b_4v", 16, 4}, {"touch_8b_1v", 8, 1},
    {"touch_8b_2v", 8, 2},   {"touch_8b_4v", 8, 4},   {"touch_4b_1v", 4, 1},   {"touch_4b_2v", 4, 2},
    {"touch_4b_4v", 4, 4},   {"touch_2b_1v", 2, 1},   {"touch_2b_2v", 2, 2},   {"touch_2b_4v", 2, 4},
};

struct TouchChoice {
  std::size_t kernel;   // of kTouchKernels
  std::uint32_t block;  // threads
  std::string name() const;
};

// Those of the widest access that fits.
std::vector<TouchChoice> choices_of_touch(const BenchCase& bench_case);
// Throws ToolError where a case has too many accesses.
TouchParams touch_params(const BenchCase& bench_case, const BenchBuffers& buffers, std::int64_t set,
                         const TouchChoice& choice);

}  // namespace hiprope::tools
