// How the benchmark times work on a device: graph replays on a GPU, the wall clock on the CPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/bench_case.h"

namespace hiprope::tools {

// Microseconds a call, over the rounds.
struct Timing {
  double median = 0, low = 0, high = 0;  // low, high: quartiles
};
Timing summarise_rounds(std::vector<double> microseconds);

struct Rounds {
  std::int64_t calls;  // in one round
  int rounds;
  bool evict;  // empty the caches before each round, outside the time
};

class BenchDevice {
 public:
  virtual ~BenchDevice() = default;

  // What a reader needs to know of the machine, in order: ("device", "NVIDIA H200 (sm_90), 132 compute units"), ...
  virtual std::vector<std::pair<std::string, std::string>> facts() const = 0;
  virtual std::size_t cache_bytes() const = 0;  // of the largest cache
  virtual void* stream() const = 0;
  virtual void synchronize() const = 0;
  // work(i) is call i of a round.
  virtual Timing time(const Rounds& rounds, const std::function<void(std::int64_t)>& work) = 0;
  // Nanoseconds a call of `work` keeps the host, without waiting for the device.
  virtual double host_nanoseconds(const std::function<void()>& work) = 0;

  // The ceiling, x = -x over the elements that a call reads and writes, comes in several choices.
  virtual std::vector<std::string> touch_choices(const BenchCase& bench_case) const = 0;
  virtual void touch(const BenchCase& bench_case, const BenchSets& sets, std::int64_t set, std::size_t choice) = 0;
  virtual void copy(void* to, const void* from, std::size_t bytes) = 0;
  virtual void launch_empty() = 0;  // a kernel with a rotation's parameters that does nothing
};

// `cache_bytes` 0: as the device says. Throws ToolError.
std::unique_ptr<BenchDevice> make_cpu_bench(std::size_t cache_bytes);
std::unique_ptr<BenchDevice> make_gpu_bench(std::int32_t device, std::size_t cache_bytes);

// Bytes that a round must move through before a buffer is used again, so that no cache still holds it.
constexpr std::size_t kLeastWorkingSet = std::size_t{256} << 20;
inline std::size_t working_set(const BenchDevice& device) {
  return device.cache_bytes() * 2 > kLeastWorkingSet ? device.cache_bytes() * 2 : kLeastWorkingSet;
}

}  // namespace hiprope::tools
