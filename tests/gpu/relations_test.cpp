// What must give the same bits on a GPU: random cases against the CPU path, a graph, single calls and single tokens.
#include <gtest/gtest.h>

#include <cstdio>
#include <iterator>

#include "tests/support/cases.h"
#include "tests/support/environment.h"
#include "tests/support/gpu.h"
#include "tests/support/oracle.h"
#include "tests/support/property.h"
#include "tests/support/relations.h"

namespace hiprope::test {
namespace {

// Calls of their own ids over the buffers of one case, one after another.
std::string run_calls(const Case& c, const std::vector<Case>& calls, const Rope& rope, const Images& before,
                      const Images& expected) {
  const DeviceCase on_device(c, before);
  const Stream stream;
  for (const Case& one : calls) {
    on_device.ids().upload(id_bytes(one));
    const Result result = on_device.call(one, rope, stream);
    if (!result) return result.message();
    stream.synchronize();
  }
  return difference(c, expected, on_device.download());
}

std::string mismatch_as_tuned(const Case& c) {
  const Images before = make_images(c);
  Images expected = before;
  const Outcome cpu = run_cpu(c, expected);
  const Rope rope(c.config, Device::gpu(), Fallback::forbid);
  if (!rope) return "creation: " + rope.created().message();
  Images eager = before;
  const Outcome outcome = run_gpu(c, rope, Mode::eager, eager);
  if (outcome.status != cpu.status) return "status: " + outcome.message + " against " + cpu.message;
  if (outcome.path != (cpu.path == Path::cpu ? Path::gpu : cpu.path)) return "it did not run on the GPU";
  if (const std::string fault = difference(c, expected, eager); !fault.empty()) return "eager: " + fault;
  if (outcome.out_of_range != cpu.out_of_range || outcome.first_out_of_range != cpu.first_out_of_range)
    return "tokens out of range differ";
  if (const std::string fault = oracle_knows(c.config) ? oracle_mismatch(c, before, eager) : ""; !fault.empty()) {
    return "oracle: " + fault;
  }
  if (cpu.path == Path::none) return {};
  switch (c.seed % 4) {
    case 0: {
      Images replayed = before;
      const Outcome captured = run_gpu(c, rope, Mode::captured, replayed);
      if (captured.status != hiprope_ok) return "captured: " + captured.message;
      if (captured.out_of_range != cpu.out_of_range || captured.first_out_of_range != cpu.first_out_of_range) {
        return "captured: tokens out of range differ";
      }
      const std::string fault = difference(c, expected, replayed);
      return fault.empty() ? "" : "captured: " + fault;
    }
    case 1: {
      const std::string fault = run_calls(c, by_tensor(c), rope, before, expected);
      return fault.empty() ? "" : "two single launches: " + fault;
    }
    case 2: {
      Moved moved = moved_apart(c, before);
      const Outcome apart = run_gpu(moved.c, rope, Mode::eager, moved.before);
      if (apart.status != hiprope_ok) return "out of place: " + apart.message;
      const std::string fault = difference(c, expected, moved_back(c, moved.before));
      return fault.empty() ? "" : "out of place: " + fault;
    }
    default: {
      const std::string fault = run_calls(c, by_token(c), rope, before, expected);
      return fault.empty() ? "" : "a call for each token: " + fault;
    }
  }
}

// Small launches alone would leave out the kernels of large ones.
constexpr const char* kTunings[] = {"", "accesses=2,block=32", "accesses=4,block=256"};

std::string gpu_mismatch(const Case& c) {
  const char* const tuning = kTunings[c.seed / 4 % std::size(kTunings)];
  const Environment variable("HIPROPE_TUNING", tuning);
  const std::string fault = mismatch_as_tuned(c);
  return fault.empty() ? "" : fault + "; HIPROPE_TUNING=" + tuning;
}

// Q and K of a model.
Draft draft_of_model(std::int64_t tokens) {
  Draft draft;
  draft.config.head_dim = 128;
  draft.config.max_positions = 4096;
  draft.type = DataType::bf16;
  draft.tokens = tokens;
  draft.q_heads = 32;
  draft.k_heads = 8;
  return draft;
}

// Calls in place that follow each other without a wait: each reads what the previous kernel writes.
TEST(GpuRelations, CallsSeeWhatThePreviousKernelWrote) {
  HIPROPE_NEEDS_GPU();
  constexpr int kCalls = 8;
  for (const char* const tuning : {"accesses=2", "accesses=4"}) {
    const Environment variable("HIPROPE_TUNING", tuning);
    for (const Pairing pairing : {Pairing::half_split, Pairing::interleaved}) {
      for (const std::int64_t tokens : {1, 64, 700}) {
        Draft draft = draft_of_model(tokens);
        draft.config.pairing = pairing;
        const Case c = build(draft);
        const Images before = make_images(c);
        Images expected = before;
        for (int i = 0; i < kCalls; ++i) expected = expected_images(c, expected);
        const DeviceCase on_device(c, before);
        const Stream stream;
        const Rope rope(c.config, Device::gpu(), Fallback::forbid);
        ASSERT_TRUE(rope) << rope.created().message();
        const auto rotate = [&] {
          for (int i = 0; i < kCalls; ++i) ASSERT_EQ(on_device.call(rope, stream).path(), Path::gpu);
        };
        rotate();
        stream.synchronize();
        EXPECT_EQ(difference(c, expected, on_device.download()), "") << tuning << ", " << tokens << " tokens";
        on_device.upload(before);
        stream.begin_capture();
        rotate();
        const Graph graph(stream);
        graph.launch(stream);
        stream.synchronize();
        EXPECT_EQ(difference(c, expected, on_device.download()), "") << tuning << ", captured, " << tokens << " tokens";
      }
    }
  }
}

// Launches that write the ids of those that follow them, without a wait, in a graph.
// Position 0 turns nothing, so a rotation out of place from `written` to the ids copies these as they are.
TEST(GpuRelations, CallsReadTheIdsThatThePreviousKernelWrote) {
  HIPROPE_NEEDS_GPU();
  constexpr int kCalls = 8;
  RopeConfig pair;
  pair.head_dim = 2;
  pair.max_positions = 1;
  const Rope copier(pair, Device::gpu(), Fallback::forbid);
  ASSERT_TRUE(copier) << copier.created().message();
  for (const std::int32_t axes : {1, 3}) {
    Draft draft = draft_of_model(64);
    draft.config.axes = axes;
    if (axes == 3) draft.config.sections = {16, 24, 24};
    draft.position_axes = axes;
    draft.name = "first ids";
    const Case first = build(draft);
    draft.name = "second ids";
    const Case second = build(draft);
    ASSERT_NE(first.ids, second.ids);
    const Images before = make_images(first);
    Images expected = before;
    for (int i = 0; i < kCalls; ++i) expected = expected_images(i % 2 == 0 ? first : second, expected);
    const DeviceCase on_device(first, before);
    const DeviceBuffer of_first(id_bytes(first).size()), of_second(id_bytes(second).size());
    of_first.upload(id_bytes(first));
    of_second.upload(id_bytes(second));
    const auto pairs = static_cast<std::int64_t>(of_first.size() / (2 * sizeof(float)));
    const auto view = [&](const DeviceBuffer& ids) { return TensorView::thd(ids.data(), DataType::f32, 1, pairs, 2); };
    const Stream stream;
    const Rope rope(first.config, Device::gpu(), Fallback::forbid);
    ASSERT_TRUE(rope) << rope.created().message();
    const TensorView ids = view(on_device.ids());
    Apply to_ids;
    to_ids.out = &ids;
    stream.begin_capture();
    for (int i = 0; i < kCalls; ++i) {
      const TensorView written = view(i % 2 == 0 ? of_first : of_second);
      const Result copied = apply_rope_device(copier, written, Positions::from(0), stream.handle(), to_ids);
      ASSERT_EQ(copied.path(), Path::gpu) << copied.message();
      ASSERT_EQ(on_device.call(rope, stream).path(), Path::gpu);
    }
    const Graph graph(stream);
    graph.launch(stream);
    stream.synchronize();
    EXPECT_EQ(difference(first, expected, on_device.download()), "") << axes << " axes";
  }
}

TEST(GpuProperty, RandomCasesHaveTheCpuPathsBits) {
  HIPROPE_NEEDS_GPU();
  const std::uint64_t seed = run_seed();
  const std::int64_t count = environment_number("HIPROPE_PROPERTY_CASES", 200);
  std::printf("HIPROPE_SEED=%llu HIPROPE_PROPERTY_CASES=%lld\n", static_cast<unsigned long long>(seed),
              static_cast<long long>(count));
  EXPECT_EQ(check_property(gpu_mismatch, count, seed), "");
}

}  // namespace
}  // namespace hiprope::test
