// The kernels' per-thread work, compiled for the host and run for every (block, thread) of a launch.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "launch.h"
#include "rope.h"
#include "tests/support/case.h"

namespace hiprope::test {

// A launch that can run on the host: the plan, with the Rope's host table in place of its device table.
struct BodyLaunch {
  internal::LaunchPlan plan{};
  int tensors = 1;
  std::uint64_t refused[2] = {0, ~std::uint64_t{0}};
  std::unique_ptr<float[]> table;
};

// Plans the case as the library would; `images` are the tensors and `ids` the positions it runs on.
hiprope_status plan_case(const Case& c, const hiprope_rope& rope, Images& images, const std::byte* ids,
                         BodyLaunch& launch);

// Whether a kernel of other access bytes can do the launch: a narrower one always can.
bool can_run(const BodyLaunch& launch, int variant);
// Turns the launch over to another kernel, in chunks of at most `chunk_tokens` tokens, as params.h describes.
void retarget(const Case& c, BodyLaunch& launch, int variant, std::int64_t chunk_tokens, bool narrow_copies);

// Gives the launch the Rope's table in the order of `tile_shift`; see table_location.
void arrange_table(const hiprope_rope& rope, std::int32_t tile_shift, BodyLaunch& launch);

void run_block(BodyLaunch& launch, std::uint32_t block, std::uint32_t chunk);

// Runs the case by one kernel, or by the planned one where `variant` is negative. Bytes that the call may not touch
// are poisoned under AddressSanitizer meanwhile.
Outcome run_body(const Case& c, const Rope& rope, int variant, std::int64_t chunk_tokens, bool narrow_copies,
                 Images& images);

// Empty, or how some kernel's result differs from the CPU path's.
std::string body_mismatch(const Case& c);

}  // namespace hiprope::test
