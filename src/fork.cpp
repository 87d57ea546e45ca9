// Counts forks in the child, through the C library's own hook.
#include "fork.h"

#include <pthread.h>

#include <atomic>

namespace hiprope::internal {
namespace {

std::atomic<std::uint32_t> generation{0};
pthread_once_t watch_once = PTHREAD_ONCE_INIT;

void count_fork() {
  generation.fetch_add(1, std::memory_order_relaxed);
}
void install() {
  pthread_atfork(nullptr, nullptr, count_fork);
}

}  // namespace

std::uint32_t watch_forks() {
  pthread_once(&watch_once, install);
  return fork_generation();
}

std::uint32_t fork_generation() {
  return generation.load(std::memory_order_relaxed);
}

}  // namespace hiprope::internal
