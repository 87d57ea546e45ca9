// Several devices, and devices without usable kernels.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <vector>

#include "tests/fake_gpu/fixture.h"

namespace hiprope::test {
namespace {

using fake_gpu_devices = FakeGpu;

TEST_F(fake_gpu_devices, the_ropes_device_works_and_the_callers_stays_current) {
  for (const int device : {kKernelDevice, kOtherKernelDevice, kBareDevice, kWrongDevice}) {
    for (const int caller : {kKernelDevice, kOtherKernelDevice, kBareDevice}) {
      SCOPED_TRACE(testing::Message() << "device " << device << ", caller on " << caller);
      const Case c = small_case(true);
      Images images = make_images(c);
      const Images expected = expected_images(c, images);
      AsCurrent current(device);
      const DeviceCase on_device(c, images);
      const Stream stream;
      {
        const AsCurrent caller_current(caller);
        const Rope rope(c.config, Device::gpu(device));
        ASSERT_TRUE(rope) << rope.created().message();
        EXPECT_EQ(current_device(), caller);
        EXPECT_TRUE(rope.clear_position_errors(stream.handle()));
        EXPECT_EQ(current_device(), caller);
        EXPECT_TRUE(on_device.call(rope, stream));
        EXPECT_EQ(current_device(), caller);
        hiprope_position_errors errors{};
        EXPECT_TRUE(rope.read_position_errors(errors, stream.handle()));
        EXPECT_EQ(errors.count, 2U);
        EXPECT_EQ(current_device(), caller);
        EXPECT_EQ(rope.info().device, device);
        EXPECT_EQ(rope.info().path, device <= kOtherKernelDevice ? hiprope_path_gpu : hiprope_path_cpu_fallback);
      }
      EXPECT_EQ(current_device(), device) << "the caller's device after destruction";
      EXPECT_EQ(difference(c, expected, on_device.download()), "");
    }
  }
}

void expect_fallback(int device, const char* architecture, const char* reason) {
  const RopeConfig config = small_case(false).config;
  const Rope rope(config, Device::gpu(device));
  ASSERT_TRUE(rope) << rope.created().message();
  EXPECT_EQ(rope.info().path, hiprope_path_cpu_fallback);
  EXPECT_STREQ(rope.info().fallback_reason, reason);
  EXPECT_STREQ(rope.info().architecture, architecture);
  const Rope forbidden(config, Device::gpu(device), Fallback::forbid);
  EXPECT_FALSE(forbidden);
  EXPECT_EQ(forbidden.created().status(), hiprope_error_no_code_object);
  EXPECT_NE(forbidden.created().message().find(architecture), std::string::npos) << forbidden.created().message();
}

TEST_F(fake_gpu_devices, without_a_code_object_fall_back) {
  expect_fallback(kBareDevice, "gfx1036", "no code object for this architecture is embedded");
}

TEST_F(fake_gpu_devices, with_a_code_object_that_does_not_load_fall_back) {
  expect_fallback(kWrongDevice, "gfx1100", "the runtime did not load the embedded code object: hipErrorNoBinaryForGpu");
}

TEST_F(fake_gpu_devices, with_hidden_code_objects_fall_back) {
  ASSERT_EQ(setenv("HIPROPE_HIDE_CODE_OBJECTS", "1", 1), 0);
  expect_fallback(kKernelDevice, "gfx90a", "HIPROPE_HIDE_CODE_OBJECTS is set");
  ASSERT_EQ(setenv("HIPROPE_HIDE_CODE_OBJECTS", "perhaps", 1), 0);
  const Rope rope(small_case(false).config, Device::gpu());
  ASSERT_EQ(unsetenv("HIPROPE_HIDE_CODE_OBJECTS"), 0);
  EXPECT_EQ(rope.created().status(), hiprope_error_environment);
  EXPECT_NE(rope.created().message().find("HIPROPE_HIDE_CODE_OBJECTS"), std::string::npos);
}

// Two modules a device, loaded by the first Rope on it and unloaded by the last.
TEST_F(fake_gpu_devices, load_their_kernels_once_for_all_ropes) {
  const RopeConfig config = small_case(false).config;
  const fake::Counts before = fake::counts();
  const auto count = [&](fake::Call call) {
    const auto i = static_cast<std::size_t>(call);
    return fake::counts()[i] - before[i];
  };
  std::vector<Rope> ropes;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(ropes.emplace_back(config, Device::gpu(kKernelDevice))) << ropes.back().created().message();
    EXPECT_EQ(count(fake::Call::module_load_data), 2U) << i + 1 << " Ropes";
  }
  {
    const Rope elsewhere(config, Device::gpu(kOtherKernelDevice));
    EXPECT_EQ(count(fake::Call::module_load_data), 4U) << "a device has kernels of its own";
  }
  EXPECT_EQ(count(fake::Call::module_unload), 2U) << "the other device's";
  for (; ropes.size() > 1; ropes.erase(ropes.begin())) EXPECT_EQ(fake::held().modules, 2U) << ropes.size() << " Ropes";
  EXPECT_EQ(fake::held().modules, 2U) << "one Rope is left";
  ropes.clear();
  EXPECT_EQ(fake::held().modules, 0U);
  EXPECT_TRUE(Rope(config, Device::gpu(kKernelDevice)));
  EXPECT_EQ(count(fake::Call::module_load_data), 6U) << "they are loaded anew";
}

// Whichever of two Ropes goes first, the other's captured calls keep their kernels.
TEST_F(fake_gpu_devices, keep_a_graphs_kernels_when_another_rope_is_destroyed) {
  const Case c = small_case(true);
  Images images = make_images(c);
  const Images expected = expected_images(c, images);
  for (const bool first_goes : {true, false}) {
    const DeviceCase on_device(c, images);
    std::array<Rope, 2> ropes{Rope(c.config), Rope(c.config)};
    const Rope& stays = ropes.at(first_goes ? 1 : 0);
    const Stream stream;
    stream.begin_capture();
    EXPECT_TRUE(on_device.call(stays, stream));
    const Graph graph(stream);
    ropes.at(first_goes ? 0 : 1) = Rope();
    graph.launch(stream);
    stream.synchronize();
    EXPECT_EQ(difference(c, expected, on_device.download()), "");
    EXPECT_EQ(stays.stats().launches, 1U);
  }
}

// Its graph may still be there, and must then not be replayed.
TEST_F(fake_gpu_devices, free_a_rope_whose_call_a_graph_holds) {
  const Case c = small_case(false);
  const Images images = make_images(c);
  const DeviceCase on_device(c, images);
  const Stream stream;
  Rope rope(c.config);
  stream.begin_capture();
  EXPECT_TRUE(on_device.call(rope, stream));
  const Graph graph(stream);
  const std::size_t allocations = fake::held().allocations;
  rope = Rope();
  EXPECT_EQ(fake::held().modules, 0U);
  EXPECT_LT(fake::held().allocations, allocations) << "the table is still there";
  EXPECT_EQ(on_device.download(), images);
}

// Not even where the runtime fails, or the Rope is in fallback.
TEST_F(fake_gpu_devices, nothing_is_printed) {
  const Case c = small_case(false);
  const Images images = make_images(c);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  for (const int device : {kKernelDevice, kBareDevice, kWrongDevice}) {
    const AsCurrent current(device);
    const Rope rope(c.config, Device::gpu(device));
    const DeviceCase on_device(c, images);
    const Stream stream;
    EXPECT_TRUE(on_device.call(rope, stream));
    fake::fail_call(0, hipErrorUnknown);
    EXPECT_FALSE(on_device.call(rope, stream));
    fake::fail_none();
    hiprope_position_errors errors{};
    EXPECT_TRUE(rope.read_position_errors(errors, stream.handle()));
    EXPECT_FALSE(Rope(c.config, Device::gpu(device), static_cast<Fallback>(7)));
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

// A child of a fork must not speak to a runtime that did not survive it: what it asks is refused before any call.
TEST_F(fake_gpu_devices, are_left_alone_by_a_forked_child) {
  const Case c = small_case(false);
  const Images images = make_images(c);
  for (const int device : {kKernelDevice, kBareDevice}) {
    const AsCurrent current(device);
    Rope rope(c.config, Device::gpu(device));
    const DeviceCase on_device(c, images);
    const Stream stream;
    const pid_t id = fork();
    if (id == 0) {
      const fake::Counts before = fake::counts();
      const bool refused = on_device.call(rope, stream).status() == hiprope_error_forked &&
                           rope.clear_position_errors(stream.handle()).status() == hiprope_error_forked &&
                           Rope(c.config, Device::gpu(device)).created().status() == hiprope_error_forked;
      rope = Rope();
      _exit(refused && fake::counts() == before ? 5 : 0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(id, &status, 0), id);
    EXPECT_EQ(WEXITSTATUS(status), 5) << "a call was not refused, or reached the runtime";
    EXPECT_TRUE(on_device.call(rope, stream));
  }
}

TEST_F(fake_gpu_devices, that_do_not_exist_are_refused) {
  const RopeConfig config = small_case(false).config;
  for (const int device : {4, 1000000, -2, INT32_MIN}) {
    EXPECT_EQ(Rope(config, Device::gpu(device)).created().status(), hiprope_error_no_such_device);
  }
}

// The first failing call of a launch with a stream of another device changes nothing.
TEST_F(fake_gpu_devices, a_stream_of_another_device_is_the_runtimes_error) {
  const Case c = small_case(false);
  const Images images = make_images(c);
  const Rope rope(c.config, Device::gpu(kKernelDevice));
  const DeviceCase on_device(c, images);
  const AsCurrent elsewhere(kOtherKernelDevice);
  const Stream stream;
  EXPECT_EQ(on_device.call(rope, stream).status(), static_cast<hiprope_status>(hipErrorInvalidHandle));
  const AsCurrent back(kKernelDevice);
  EXPECT_EQ(on_device.download(), images);
}

}  // namespace
}  // namespace hiprope::test
