// Correctness of what the benchmark measures.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "bench/bench_device.h"

namespace hiprope::tools {

// The memory of a case while it is checked: buffers of set 0 hold random numbers.
struct CheckedMemory {
  const BenchCase& bench_case;
  const BenchBuffers& buffers;
  DeviceBuffer& arena;                         // of the buffers
  const std::vector<std::int64_t>& positions;  // [axis][token]; empty: from 0
  BenchDevice& device;
};

// A call's output must have the bits of `reference`, a Rope on the CPU. Throws ToolError where it has not.
void check_bits(const CheckedMemory& memory, const Rope& reference, const LayerCall& call);
// The CPU path itself is held against float64.
void check_cpu_path(const BenchCase& bench_case, std::uint64_t seed);
// Every element that a call writes must be negated, the others as before.
void check_touch(const CheckedMemory& memory, const LayerCall& touch);

void require(const Result& result, const BenchCase& bench_case);

}  // namespace hiprope::tools
