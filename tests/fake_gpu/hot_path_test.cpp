// What a call asks of the runtime: one launch, and nothing that waits, allocates, copies or queries.
#include <cstdlib>

#include "tests/fake_gpu/fixture.h"

namespace hiprope::test {
namespace {

using fake_gpu_hot_path = FakeGpu;

std::string calls_of(const Case& c, const Rope& rope, const DeviceCase& on_device, const Stream& stream, Path path) {
  const fake::Counts before = fake::counts();
  const Result result = on_device.call(c, rope, stream);
  EXPECT_TRUE(result) << result.message();
  EXPECT_EQ(result.path(), path);
  return calls_since(before);
}

TEST_F(fake_gpu_hot_path, is_one_launch) {
  fake::reset({{fake::kWithKernels}});
  for (const bool out_of_place : {false, true}) {
    const Case c = small_case(out_of_place);
    const Images images = make_images(c);
    const Rope rope(c.config, Device::gpu());
    const DeviceCase on_device(c, images);
    const Stream stream;
    const hiprope_stats before = rope.stats();
    EXPECT_EQ(calls_of(c, rope, on_device, stream, Path::gpu), "launch_kernel x1");
    EXPECT_EQ(calls_of(c, rope, on_device, stream, Path::gpu), "launch_kernel x1");
    const hiprope_stats after = rope.stats();
    EXPECT_EQ(after.launches, before.launches + 2);
    EXPECT_EQ(after.table_uploads, 1U);
    EXPECT_EQ(after.bytes_host_to_device, before.bytes_host_to_device);
    EXPECT_EQ(after.bytes_device_to_host, before.bytes_device_to_host);
    EXPECT_EQ(after.fallbacks, 0U);
  }
}

TEST_F(fake_gpu_hot_path, with_several_devices_also_selects_one) {
  const Case c = small_case(false);
  const Images images = make_images(c);
  const AsCurrent current(kOtherKernelDevice);
  const Rope rope(c.config, Device::gpu(kOtherKernelDevice));
  const DeviceCase on_device(c, images);
  const Stream stream;
  EXPECT_EQ(calls_of(c, rope, on_device, stream, Path::gpu), "get_device x1, launch_kernel x1");
  const AsCurrent elsewhere(kKernelDevice);
  EXPECT_EQ(calls_of(c, rope, on_device, stream, Path::gpu), "get_device x1, set_device x2, launch_kernel x1");
}

TEST_F(fake_gpu_hot_path, refused_and_empty_calls_ask_nothing) {
  Case c = small_case(false);
  const Images images = make_images(c);
  const Rope rope(c.config, Device::gpu());
  const DeviceCase on_device(c, images);
  const Stream stream;
  const fake::Counts before = fake::counts();
  c.q.head_stride = -1;
  EXPECT_EQ(on_device.call(c, rope, stream).status(), hiprope_error_stride);
  c = small_case(false);
  c.tokens = 0;
  EXPECT_TRUE(on_device.call(c, rope, stream));
  EXPECT_EQ(calls_since(before), "");
}

// Bytes moved are the tensors' and the ids'; of a tensor rotated in place only the rotary part goes back.
TEST_F(fake_gpu_hot_path, the_fallback_moves_each_byte_once) {
  const AsCurrent current(kBareDevice);
  for (const bool q_apart : {false, true}) {
    for (const bool k_apart : {false, true}) {
      Case c = small_case(true);
      if (!q_apart) c.q_out.reset();
      if (!k_apart) c.k_out.reset();
      const Images images = make_images(c);
      const Rope rope(c.config, Device::gpu(kBareDevice));
      const DeviceCase on_device(c, images);
      const Stream stream;
      ASSERT_TRUE(on_device.call(rope, stream));
      EXPECT_EQ(difference(c, expected_images(c, images), on_device.download()), "");
      const hiprope_stats stats = rope.stats();
      const auto head = static_cast<std::uint64_t>(c.config.head_dim) * 2;
      const auto rotary = static_cast<std::uint64_t>(c.rotary_dim()) * 2;
      const auto q_rows = static_cast<std::uint64_t>(c.tokens * c.q.heads);
      const auto k_rows = static_cast<std::uint64_t>(c.tokens * c.k->heads);
      EXPECT_EQ(stats.bytes_device_to_host, (q_rows + k_rows) * head + id_bytes(c).size());
      EXPECT_EQ(stats.bytes_host_to_device, q_rows * (q_apart ? head : rotary) + k_rows * (k_apart ? head : rotary));
      EXPECT_EQ(stats.fallbacks, 1U);
      EXPECT_EQ(stats.launches + stats.cpu_calls + stats.table_uploads, 0U);
    }
  }
}

}  // namespace
}  // namespace hiprope::test
