// The kernels' per-thread work, compiled for the host and run for every (block, thread) of a launch.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "launch.h"
#include "rope.h"
#include "tests/support/case.h"

namespace hiprope::test {

// A launch that can run on the host: the plan, with host memory in place of the device's.
struct BodyLaunch {
  internal::LaunchPlan plan{};
  std::uint64_t out_of_range[2] = {0, ~std::uint64_t{0}};
};

// Plans a call as the library would; `k` and `options` may be null.
hiprope_status plan_call(const hiprope_rope& rope, const hiprope_tensor& q, const hiprope_tensor* k,
                         const hiprope_positions& positions, const hiprope_apply_options* options, BodyLaunch& launch,
                         std::int64_t first = 0);

// Plans the case as the library would, from its token `first` on; its buffers lie at `bases`, its ids at `ids`, which
// are not looked at.
hiprope_status plan_case(const Case& c, const hiprope_rope& rope, const std::array<std::byte*, kBuffers>& bases,
                         const std::byte* ids, BodyLaunch& launch, std::int64_t first = 0);

// How a case is run: by the kernel that was planned and as it was planned, or by another of these choices.
struct BodyChoice {
  int variant = -1;
  std::int32_t block_threads = 64;
  std::int64_t most_blocks = 0;
};

// Whether another kernel can do the launch: one as narrow or narrower.
bool can_run(const BodyLaunch& launch, int variant);

// Runs a block's threads, the last first.
void run_block(BodyLaunch& launch, std::uint32_t block);

// Runs the case. Bytes that the call may not touch are poisoned under AddressSanitizer meanwhile.
Outcome run_body(const Case& c, const Rope& rope, const BodyChoice& choice, Images& images);

// Empty, or how some kernel's result differs from the CPU path's.
std::string body_mismatch(const Case& c);

}  // namespace hiprope::test
