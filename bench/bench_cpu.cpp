// The benchmark on the CPU device: calls that follow each other by the wall clock, and a touch loop with the widest
// vectors there are.
#ifdef _OPENMP
#include <omp.h>
#endif

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <random>
#include <span>

#include "bench/bench_device.h"
#include "bench/cpu/touch.h"

namespace hiprope::tools {
namespace {

using Clock = std::chrono::steady_clock;

std::string first_line_after(const char* path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key)) return line.substr(std::min(line.size(), line.find(':') + 2));
  }
  return "unknown";
}

int most_threads() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return 1;
#endif
}

class CpuBench : public BenchDevice {
 public:
  explicit CpuBench(int calls) : calls_(calls), threads_(most_threads()) {}

  std::vector<std::pair<std::string, std::string>> facts() const override {
    return {{"device", "cpu: " + first_line_after("/proc/cpuinfo", "model name")},
            {"threads", std::to_string(threads_)}};
  }
  void* stream() const override { return nullptr; }
  void synchronize() const override {}
  void reserve(const std::vector<BenchCase>&) override {}

  void fill(void* data, std::size_t bytes, DataType type) override {
    const RandomBits bits = random_bits(type);
    std::mt19937 random;
    for (std::uint32_t& word : std::span(static_cast<std::uint32_t*>(data), bytes / sizeof(std::uint32_t))) {
      word = (static_cast<std::uint32_t>(random()) & bits.keep) | bits.set;
    }
  }

  LayerTimes time(const BenchCase&, const BenchBuffers&, const std::vector<LayerCall>& calls, int rounds) override {
    std::vector<std::vector<double>> microseconds(calls.size());
    for (int round = -1; round < rounds; ++round) {
      for (std::size_t i = 0; i < calls.size(); ++i) {
        const auto start = Clock::now();
        for (int call = 0; call < calls_; ++call) calls[i].enqueue(call % BenchBuffers::kSets);
        const std::chrono::duration<double, std::micro> spent = Clock::now() - start;
        if (round >= 0) microseconds[i].push_back(spent.count() / calls_);
      }
    }
    LayerTimes times;
    for (const std::vector<double>& one : microseconds) times.added.push_back(summarise_rounds(one));
    return times;
  }

  double host_nanoseconds(const std::function<void()>& work) override {
    const auto start = Clock::now();
    work();
    return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
  }

  std::vector<std::string> touch_choices(const BenchCase&) const override {
    std::vector<std::string> choices{"1 thread"};
    if (threads_ > 1) choices.push_back(std::to_string(threads_) + " threads");
    return choices;
  }

  // Out of place, the output alone is touched: as many bytes, in one stream fewer.
  void touch(const BenchCase& bench_case, const BenchBuffers& buffers, std::int64_t set, std::size_t choice) override {
    internal::HostCall call;
    call.data_type = static_cast<std::int32_t>(bench_case.type);
    call.rotary_dim = static_cast<std::int32_t>(bench_case.head_elements());
    call.tokens = bench_case.tokens;
    internal::HostTensor tensors[2];
    const TensorView views[2] = {buffers.q_out(set), buffers.k_out(set)};
    const std::int64_t first = bench_case.out_of_place ? 0 : bench_case.model.config.rotary_offset;
    for (int i = 0; i < 2; ++i) {
      tensors[i].out = static_cast<std::byte*>(views[i].data) + first * bench_case.element_bytes();
      tensors[i].heads = views[i].heads;
      tensors[i].out_token_stride = views[i].token_stride;
      tensors[i].out_head_stride = views[i].head_stride;
    }
    bench::touch(choice == 0 ? 1 : threads_, call, tensors, bench_case.has_k() ? 2 : 1, -1.0F);
  }

  void launch_empty() override {}

 private:
  int calls_, threads_;
};

}  // namespace

std::unique_ptr<BenchDevice> make_cpu_bench(int calls) {
  return std::make_unique<CpuBench>(calls);
}

}  // namespace hiprope::tools
