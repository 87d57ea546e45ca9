// A Rope on a GPU: counters, fallback, position errors, captures, and the statuses that only a GPU reaches.
#include <gtest/gtest.h>

#include <thread>

#include "tests/support/cases.h"
#include "tests/support/environment.h"
#include "tests/support/gpu.h"
#include "tests/support/oracle.h"
#include "tests/support/random.h"

namespace hiprope::test {
namespace {

Draft plain_draft() {
  Draft draft;
  draft.name = "plain";
  draft.config.head_dim = 64;
  draft.config.rotary_dim = 48;
  draft.config.max_positions = 64;
  draft.type = DataType::bf16;
  draft.tokens = 6;
  draft.q_heads = 4;
  draft.k_heads = 2;
  return draft;
}

// What was recorded has not run yet; replayed, it gives what the CPU path makes of the case.
void expect_replay_rotates(const Graph& graph, const Stream& stream, const Case& c, const Images& before,
                           const DeviceCase& on_device) {
  ASSERT_TRUE(graph.valid()) << "the capture was broken";
  EXPECT_EQ(on_device.download(), before);
  graph.launch(stream);
  stream.synchronize();
  EXPECT_EQ(difference(c, expected_images(c, before), on_device.download()), "");
}

TEST(GpuHandle, NoRoundTrip) {
  HIPROPE_NEEDS_GPU();
  const Case c = build(plain_draft());
  const Images before = make_images(c);
  const DeviceCase on_device(c, before);
  const Stream stream;
  const Rope rope(c.config, Device::gpu(), Fallback::forbid);
  ASSERT_TRUE(rope) << rope.created().message();
  const hiprope_stats created = rope.stats();
  for (int i = 0; i < 100; ++i) {
    const Result result = on_device.call(rope, stream);
    ASSERT_TRUE(result) << result.message();
    ASSERT_EQ(result.path(), Path::gpu);
  }
  stream.synchronize();
  const hiprope_stats stats = rope.stats();
  EXPECT_EQ(stats.launches, 100U);
  EXPECT_EQ(stats.table_uploads, 1U);
  EXPECT_EQ(stats.fallbacks, 0U);
  EXPECT_EQ(stats.cpu_calls, 0U);
  EXPECT_EQ(stats.bytes_device_to_host, 0U);
  EXPECT_EQ(stats.bytes_host_to_device, created.bytes_host_to_device);
  EXPECT_GE(stats.bytes_host_to_device, 64U * 48U * 4U);
}

TEST(GpuHandle, InfoSaysWhatRuns) {
  HIPROPE_NEEDS_GPU();
  const Case c = build(plain_draft());
  const Rope rope(c.config, Device::gpu(), Fallback::forbid);
  const hiprope_rope_info info = rope.info();
  EXPECT_EQ(info.path, hiprope_path_gpu);
  EXPECT_EQ(info.device, 0);
  EXPECT_EQ(info.table_bytes, 64U * 48U * 4U);
  EXPECT_STREQ(info.fallback_reason, "");
  hiprope_device_info device{};
  device.size = sizeof(device);
  ASSERT_EQ(hiprope_get_device_info(0, &device), hiprope_ok);
  EXPECT_STREQ(info.architecture, device.architecture);
  EXPECT_EQ(device.has_code_object, 1);
  EXPECT_GT(device.compute_units, 0);
}

TEST(GpuFallback, HiddenCodeObjectsGoThroughTheCpu) {
  HIPROPE_NEEDS_GPU();
  const Environment hidden("HIPROPE_HIDE_CODE_OBJECTS", "1");
  for (const Group& group : case_groups()) {
    if (group.name != "layouts" && group.name != "positions_out_of_range" && group.name != "axes" &&
        group.name != "pair_layouts" && group.name != "half_in_place" && group.name != "zero_size") {
      continue;
    }
    for (const Case& c : group.cases) {
      SCOPED_TRACE(describe(c));
      const Images before = make_images(c);
      Images on_cpu = before;
      const Outcome expected = run_cpu(c, on_cpu);
      const Rope rope(c.config, Device::gpu());
      ASSERT_TRUE(rope) << rope.created().message();
      EXPECT_EQ(rope.info().path, hiprope_path_cpu_fallback);
      EXPECT_STRNE(rope.info().fallback_reason, "");
      Images actual = before;
      const Outcome outcome = run_gpu(c, rope, Mode::eager, actual);
      ASSERT_EQ(outcome.status, hiprope_ok) << outcome.message;
      const bool empty = expected.path == Path::none;
      EXPECT_EQ(outcome.path, empty ? Path::none : Path::cpu_fallback);
      EXPECT_EQ(difference(c, on_cpu, actual), "");
      EXPECT_EQ(oracle_mismatch(c, before, actual), "");
      EXPECT_EQ(outcome.out_of_range, expected.out_of_range);
      EXPECT_EQ(outcome.first_out_of_range, expected.first_out_of_range);
      const hiprope_stats stats = rope.stats();
      EXPECT_EQ(stats.launches, 0U);
      EXPECT_EQ(stats.fallbacks, empty ? 0U : 1U);
      EXPECT_EQ(stats.bytes_device_to_host > 0, !empty);
    }
  }
}

// A Rope in fallback on a GPU that has kernels.
Rope hidden(const RopeConfig& config) {
  const Environment hides("HIPROPE_HIDE_CODE_OBJECTS", "1");
  return Rope(config, Device::gpu());
}

TEST(GpuHandle, NothingIsPrinted) {
  HIPROPE_NEEDS_GPU();
  Draft draft = plain_draft();
  draft.ids = {1, 2, 64, 4, -1, 63};
  const Case c = build(draft);
  const DeviceCase on_device(c, make_images(c));
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  {
    const Stream stream;
    const Rope rope(c.config, Device::gpu(), Fallback::forbid);
    EXPECT_TRUE(on_device.call(rope, stream));
    EXPECT_TRUE(on_device.call(hidden(c.config), stream));
    Case wrong = c;
    wrong.q.token_stride = 1;
    EXPECT_FALSE(on_device.call(wrong, rope, stream));
    hiprope_position_errors errors{};
    EXPECT_TRUE(rope.read_position_errors(errors, stream.handle()));
    EXPECT_EQ(errors.count, 2U);
    EXPECT_FALSE(Rope(c.config, Device::gpu(1000)));
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

TEST(GpuFallback, ForbiddenIsRefusedAtCreation) {
  HIPROPE_NEEDS_GPU();
  const Environment hidden("HIPROPE_HIDE_CODE_OBJECTS", "1");
  const Rope rope(build(plain_draft()).config, Device::gpu(), Fallback::forbid);
  EXPECT_FALSE(rope);
  EXPECT_EQ(rope.created().status(), hiprope_error_no_code_object);
  EXPECT_NE(rope.created().message(), "");
}

TEST(GpuFallback, InsideACaptureIsRefusedAndTheCaptureSurvives) {
  HIPROPE_NEEDS_GPU();
  const Case c = build(plain_draft());
  const Images before = make_images(c);
  const DeviceCase on_device(c, before);
  const Stream stream;
  const Rope working(c.config, Device::gpu(), Fallback::forbid);
  const Rope hidden_rope = hidden(c.config);
  stream.begin_capture();
  const Result refused = on_device.call(hidden_rope, stream);
  const Result recorded = on_device.call(working, stream);
  const Graph graph(stream);
  EXPECT_EQ(refused.status(), hiprope_error_capturing);
  EXPECT_EQ(refused.path(), Path::none);
  EXPECT_TRUE(recorded) << recorded.message();
  expect_replay_rotates(graph, stream, c, before, on_device);
}

TEST(GpuFallback, NonsenseInTheVariableIsRefused) {
  HIPROPE_NEEDS_GPU();
  const Environment nonsense("HIPROPE_HIDE_CODE_OBJECTS", "perhaps");
  const Rope rope(build(plain_draft()).config, Device::gpu());
  EXPECT_EQ(rope.created().status(), hiprope_error_environment);
  EXPECT_NE(rope.created().message().find("HIPROPE_HIDE_CODE_OBJECTS"), std::string::npos) << rope.created().message();
}

TEST(GpuHandle, CpuFunctionsRefuseIt) {
  HIPROPE_NEEDS_GPU();
  const Case c = build(plain_draft());
  Images images = make_images(c);
  const Images before = images;
  const Rope rope(c.config, Device::gpu());
  const TensorView q(&images[0][kGuardBytes], c.type, c.tokens, c.q.heads, c.config.head_dim, c.q.token_stride,
                     c.q.head_stride);
  const Result result = apply_rope_cpu(rope, q, Positions::from(0));
  EXPECT_EQ(result.status(), hiprope_error_wrong_device);
  EXPECT_NE(result.message().find("rope"), std::string::npos) << result.message();
  EXPECT_EQ(images, before);
}

// One graph, replayed over changed tensors and changed ids, counts each replay's tokens out of range.
TEST(GpuPositions, ReplaysReadTheIdsOfTheirTimeAndCount) {
  HIPROPE_NEEDS_GPU();
  Draft draft = plain_draft();
  draft.ids = {1, 2, 3, 4, 5, 6};
  const Case first = build(draft);
  draft.ids = {1, 2, 64, 4, -1, 63};
  const Case second = build(draft);
  const Images before = make_images(first);
  const DeviceCase on_device(first, before);
  const Stream stream;
  const Rope rope(first.config, Device::gpu(), Fallback::forbid);
  stream.begin_capture();
  const Result recorded = on_device.call(rope, stream);
  const Graph graph(stream);
  ASSERT_TRUE(recorded) << recorded.message();
  ASSERT_TRUE(graph.valid());
  std::uint64_t out_of_range = 0;
  for (const Case* c : {&first, &second, &second, &first}) {
    on_device.ids().upload(id_bytes(*c));
    on_device.upload(before);
    graph.launch(stream);
    stream.synchronize();
    Images expected = before;
    out_of_range += run_cpu(*c, expected).out_of_range;
    EXPECT_EQ(difference(*c, expected, on_device.download()), "");
    hiprope_position_errors errors{};
    ASSERT_TRUE(rope.read_position_errors(errors, stream.handle()));
    EXPECT_EQ(errors.count, out_of_range);
    EXPECT_EQ(errors.first_token, out_of_range == 0 ? -1 : 2);
  }
  EXPECT_EQ(out_of_range, 4U);
  ASSERT_TRUE(rope.clear_position_errors(stream.handle()));
  hiprope_position_errors errors{};
  ASSERT_TRUE(rope.read_position_errors(errors, stream.handle()));
  EXPECT_EQ(errors.count, 0U);
  EXPECT_EQ(errors.first_token, -1);
}

TEST(GpuPositions, CountedOnceATokenUnderManyBlocks) {
  HIPROPE_NEEDS_GPU();
  Draft draft = plain_draft();
  draft.tokens = 300;
  draft.q_heads = 3;
  draft.k_heads = 1;
  Random random(run_seed());
  std::uint64_t wanted = 0;
  std::int64_t first = -1;
  for (std::int64_t token = 0; token < draft.tokens; ++token) {
    const bool outside = token >= 7 && random.chance(50);
    draft.ids.push_back(outside ? 64 + static_cast<std::int64_t>(random.bits() >> 8) : random.between(0, 63));
    wanted += outside ? 1 : 0;
    if (outside && first < 0) first = token;
  }
  const Case c = build(draft);
  Images images = make_images(c);
  const Rope rope(c.config, Device::gpu(), Fallback::forbid);
  const Outcome outcome = run_gpu(c, rope, Mode::eager, images);
  EXPECT_EQ(outcome.out_of_range, wanted);
  EXPECT_EQ(outcome.first_out_of_range, first);
}

TEST(GpuCapture, ReadingErrorsIsRefusedAndClearingIsRecorded) {
  HIPROPE_NEEDS_GPU();
  Draft draft = plain_draft();
  draft.ids = {1, 2, 64, 4, -1, 63};
  const Case c = build(draft);
  const Images before = make_images(c);
  const DeviceCase on_device(c, before);
  const Stream stream;
  const Rope rope(c.config, Device::gpu(), Fallback::forbid);
  ASSERT_TRUE(on_device.call(rope, stream));
  hiprope_position_errors errors{};
  ASSERT_TRUE(rope.read_position_errors(errors, stream.handle()));
  EXPECT_EQ(errors.count, 2U);
  stream.begin_capture();
  const Result read = rope.read_position_errors(errors, stream.handle());
  const Result cleared = rope.clear_position_errors(stream.handle());
  const Result recorded = on_device.call(rope, stream);
  const hiprope_stats stats = rope.stats();
  const hiprope_rope_info info = rope.info();
  const Graph graph(stream);
  EXPECT_EQ(read.status(), hiprope_error_capturing);
  EXPECT_TRUE(cleared) << cleared.message();
  EXPECT_TRUE(recorded) << recorded.message();
  EXPECT_EQ(stats.launches, 2U);
  EXPECT_EQ(info.path, hiprope_path_gpu);
  ASSERT_TRUE(graph.valid());
  for (int replay = 0; replay < 3; ++replay) graph.launch(stream);
  ASSERT_TRUE(rope.read_position_errors(errors, stream.handle()));
  EXPECT_EQ(errors.count, 2U);
  EXPECT_EQ(errors.first_token, 2);
}

// A call that is refused while a stream is captured leaves the capture whole.
TEST(GpuCapture, RefusedCallsDoNotBreakIt) {
  HIPROPE_NEEDS_GPU();
  const Case c = build(plain_draft());
  const Images before = make_images(c);
  const DeviceCase on_device(c, before);
  const Stream stream;
  const Rope rope(c.config, Device::gpu(), Fallback::forbid);
  Case wrong = c;
  wrong.q.token_stride = 1;
  stream.begin_capture();
  const Result refused = on_device.call(wrong, rope, stream);
  const Result recorded = on_device.call(rope, stream);
  const Graph graph(stream);
  EXPECT_EQ(refused.status(), hiprope_error_stride);
  EXPECT_TRUE(recorded) << recorded.message();
  expect_replay_rotates(graph, stream, c, before, on_device);
}

// What an engine may do while one of its streams, or another thread's, is captured: make and drop a Rope, use it on
// other streams, and ask for what happened. The default stream is refused, since its use would break the capture.
TEST(GpuCapture, NoFunctionBreaksIt) {
  HIPROPE_NEEDS_GPU();
  const Case c = build(plain_draft());
  const Images before = make_images(c);
  const DeviceCase on_device(c, before);
  Draft apart = plain_draft();
  apart.out_of_place = true;  // so that it may be rotated any number of times
  const Case other_case = build(apart);
  const Images other_images = make_images(other_case);
  const DeviceCase beside(other_case, other_images);
  const Stream stream, other;
  const Rope rope(c.config, Device::gpu(), Fallback::forbid);
  const Rope hidden_rope = hidden(c.config);
  const auto use_everything = [&] {
    const Rope made(c.config, Device::gpu(), Fallback::forbid);
    EXPECT_TRUE(made) << made.created().message();
    EXPECT_TRUE(beside.call(rope, other));
    const Result through_host = beside.call(hidden_rope, other);
    EXPECT_EQ(through_host.path(), Path::cpu_fallback) << through_host.message();
    EXPECT_EQ(beside.call(hidden_rope, stream).status(), hiprope_error_capturing);
    EXPECT_EQ(beside.call(hidden_rope, nullptr).status(), hiprope_error_capturing);
    std::int32_t count = 0;
    EXPECT_EQ(hiprope_device_count(&count), hiprope_ok);
    hiprope_position_errors errors{};
    EXPECT_TRUE(rope.read_position_errors(errors, other.handle()));
    EXPECT_TRUE(rope.clear_position_errors(other.handle()));
    EXPECT_EQ(rope.read_position_errors(errors, stream.handle()).status(), hiprope_error_capturing);
    EXPECT_EQ(rope.read_position_errors(errors).status(), hiprope_error_capturing);
    EXPECT_EQ(rope.clear_position_errors().status(), hiprope_error_capturing);
    EXPECT_EQ(beside.call(rope, nullptr).status(), hiprope_error_capturing);
    EXPECT_GT(rope.stats().launches, 0U);
    EXPECT_EQ(rope.info().path, hiprope_path_gpu);
    hiprope_device_info device{};
    device.size = sizeof(device);
    EXPECT_EQ(hiprope_get_device_info(0, &device), hiprope_ok);
  };
  stream.begin_capture();
  use_everything();
  std::thread(use_everything).join();
  const Result recorded = on_device.call(rope, stream);
  const Graph graph(stream);
  EXPECT_TRUE(recorded) << recorded.message();
  expect_replay_rotates(graph, stream, c, before, on_device);
  const Images expected = expected_images(other_case, other_images);
  EXPECT_EQ(difference(other_case, expected, beside.download()), "");
  beside.upload(other_images);
  EXPECT_TRUE(beside.call(rope, nullptr)) << "without a capture the default stream serves";
  EXPECT_EQ(difference(other_case, expected, beside.download()), "");
}

TEST(GpuHandle, ADeviceThatDoesNotExistIsNamed) {
  HIPROPE_NEEDS_GPU();
  hiprope_device_info device{};
  device.size = sizeof(device);
  ASSERT_EQ(hiprope_get_device_info(1000, &device), hiprope_error_no_such_device);
  const Rope rope(build(plain_draft()).config, Device::gpu(1000));
  EXPECT_EQ(rope.created().status(), hiprope_error_no_such_device);
  EXPECT_NE(rope.created().message().find("1000"), std::string::npos) << rope.created().message();
}

}  // namespace
}  // namespace hiprope::test
