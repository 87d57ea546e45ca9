// Several devices, and devices without usable kernels.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

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
