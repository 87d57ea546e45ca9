// Makes every runtime call of every operation fail in turn.
#include <cstring>
#include <functional>

#include <fmt/format.h>

#include "tests/fake_gpu/fixture.h"

namespace hiprope::test {
namespace {

using fake::Call;
using fake_gpu_faults = FakeGpu;

hipError_t error_for(Call call) {
  switch (call) {
    case Call::malloc:
      return hipErrorOutOfMemory;
    case Call::module_load_data:
      return hipErrorNoBinaryForGpu;
    case Call::module_get_function:
      return hipErrorNotFound;
    case Call::launch_kernel:
      return hipErrorLaunchFailure;
    case Call::set_device:
      return hipErrorInvalidDevice;
    default:
      return hipErrorUnknown;
  }
}

// One call of an operation, failing.
struct Fault {
  Call call;
  hipError_t error;
  std::size_t index;     // among the calls of the operation
  bool restores_device;  // the caller's device is set back by it, after the work; a failure leaves that undone
  bool harmless;         // the operation has done its work without it
  std::string text;
};

// The calls of `operation` in a run without faults, each as a fault.
std::vector<Fault> faults_of(const std::function<void()>& operation) {
  fake::start_trace();
  operation();
  const std::vector<Call> trace = fake::stop_trace();
  std::vector<Fault> faults;
  int sets = 0;
  for (std::size_t i = 0; i < trace.size(); ++i) {
    const bool restores = trace[i] == Call::set_device && ++sets % 2 == 0;
    const bool harmless = trace[i] == Call::stream_destroy || trace[i] == Call::exchange_capture_mode;
    faults.push_back({trace[i], error_for(trace[i]), i, restores, harmless,
                      fmt::format("call {} of {}, {}, failed", i, trace.size(), fake::name_of(trace[i]))});
  }
  return faults;
}

// Of a call that did its work and left the caller another device, the sentence says both.
void expect_failure(const Fault& fault, hiprope_status status) {
  EXPECT_EQ(
      std::string(hiprope_last_error()).find("was done, but selecting the caller's device again") != std::string::npos,
      fault.restores_device)
      << hiprope_last_error();
  EXPECT_EQ(status, static_cast<hiprope_status>(fault.error));
  EXPECT_NE(std::string(hiprope_last_error()).find(hipGetErrorName(fault.error)), std::string::npos)
      << hiprope_last_error();
}

// Ends the fault; the caller's pending error is as it was, and its device, unless the restoring itself failed.
void expect_left_alone(const Fault& fault, int device) {
  EXPECT_TRUE(fake::failed()) << "the call never came";
  fake::fail_none();
  EXPECT_EQ(hipGetLastError(), hipSuccess);
  if (fault.restores_device) {
    ASSERT_EQ(hipSetDevice(device), hipSuccess);
  }
  EXPECT_EQ(current_device(), device);
}

// A config that makes creation do all it can: with an axis map to upload.
RopeConfig three_axes() {
  RopeConfig config;
  config.head_dim = 32;
  config.max_positions = 48;
  config.axes = 3;
  config.sections = {8, 4, 4, 0};
  return config;
}

hiprope_status create(int device, Fallback fallback, hiprope_rope** rope) {
  const RopeConfig config = three_axes();
  const hiprope_config c_config = config.to_c();
  return hiprope_create(&c_config, device, static_cast<std::int32_t>(fallback), rope);
}

TEST_F(fake_gpu_faults, creation_returns_the_runtimes_code_and_keeps_nothing) {
  const auto faults = faults_of([] { const Rope rope(three_axes(), Device::gpu(kOtherKernelDevice)); });
  ASSERT_GT(faults.size(), 20U);
  for (const Fallback fallback : {Fallback::allow, Fallback::forbid}) {
    for (const Fault& fault : faults) {
      SCOPED_TRACE(fault.text);
      hiprope_rope* rope = nullptr;
      fake::fail_call(fault.index, fault.error);
      const hiprope_status status = create(kOtherKernelDevice, fallback, &rope);
      if (!fake::failed()) {  // a call of the destruction
        fake::fail_none();
        hiprope_destroy(rope);
        continue;
      }
      // Out of memory says nothing about what the GPU can run, so it is no reason to fall back.
      const bool of_module = (fault.call == Call::module_load_data || fault.call == Call::module_get_function) &&
                             fault.error != hipErrorOutOfMemory;
      if (of_module && fallback == Fallback::allow) {
        ASSERT_EQ(status, hiprope_ok) << hiprope_last_error();
        hiprope_rope_info info{};
        info.size = sizeof(info);
        ASSERT_EQ(hiprope_get_rope_info(rope, &info), hiprope_ok);
        EXPECT_EQ(info.path, hiprope_path_cpu_fallback);
        EXPECT_EQ(info.fallback_reason,
                  fmt::format("the runtime did not load the embedded code object: {}", hipGetErrorName(fault.error)));
      } else if (of_module) {
        EXPECT_EQ(status, hiprope_error_no_code_object);
        EXPECT_NE(std::string(hiprope_last_error()).find(hipGetErrorName(fault.error)), std::string::npos)
            << hiprope_last_error();
      } else if (!fault.harmless) {
        expect_failure(fault, status);
        EXPECT_EQ(rope, nullptr);
      }
      expect_left_alone(fault, kKernelDevice);
      hiprope_destroy(rope);
      fake::Held held = fake::held();
      if (fault.call == Call::stream_destroy) held.streams = 0;
      EXPECT_EQ(held, fake::Held{});
      if (fault.call == Call::stream_destroy) fake::drop_streams();
      EXPECT_TRUE(Rope(three_axes(), Device::gpu(kOtherKernelDevice)).created()) << hiprope_last_error();
    }
  }
}

TEST_F(fake_gpu_faults, out_of_gpu_memory_says_how_many_bytes_it_wanted) {
  fake::reset({{fake::kWithKernels, 256 * 1024}});
  RopeConfig config;
  config.head_dim = 128;
  config.max_positions = 1000;
  const Rope rope(config, Device::gpu());
  EXPECT_EQ(rope.created().status(), static_cast<hiprope_status>(hipErrorOutOfMemory));
  EXPECT_NE(rope.created().message().find(" 512000 bytes of GPU memory"), std::string::npos)
      << rope.created().message();
  config.max_positions = 100;
  EXPECT_TRUE(Rope(config, Device::gpu()).created());
}

TEST_F(fake_gpu_faults, destruction_frees_all_that_the_runtime_lets_it) {
  std::vector<Fault> faults;
  {
    hiprope_rope* rope = nullptr;
    ASSERT_EQ(create(kOtherKernelDevice, Fallback::forbid, &rope), hiprope_ok);
    faults = faults_of([&] { hiprope_destroy(rope); });
  }
  for (const Fault& fault : faults) {
    SCOPED_TRACE(fault.text);
    SetUp();
    hiprope_rope* rope = nullptr;
    ASSERT_EQ(create(kOtherKernelDevice, Fallback::forbid, &rope), hiprope_ok);
    fake::fail_call(fault.index, fault.error);
    hiprope_destroy(rope);
    EXPECT_TRUE(fake::failed());
    fake::fail_none();
    const fake::Held held = fake::held();
    EXPECT_EQ(held.allocations, fault.call == Call::free ? 1U : 0U);
    EXPECT_EQ(held.modules, fault.call == Call::module_unload ? 1U : 0U);
    if (fault.restores_device) {
      ASSERT_EQ(hipSetDevice(kKernelDevice), hipSuccess);
    }
    EXPECT_EQ(current_device(), kKernelDevice);
    EXPECT_EQ(hipGetLastError(), hipSuccess);
  }
  SetUp();
}

// A Rope, its case on its device, and the caller elsewhere.
struct Scene {
  explicit Scene(int rope_device, bool out_of_place)
      : c(small_case(out_of_place)),
        before(make_images(c)),
        device(rope_device),
        current(rope_device),
        rope(c.config, Device::gpu(rope_device)),
        on_device(c, before) {
    EXPECT_TRUE(rope.created()) << rope.created().message();
    EXPECT_EQ(hipSetDevice(kCaller), hipSuccess);
  }
  ~Scene() { EXPECT_EQ(hipSetDevice(device), hipSuccess); }

