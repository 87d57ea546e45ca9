// What the suites of many threads share: threads, and jobs that know their answer.
#pragma once

#include <thread>
#include <vector>

#include "tests/support/case.h"
#include "tests/support/random.h"

namespace hiprope::test {

inline constexpr int kThreads = 16;

// Runs work(0) to work(count - 1), each in a thread of its own.
template <typename Work>
void in_threads(int count, const Work& work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back([&work, i] { work(i); });
  for (std::thread& thread : threads) thread.join();
}

struct Job {
  explicit Job(const Case& given) : c(given), before(make_images(c)), expected(expected_images(c, before)) {}
  Case c;
  Images before, expected;
};

inline const Job& any(const std::vector<Job>& jobs, Random& random) {
  return jobs[static_cast<std::size_t>(random.between(0, static_cast<std::int64_t>(jobs.size()) - 1))];
}

}  // namespace hiprope::test
