// Many threads on Ropes of the CPU, their own and shared ones: the bits of a call alone, and exact counts.
#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "tests/support/cases.h"
#include "tests/support/concurrency.h"

namespace hiprope::test {
namespace {

std::vector<Job> jobs(std::int64_t tokens) {
  std::vector<Job> list;
  for (const DataType type : {DataType::f32, DataType::bf16}) {
    for (const bool out_of_place : {false, true}) {
      Draft draft;
      draft.config.head_dim = 128;
      draft.config.max_positions = 16;
      draft.type = type;
      draft.tokens = tokens;
      draft.q_heads = 8;
      draft.k_heads = 2;
      draft.out_of_place = out_of_place;
      for (std::int64_t token = 0; token < tokens; ++token) draft.ids.push_back(token == 3 ? 16 : token % 16);
      list.emplace_back(build(draft));
    }
  }
  return list;
}

// Small calls stay on their thread; large ones ask OpenMP for a team, from each thread at once.
void run(std::int64_t tokens, int calls) {
  const std::vector<Job> list = jobs(tokens);
  const Rope shared(list[0].c.config, Device::cpu());
  std::atomic<std::uint64_t> shared_calls{0};
  in_threads(kThreads, [&](int thread) {
    Random random(run_seed() + static_cast<std::uint64_t>(thread));
    for (int i = 0; i < calls; ++i) {
      const Job& job = any(list, random);
      const bool own = random.chance(30);
      const Rope made = own ? Rope(job.c.config, Device::cpu()) : Rope();
      Images images = job.before;
      const Result result = call(job.c, own ? made : shared, bases_of(images), id_bytes(job.c).data(), nullptr);
      ASSERT_TRUE(result) << result.message();
      ASSERT_EQ(difference(job.c, job.expected, images), "") << "thread " << thread << " seed " << run_seed();
      shared_calls.fetch_add(own ? 0 : 1);
    }
  });
  EXPECT_EQ(shared.stats().cpu_calls, shared_calls);
  hiprope_position_errors errors{};
  ASSERT_TRUE(shared.read_position_errors(errors));
  EXPECT_EQ(errors.count, shared_calls);
  EXPECT_EQ(errors.first_token, 3);
}

TEST(cpu_concurrency, small_calls_of_many_threads) {
  run(4, 60);
}
TEST(cpu_concurrency, large_calls_of_many_threads) {
  run(256, 2);
}

}  // namespace
}  // namespace hiprope::test
