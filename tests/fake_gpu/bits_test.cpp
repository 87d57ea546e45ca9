// The whole case table through the GPU side's own code: plans, uploads, launches, captures, and the fallback's copies.
#include <cstring>

#include "tests/fake_gpu/fixture.h"
#include "tests/support/environment.h"

namespace hiprope::test {
namespace {

using fake_gpu_bits = FakeGpu;

// Runs every case on the device in two ways, and compares every byte with the CPU path's.
void compare_with_cpu(int device, Path path, bool captured) {
  const AsCurrent current(device);
  for (const Group& group : case_groups()) {
    for (const Case& c : group.cases) {
      const Images before = make_images(c);
      Images expected = before;
      Images actual = before;
      const Outcome on_cpu = run_cpu(c, expected);
      const Rope rope(c.config, Device::gpu(device));
      const Outcome outcome = run_gpu(c, rope, captured ? Mode::captured : Mode::eager, actual);
      ASSERT_EQ(outcome.status, on_cpu.status) << describe(c) << "\n" << outcome.message;
      ASSERT_EQ(difference(c, expected, actual), "") << describe(c);
      ASSERT_EQ(outcome.out_of_range, on_cpu.out_of_range) << describe(c);
      ASSERT_EQ(outcome.first_out_of_range, on_cpu.first_out_of_range) << describe(c);
      ASSERT_EQ(outcome.path, on_cpu.path == Path::none ? Path::none : path) << describe(c);
    }
  }
}

TEST_F(fake_gpu_bits, kernels_make_the_cpu_paths) {
  compare_with_cpu(kKernelDevice, Path::gpu, false);
}
TEST_F(fake_gpu_bits, replayed_captures_make_the_cpu_paths) {
  compare_with_cpu(kOtherKernelDevice, Path::gpu, true);
}
TEST_F(fake_gpu_bits, two_heads_a_thread_make_the_cpu_paths) {
  const Environment tuning("HIPROPE_TUNING", "accesses=4,block=32");
  compare_with_cpu(kKernelDevice, Path::gpu, false);
}
TEST_F(fake_gpu_bits, the_fallback_makes_the_cpu_paths) {
  compare_with_cpu(kBareDevice, Path::cpu_fallback, false);
}

}  // namespace
}  // namespace hiprope::test
