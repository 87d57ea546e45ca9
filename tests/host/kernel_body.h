// The kernels' per-thread work, compiled for the host and run for every (block, thread) of a launch.
#pragma once

#include <cstdint>
#include <string>

#include "launch.h"
#include "rope.h"
#include "config/table.h"
#include "tests/support/case.h"

namespace hiprope::test {

// A launch that can run on the host once it has tables: the plan, with host memory in place of the device's.
struct BodyLaunch {
  internal::LaunchPlan plan{};
  int tensors = 1;
  std::uint64_t refused[2] = {0, ~std::uint64_t{0}};
};

// A Rope's tables in every order of their rows, each made when it is first asked for.
class BodyTables {
 public:
  explicit BodyTables(const hiprope_rope& rope) : rope_(&rope) {}
  // Gives the launch those of these tiles: up to 2 in the table, up to 3 of factors.
  void give(TileShifts tiles, BodyLaunch& launch);

 private:
  const hiprope_rope* rope_;
  internal::Tables of_tiles_[3][4];
};

// Plans a call as the library would; `k` and `options` may be null.
hiprope_status plan_call(const hiprope_rope& rope, const hiprope_tensor& q, const hiprope_tensor* k,
                         const hiprope_positions& positions, const hiprope_apply_options* options, BodyLaunch& launch);

// Plans the case as the library would; its buffers lie at `bases`, its ids at `ids`, which are not looked at.
hiprope_status plan_case(const Case& c, const hiprope_rope& rope, const std::array<std::byte*, kBuffers>& bases,
                         const std::byte* ids, BodyLaunch& launch);

// How a case is run: by the kernel that was planned and as it was planned, or by another of these choices.
struct BodyChoice {
  int variant = -1;
  std::int64_t chunk_tokens = 0;
  Ahead ahead = Ahead::nothing;
  std::int32_t block_threads = 64;
};

// Whether another kernel can do the launch: one as narrow or narrower, of as many axes or more, if the Rope has what it
// reads. Kernels of one axis and of several do not stand in for each other.
bool can_run(const hiprope_rope& rope, const BodyLaunch& launch, int variant);
// Turns the launch over to another kernel, in chunks of at most `chunk_tokens` tokens, with other work ahead of the
// wait.
void retarget(const Case& c, BodyLaunch& launch, const BodyChoice& choice);

// Runs a block's threads one at a time, the last first. Where they wait for each other, each runs up to there; then all
// run again from their start, and get what all have shared once they are there again. Nothing that counts is done
// before.
void run_block(BodyLaunch& launch, std::uint32_t block, std::uint32_t chunk);

// Runs the case. Bytes that the call may not touch are poisoned under AddressSanitizer meanwhile. Until its wait ends a
// thread sees the ids of other tokens: what it makes of them ahead must not count.
Outcome run_body(const Case& c, const Rope& rope, BodyTables& tables, const BodyChoice& choice, Images& images);

// Empty, or how some kernel's result differs from the CPU path's.
std::string body_mismatch(const Case& c);

}  // namespace hiprope::test
