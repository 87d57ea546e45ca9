// Every function of the interface inside a capture: it works, or returns a status, and the capture stays valid.
#include <functional>
#include <thread>

#include "tests/fake_gpu/fixture.h"

namespace hiprope::test {
namespace {

using fake_gpu_capture = FakeGpu;

constexpr hipStreamCaptureMode kModes[] = {hipStreamCaptureModeGlobal, hipStreamCaptureModeThreadLocal,
                                           hipStreamCaptureModeRelaxed};

// Runs `operation` while `stream` is captured, in every mode; whether the capture was still valid each time.
void expect_capture_survives(const Stream& stream, const char* name, const std::function<void()>& operation) {
  for (const hipStreamCaptureMode mode : kModes) {
    SCOPED_TRACE(testing::Message() << name << ", capture mode " << mode);
    ASSERT_EQ(hipStreamBeginCapture(static_cast<hipStream_t>(stream.handle()), mode), hipSuccess);
    operation();
    EXPECT_TRUE(Graph(stream).valid()) << "the capture was broken";
  }
}

struct Scene {
  explicit Scene(int device)
      : c(small_case(false)),
        images(make_images(c)),
        current(device),
        rope(c.config, Device::gpu(device)),
        on_device(c, images) {
    EXPECT_TRUE(rope.created()) << rope.created().message();
  }
  Case c;
  Images images;
  AsCurrent current;
  Rope rope;
  DeviceCase on_device;
  Stream stream;
};

void expect_queries_work(const Scene& scene) {
  expect_capture_survives(scene.stream, "queries", [&] {
    std::int32_t count = 0;
    EXPECT_EQ(hiprope_device_count(&count), hiprope_ok);
    hiprope_device_info info{};
    info.size = sizeof(info);
    EXPECT_EQ(hiprope_get_device_info(kKernelDevice, &info), hiprope_ok);
    EXPECT_GT(scene.rope.stats().size, 0U);
    EXPECT_GT(scene.rope.info().size, 0U);
    hiprope_frequency_report report{};
    report.size = sizeof(report);
    const hiprope_config config = scene.c.config.to_c();
    EXPECT_EQ(hiprope_frequencies(&config, &report), hiprope_ok);
  });
}

TEST_F(fake_gpu_capture, calls_on_a_gpu_rope) {
  const Scene scene(kKernelDevice);
  expect_queries_work(scene);
  expect_capture_survives(scene.stream, "apply", [&] { EXPECT_TRUE(scene.on_device.call(scene.rope, scene.stream)); });
  expect_capture_survives(scene.stream, "refused apply", [&] {
    Case c = scene.c;
    c.q.token_stride = -1;
    EXPECT_EQ(scene.on_device.call(c, scene.rope, scene.stream).status(), hiprope_error_stride);
  });
  expect_capture_survives(scene.stream, "clear_position_errors",
                          [&] { EXPECT_TRUE(scene.rope.clear_position_errors(scene.stream.handle())); });
  expect_capture_survives(scene.stream, "read_position_errors", [&] {
    hiprope_position_errors errors{};
    EXPECT_EQ(scene.rope.read_position_errors(errors, scene.stream.handle()).status(), hiprope_error_capturing);
  });
  EXPECT_EQ(scene.on_device.download(), scene.images) << "a captured call ran";
}

TEST_F(fake_gpu_capture, calls_on_a_rope_in_fallback) {
  const Scene scene(kBareDevice);
  expect_queries_work(scene);
  expect_capture_survives(scene.stream, "apply", [&] {
    const Result result = scene.on_device.call(scene.rope, scene.stream);
    EXPECT_EQ(result.status(), hiprope_error_capturing);
    EXPECT_EQ(result.path(), Path::none);
  });
  expect_capture_survives(scene.stream, "position errors", [&] {
    hiprope_position_errors errors{};
    EXPECT_TRUE(scene.rope.read_position_errors(errors, scene.stream.handle()));
    EXPECT_TRUE(scene.rope.clear_position_errors(scene.stream.handle()));
  });
  EXPECT_EQ(scene.on_device.download(), scene.images);
}

// An engine may make a Rope lazily, at its first use, inside a capture of its own or of another thread.
TEST_F(fake_gpu_capture, creation_and_destruction) {
  for (const int device : {kKernelDevice, kBareDevice}) {
    const Scene scene(device);
    const auto create = [&] {
      const Rope rope(scene.c.config, Device::gpu(device));
      EXPECT_TRUE(rope.created()) << rope.created().message();
    };
    expect_capture_survives(scene.stream, "create", create);
    expect_capture_survives(scene.stream, "create in another thread", [&] { std::thread(create).join(); });
    hipStreamCaptureMode mode = hipStreamCaptureModeGlobal;
    ASSERT_EQ(hipThreadExchangeStreamCaptureMode(&mode), hipSuccess);
    EXPECT_EQ(mode, hipStreamCaptureModeGlobal) << "the thread's capture mode was not restored";
  }
}

// Waiting for a stream that is not captured must not break the capture of one that is.
TEST_F(fake_gpu_capture, calls_on_other_streams) {
  for (const int device : {kKernelDevice, kBareDevice}) {
    const Scene scene(device);
    const Stream other;
    const auto use = [&] {
      EXPECT_TRUE(scene.on_device.call(scene.rope, other));
      hiprope_position_errors errors{};
      EXPECT_TRUE(scene.rope.read_position_errors(errors, other.handle()));
      EXPECT_EQ(errors.count % 2, 0U);
    };
    expect_capture_survives(scene.stream, "calls on another stream", use);
    expect_capture_survives(scene.stream, "calls on another stream and thread", [&] { std::thread(use).join(); });
  }
}

// The default stream counts as captured while a stream that waits for it is.
TEST_F(fake_gpu_capture, calls_on_the_default_stream) {
  const Scene scene(kKernelDevice);
  expect_capture_survives(scene.stream, "default stream", [&] {
    const Result result = scene.on_device.call(scene.rope, nullptr);
    EXPECT_EQ(result.status(), hiprope_error_capturing);
    EXPECT_EQ(result.path(), Path::none);
    EXPECT_EQ(scene.rope.clear_position_errors().status(), hiprope_error_capturing);
    hiprope_position_errors errors{};
    EXPECT_EQ(scene.rope.read_position_errors(errors).status(), hiprope_error_capturing);
  });
  EXPECT_TRUE(scene.on_device.call(scene.rope, nullptr)) << "without a capture it takes the default stream";
}

TEST_F(fake_gpu_capture, calls_on_the_default_stream_in_fallback) {
  const Scene scene(kBareDevice);
  expect_capture_survives(scene.stream, "default stream in fallback", [&] {
    EXPECT_EQ(scene.on_device.call(scene.rope, nullptr).status(), hiprope_error_capturing);
  });
}

// What PyTorch captures: a stream that does not wait for the default stream, which stays free.
TEST_F(fake_gpu_capture, a_stream_of_its_own_leaves_the_default_stream_free) {
  const Scene scene(kKernelDevice);
  hipStream_t apart = nullptr;
  ASSERT_EQ(hipStreamCreateWithFlags(&apart, hipStreamNonBlocking), hipSuccess);
  ASSERT_EQ(hipStreamBeginCapture(apart, hipStreamCaptureModeRelaxed), hipSuccess);
  EXPECT_TRUE(scene.on_device.call(scene.rope, nullptr));
  EXPECT_TRUE(scene.rope.clear_position_errors());
  hipGraph_t graph = nullptr;
  EXPECT_EQ(hipStreamEndCapture(apart, &graph), hipSuccess) << "the capture was broken";
  EXPECT_EQ(hipGraphDestroy(graph), hipSuccess);
  EXPECT_EQ(hipStreamDestroy(apart), hipSuccess);
}

// The functions for one tensor and for host memory.
TEST_F(fake_gpu_capture, other_functions) {
  const Scene scene(kKernelDevice);
  RopeConfig config;
  config.head_dim = 8;
  config.max_positions = 4;
  const Rope cpu(config, Device::cpu());
  std::vector<float> values(8, 1.0F);
  const TensorView view = TensorView::thd(values.data(), DataType::f32, 1, 1, 8);
  Case single = scene.c;
  single.k.reset();
  single.k_out.reset();
  expect_capture_survives(scene.stream, "other functions", [&] {
    EXPECT_TRUE(scene.on_device.call(single, scene.rope, scene.stream));
    EXPECT_TRUE(apply_rope_cpu(cpu, view, Positions::from(1)));
    EXPECT_EQ(apply_rope_cpu(scene.rope, view, Positions::from(1)).status(), hiprope_error_wrong_device);
    EXPECT_EQ(apply_position_embeddings_cpu(scene.rope, view, view, Positions::from(1)).status(),
              hiprope_error_wrong_device);
  });
}

TEST_F(fake_gpu_capture, a_replayed_clear_clears) {
  const Scene scene(kKernelDevice);
  ASSERT_TRUE(scene.on_device.call(scene.rope, scene.stream));
  scene.stream.synchronize();
  hiprope_position_errors errors{};
  scene.stream.begin_capture();
  EXPECT_TRUE(scene.rope.clear_position_errors(scene.stream.handle()));
  const Graph graph(scene.stream);
  EXPECT_TRUE(scene.rope.read_position_errors(errors, scene.stream.handle()));
  EXPECT_EQ(errors.count, 2U);
  graph.launch(scene.stream);
  EXPECT_TRUE(scene.rope.read_position_errors(errors, scene.stream.handle()));
  EXPECT_EQ(errors.count, 0U);
  EXPECT_EQ(errors.first_token, -1);
}

}  // namespace
}  // namespace hiprope::test
