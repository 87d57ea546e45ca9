// Many threads on many streams of two devices; the suite to run under ThreadSanitizer.
#include <atomic>
#include <chrono>
#include <cstdio>

#include <fmt/format.h>

#include "tests/fake_gpu/fixture.h"
#include "tests/support/concurrency.h"

namespace hiprope::test {
namespace {

using fake_gpu_concurrency = FakeGpu;

std::vector<Job> jobs() {
  std::vector<Job> list;
  for (const bool out_of_place : {false, true}) {
    for (const Arrangement arrangement :
         {Arrangement::thd, Arrangement::htd, Arrangement::packed, Arrangement::padded}) {
      list.emplace_back(small_case(out_of_place, arrangement));
    }
  }
  return list;
}

// One job on a stream of its own; what went wrong, or nothing.
std::string run_job(const Job& job, const Rope& rope) {
  const DeviceCase on_device(job.c, job.before);
  const Stream stream;
  const Result result = on_device.call(rope, stream);
  if (!result) return result.message();
  stream.synchronize();
  return difference(job.c, job.expected, on_device.download());
}

TEST_F(fake_gpu_concurrency, ropes_are_created_used_and_destroyed_by_many_threads) {
  const std::vector<Job> list = jobs();
  in_threads(kThreads, [&](int thread) {
    Random random(run_seed() + static_cast<std::uint64_t>(thread));
    for (int i = 0; i < 12; ++i) {
      const int device = static_cast<int>(random.between(kKernelDevice, kBareDevice));
      const AsCurrent current(device);
      const Job& job = any(list, random);
      const Rope rope(job.c.config, Device::gpu(device));
      ASSERT_EQ(run_job(job, rope), "") << "thread " << thread << " seed " << run_seed();
      hiprope_position_errors errors{};
      ASSERT_TRUE(rope.read_position_errors(errors));
      ASSERT_EQ(errors.count, 2U);
    }
  });
}

// One Rope of each device serves all threads; the current device of a thread is another one now and then.
TEST_F(fake_gpu_concurrency, ropes_are_shared_by_many_threads) {
  const std::vector<Job> list = jobs();
  std::vector<Rope> ropes;
  for (const int device : {kKernelDevice, kOtherKernelDevice, kBareDevice}) {
    ropes.emplace_back(list[0].c.config, Device::gpu(device));
  }
  std::atomic<std::uint64_t> calls[3] = {0, 0, 0};
  in_threads(kThreads, [&](int thread) {
    Random random(run_seed() + static_cast<std::uint64_t>(thread));
    for (int i = 0; i < 24; ++i) {
      const auto at = static_cast<std::size_t>(random.between(0, 2));
      const AsCurrent current(static_cast<int>(at));
      const Job& job = any(list, random);
      ASSERT_EQ(run_job(job, ropes[at]), "") << "thread " << thread << " seed " << run_seed();
      calls[at].fetch_add(1);
      if (random.chance(25)) {
        ASSERT_GE(ropes[at].stats().size, 1U);
      }
    }
  });
  for (std::size_t at = 0; at < ropes.size(); ++at) {
    const AsCurrent current(static_cast<int>(at));
    hiprope_position_errors errors{};
    ASSERT_TRUE(ropes[at].read_position_errors(errors));
    EXPECT_EQ(errors.count, 2 * calls[at]) << "two tokens of every call are outside the table";
    EXPECT_EQ(errors.first_token, 2);
    const hiprope_stats stats = ropes[at].stats();
    EXPECT_EQ(stats.launches + stats.fallbacks, calls[at].load());
  }
}

TEST_F(fake_gpu_concurrency, position_errors_are_read_and_cleared_while_others_count) {
  const Job job = jobs().front();
  const Rope rope(job.c.config, Device::gpu());
  in_threads(kThreads, [&](int thread) {
    const Stream stream;
    for (int i = 0; i < 16; ++i) {
      hiprope_position_errors errors{};
      if (thread % 4 == 0) {
        ASSERT_TRUE(rope.read_position_errors(errors, stream.handle()));
        ASSERT_LE(errors.count, 2U * 16 * kThreads);
        ASSERT_TRUE(rope.clear_position_errors(stream.handle()));
        stream.synchronize();
      } else {
        ASSERT_EQ(run_job(job, rope), "");
      }
    }
  });
}

// Calls a second of 1 to 16 threads on one Rope, each with a stream: printed, not judged.
TEST_F(fake_gpu_concurrency, throughput) {
  fake::reset({{fake::kWithKernels}});
  Draft draft;
  draft.config.head_dim = 2;
  draft.config.max_positions = 1;
  const Case c = build(draft);
  const Images images = make_images(c);
  const Rope rope(c.config, Device::gpu());
  for (int threads = 1; threads <= kThreads; threads *= 2) {
    constexpr int kCalls = 2000;
    const auto start = std::chrono::steady_clock::now();
    in_threads(threads, [&](int) {
      const DeviceCase on_device(c, images);
      const Stream stream;
      for (int i = 0; i < kCalls; ++i) {
        ASSERT_TRUE(on_device.call(rope, stream));
        if (i % 50 == 0) stream.synchronize();
      }
    });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::printf("%2d threads: %.2f million calls a second\n", threads, threads * kCalls / seconds.count() / 1e6);
  }
}

}  // namespace
}  // namespace hiprope::test
