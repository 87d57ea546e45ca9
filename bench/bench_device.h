// How the benchmark times calls on a device: in a captured chain of layers on a GPU, by the wall clock on the CPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/bench_case.h"
#include "tests/support/gpu_memory.h"

namespace hiprope::tools {

using test::DeviceBuffer;
using test::Graph;
using test::Stream;

struct Timing {
  double median = 0, low = 0, high = 0;  // low, high: quartiles
};
Timing summarise_rounds(std::vector<double> rounds);

// Random bits of a word under `keep`, and `set`, make numbers of magnitude 0.5 to 2: finite, and so after any rotation.
struct RandomBits {
  std::uint32_t keep, set;
};
constexpr RandomBits random_bits(DataType type) {
  if (type == DataType::f32) return {0x80FFFFFF, 0x3F000000};
  return type == DataType::f16 ? RandomBits{0x87FF87FF, 0x38003800} : RandomBits{0x80FF80FF, 0x3F003F00};
}

// What stands between the two projections of a layer.
struct LayerCall {
  std::string name;
  std::function<void(std::int64_t set)> enqueue;  // puts it on the device's stream, for buffers `set`
  std::size_t bytes = 0;                          // that it reads and writes
};

// Microseconds of a layer without a call, and what each call adds to one.
struct LayerTimes {
  Timing without;
  std::vector<Timing> added;
};

class BenchDevice {
 public:
  virtual ~BenchDevice() = default;

  // What a reader needs to know of the machine, in order: ("device", "NVIDIA H200 (sm_90), 132 compute units"), ...
  virtual std::vector<std::pair<std::string, std::string>> facts() const = 0;
  virtual void* stream() const = 0;
  virtual void synchronize() const = 0;
  // Gets the memory that layers of these cases take beside their buffers.
  virtual void reserve(const std::vector<BenchCase>& cases) = 0;
  // Numbers of random_bits(type); `data` is aligned to 256 bytes and `bytes` a multiple of them.
  virtual void fill(void* data, std::size_t bytes, DataType type) = 0;
  // Times a chain of layers without a call and with each, in turn within a round.
  virtual LayerTimes time(const BenchCase& bench_case, const BenchBuffers& buffers, const std::vector<LayerCall>& calls,
                          int rounds) = 0;
  // Nanoseconds a call of `work` keeps the host, without waiting for the device.
  virtual double host_nanoseconds(const std::function<void()>& work) = 0;

  // The ceiling, x = -x over the elements that a call reads and writes, comes in several choices.
  virtual std::vector<std::string> touch_choices(const BenchCase& bench_case) const = 0;
  virtual void touch(const BenchCase& bench_case, const BenchBuffers& buffers, std::int64_t set,
                     std::size_t choice) = 0;
  virtual void launch_empty() = 0;  // a kernel with as many arguments as a rotation that does nothing
};

// Both throw ToolError. `layers`: of a chain; `calls`: between two looks at the clock.
std::unique_ptr<BenchDevice> make_cpu_bench(int calls);
std::unique_ptr<BenchDevice> make_gpu_bench(std::int32_t device, int layers);

}  // namespace hiprope::tools
