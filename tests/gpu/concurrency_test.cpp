// Sixteen threads that create, use and destroy Ropes over many streams of one GPU and of two.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "tests/support/cases.h"
#include "tests/support/concurrency.h"
#include "tests/support/gpu.h"

namespace hiprope::test {
namespace {

// Every element type, in place and out of place; two tokens of each are outside the table.
std::vector<Job> jobs() {
  std::vector<Job> list;
  for (const DataType type : {DataType::f32, DataType::f16, DataType::bf16}) {
    for (const bool out_of_place : {false, true}) {
      Draft draft;
      draft.config.head_dim = 64;
      draft.config.rotary_dim = 48;
      draft.config.max_positions = 64;
      draft.type = type;
      draft.out_of_place = out_of_place;
      draft.tokens = 6;
      draft.q_heads = 4;
      draft.k_heads = 2;
      draft.ids = {1, -1, 63, 64, 0, 7};
      list.emplace_back(build(draft));
    }
  }
  return list;
}

// One job on a stream of its own, called while `elsewhere` is the thread's current device; what went wrong, or nothing.
std::string run_job(const Job& job, const Rope& rope, int device, int elsewhere) {
  const AsCurrent current(device);
  const DeviceCase on_device(job.c, job.before);
  const Stream stream;
  Result result;
  {
    const AsCurrent caller(elsewhere);
    result = on_device.call(rope, stream);
    if (current_device() != elsewhere) return "the call left another device current";
  }
  if (!result) return result.message();
  if (result.path() != Path::gpu) return "the call did not run on the GPU";
  stream.synchronize();
  return difference(job.c, job.expected, on_device.download());
}

void create_use_and_destroy(int gpus) {
  const std::vector<Job> list = jobs();
  in_threads(kThreads, [&](int thread) {
    Random random(run_seed() + static_cast<std::uint64_t>(thread));
    for (int i = 0; i < 12; ++i) {
      const auto device = static_cast<int>(random.between(0, gpus - 1));
      const auto elsewhere = static_cast<int>(random.between(0, gpus - 1));
      const Job& job = any(list, random);
      const Rope rope(job.c.config, Device::gpu(device), Fallback::forbid);
      ASSERT_TRUE(rope) << rope.created().message();
      ASSERT_EQ(run_job(job, rope, device, elsewhere), "") << "thread " << thread << " seed " << run_seed();
      hiprope_position_errors errors{};
      ASSERT_TRUE(rope.read_position_errors(errors));
      ASSERT_EQ(errors.count, 2U);
      ASSERT_EQ(errors.first_token, 1);
    }
  });
}

void share_a_rope_of_each(int gpus) {
  const std::vector<Job> list = jobs();
  std::vector<Rope> ropes;
  for (int device = 0; device < gpus; ++device) {
    ropes.emplace_back(list[0].c.config, Device::gpu(device), Fallback::forbid);
    ASSERT_TRUE(ropes.back()) << ropes.back().created().message();
  }
  std::vector<std::atomic<std::uint64_t>> calls(ropes.size());
  in_threads(kThreads, [&](int thread) {
    Random random(run_seed() + static_cast<std::uint64_t>(thread));
    for (int i = 0; i < 40; ++i) {
      const auto device = static_cast<int>(random.between(0, gpus - 1));
      const auto elsewhere = static_cast<int>(random.between(0, gpus - 1));
      const auto at = static_cast<std::size_t>(device);
      ASSERT_EQ(run_job(any(list, random), ropes[at], device, elsewhere), "") << "thread " << thread;
      calls[at].fetch_add(1);
    }
  });
  for (std::size_t at = 0; at < ropes.size(); ++at) {
    hiprope_position_errors errors{};
    ASSERT_TRUE(ropes[at].read_position_errors(errors));
    EXPECT_EQ(errors.count, 2 * calls[at]) << "two tokens of every call are outside the table";
    EXPECT_EQ(ropes[at].stats().launches, calls[at]);
  }
}

TEST(GpuConcurrency, ThreadsCreateUseAndDestroyRopes) {
  HIPROPE_NEEDS_GPU();
  create_use_and_destroy(1);
}

TEST(GpuConcurrency, ThreadsShareARope) {
  HIPROPE_NEEDS_GPU();
  share_a_rope_of_each(1);
}

TEST(GpuConcurrency, ThreadsCreateUseAndDestroyRopesOfTwoGpus) {
  HIPROPE_NEEDS_GPU();
  if (gpu_count() < 2) GTEST_SKIP() << "one GPU is visible, this needs two";
  create_use_and_destroy(2);
}

TEST(GpuConcurrency, ThreadsShareARopeOfEachOfTwoGpus) {
  HIPROPE_NEEDS_GPU();
  if (gpu_count() < 2) GTEST_SKIP() << "one GPU is visible, this needs two";
  share_a_rope_of_each(2);
}

// Calls a second of 1 to 16 threads, each with a stream, on one Rope of each GPU in turn: printed, not judged, for the
// driver's own locks are part of it. The same with the driver left out is fake_gpu_concurrency.throughput.
TEST(GpuConcurrency, Throughput) {
  HIPROPE_NEEDS_GPU();
  const Job job = jobs().front();
  std::vector<Rope> ropes;
  for (int device = 0; device < gpu_count(); ++device) {
    ropes.emplace_back(job.c.config, Device::gpu(device), Fallback::forbid);
    ASSERT_TRUE(ropes.back()) << ropes.back().created().message();
  }
  for (int threads = 1; threads <= kThreads; threads *= 2) {
    constexpr int kCalls = 4000;
    using Clock = std::chrono::steady_clock;
    std::atomic<int> ready = 0, calling = threads;
    Clock::time_point start, stop;
    in_threads(threads, [&](int thread) {
      const auto device = static_cast<std::size_t>(thread) % ropes.size();
      const AsCurrent current(static_cast<int>(device));
      const DeviceCase on_device(job.c, job.before);
      const Stream stream;
      if (ready.fetch_add(1) == threads - 1) start = Clock::now();
      while (ready.load() < threads) std::this_thread::yield();
      for (int i = 0; i < kCalls; ++i) {
        ASSERT_EQ(on_device.call(ropes[device], stream).path(), Path::gpu);
        if (i % 200 == 199) stream.synchronize();
      }
      if (calling.fetch_sub(1) == 1) stop = Clock::now();
    });
    const std::chrono::duration<double> seconds = stop - start;
    std::printf("%2d threads on %zu GPUs: %.2f million calls a second\n", threads, ropes.size(),
                threads * kCalls / seconds.count() / 1e6);
  }
}

}  // namespace
}  // namespace hiprope::test