  Images download() const {
    const AsCurrent current_for_copies(device);
    return on_device.download();
  }
  void upload() const {
    const AsCurrent current_for_copies(device);
    on_device.upload(before);
  }

  static constexpr int kCaller = kWrongDevice;
  Case c;
  Images before;
  int device;
  AsCurrent current;
  Rope rope;
  DeviceCase on_device;
  Stream stream;
};

// The caller's device is set back after the launch: a failure there leaves the tensors rotated, and says so.
TEST_F(fake_gpu_faults, a_failed_launch_changes_nothing) {
  for (const bool out_of_place : {false, true}) {
    const Scene scene(kOtherKernelDevice, out_of_place);
    const Images expected = expected_images(scene.c, scene.before);
    const auto faults = faults_of([&] { EXPECT_TRUE(scene.on_device.call(scene.rope, scene.stream)); });
    EXPECT_EQ(faults.size(), 4U);
    for (const Fault& fault : faults) {
      SCOPED_TRACE(fault.text);
      scene.upload();
      const std::uint64_t launches = scene.rope.stats().launches;
      fake::fail_call(fault.index, fault.error);
      const Result result = scene.on_device.call(scene.rope, scene.stream);
      expect_left_alone(fault, Scene::kCaller);
      if (fault.harmless) continue;
      expect_failure(fault, result.status());
      EXPECT_EQ(result.path(), Path::none);
      EXPECT_EQ(scene.rope.stats().launches, launches);
      scene.stream.synchronize();
      if (!fault.restores_device) {
        EXPECT_TRUE(scene.download() == scene.before);
        EXPECT_TRUE(scene.on_device.call(scene.rope, scene.stream));
        scene.stream.synchronize();
      }
      EXPECT_EQ(difference(scene.c, expected, scene.download()), "");
    }
  }
}

TEST_F(fake_gpu_faults, position_errors_survive_failed_reads_and_clears) {
  const Scene scene(kOtherKernelDevice, false);
  ASSERT_TRUE(scene.on_device.call(scene.rope, scene.stream));
  scene.stream.synchronize();
  const auto read = [&] {
    hiprope_position_errors errors{};
    errors.size = sizeof(errors);
    const hiprope_status status = hiprope_read_position_errors(scene.rope.get(), scene.stream.handle(), &errors);
    return std::pair(status, errors);
  };
  for (const Fault& fault : faults_of([&] { EXPECT_EQ(read().first, hiprope_ok); })) {
    SCOPED_TRACE(fault.text);
    fake::fail_call(fault.index, fault.error);
    const auto [status, errors] = read();
    expect_left_alone(fault, Scene::kCaller);
    if (!fault.harmless) expect_failure(fault, status);
    if (!fault.harmless) {
      EXPECT_EQ(errors.count, 0U) << "written by a failed call";
    }
    EXPECT_EQ(read().second.count, 2U);
    EXPECT_EQ(read().second.first_token, 2);
  }
  const auto clear = [&] { return hiprope_clear_position_errors(scene.rope.get(), scene.stream.handle()); };
  for (const Fault& fault : faults_of([&] { EXPECT_EQ(clear(), hiprope_ok); })) {
    SCOPED_TRACE(fault.text);
    fake::fail_call(fault.index, fault.error);
    const hiprope_status status = clear();
    expect_left_alone(fault, Scene::kCaller);
    if (!fault.harmless) expect_failure(fault, status);
    EXPECT_EQ(clear(), hiprope_ok);
    EXPECT_EQ(read().second.count, 0U);
  }
}

// Until the copies back begin nothing is written; from then on the sentence says that it may be.
TEST_F(fake_gpu_faults, the_fallback_leaves_tensors_alone_or_says_that_it_did_not) {
  for (const bool out_of_place : {false, true}) {
    const Scene scene(kBareDevice, out_of_place);
    const Images expected = expected_images(scene.c, scene.before);
    const auto call = [&] { return scene.on_device.call(scene.rope, scene.stream); };
    const auto faults = faults_of([&] { EXPECT_TRUE(call()); });
    ASSERT_GT(faults.size(), 12U);
    int partly = 0;
    for (const Fault& fault : faults) {
      SCOPED_TRACE(fault.text);
      scene.upload();
      const std::uint64_t fallbacks = scene.rope.stats().fallbacks;
      fake::fail_call(fault.index, fault.error);
      const Result result = call();
      expect_left_alone(fault, Scene::kCaller);
      scene.stream.synchronize();
      if (fault.harmless) continue;
      expect_failure(fault, result.status());
      EXPECT_EQ(result.path(), Path::none);
      EXPECT_EQ(scene.rope.stats().fallbacks, fallbacks);
      const bool warned = result.message().find("may be partly written") != std::string::npos;
      partly += warned ? 1 : 0;
      if (!warned) {
        EXPECT_EQ(scene.download(), scene.before) << result.message();
      }
      scene.upload();
      EXPECT_TRUE(call());
      EXPECT_EQ(difference(scene.c, expected, scene.download()), "");
    }
    EXPECT_GT(partly, 0);
    EXPECT_LT(partly, static_cast<int>(faults.size()) / 2 + 1) << "warned where nothing was written";
  }
}

TEST_F(fake_gpu_faults, a_machine_without_driver_or_gpu_has_no_devices) {
  for (const hipError_t error : {hipErrorNoDevice, hipErrorInsufficientDriver}) {
    fake::fail_all(Call::get_device_count, error);
    std::int32_t count = -1;
    EXPECT_EQ(hiprope_device_count(&count), hiprope_ok);
    EXPECT_EQ(count, 0);
    EXPECT_EQ(Rope(small_case(false).config, Device::gpu()).created().status(), hiprope_error_no_such_device);
  }
  fake::fail_all(Call::get_device_count, hipErrorUnknown);
  std::int32_t count = -1;
  EXPECT_EQ(hiprope_device_count(&count), static_cast<hiprope_status>(hipErrorUnknown));
  EXPECT_EQ(count, 0);
}

TEST_F(fake_gpu_faults, device_info_returns_the_runtimes_code) {
  hiprope_device_info info{};
  info.size = sizeof(info);
  const auto get = [&] { return hiprope_get_device_info(kKernelDevice, &info); };
  for (const Fault& fault : faults_of([&] { EXPECT_EQ(get(), hiprope_ok); })) {
    SCOPED_TRACE(fault.text);
    fake::fail_call(fault.index, fault.error);
    expect_failure(fault, get());
    expect_left_alone(fault, kKernelDevice);
    EXPECT_EQ(get(), hiprope_ok);
  }
}

}  // namespace
}  // namespace hiprope::test
