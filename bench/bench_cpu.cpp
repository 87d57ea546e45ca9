// The benchmark on the CPU device: the wall clock, and a touch loop with the widest vectors there are.
#ifdef _OPENMP
#include <omp.h>
#endif

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>

#include "bench/cpu/touch.h"
#include "bench/bench_device.h"

namespace hiprope::tools {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kUnknownCache = std::size_t{64} << 20;  // bytes
constexpr std::size_t kCacheLine = 64;

std::string first_line_after(const char* path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(key)) return line.substr(std::min(line.size(), line.find(':') + 2));
  }
  return "unknown";
}

std::size_t last_level_cache() {
  std::ifstream file("/sys/devices/system/cpu/cpu0/cache/index3/size");
  std::size_t kibibytes = 0;
  return file >> kibibytes ? kibibytes << 10 : kUnknownCache;
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
  explicit CpuBench(std::size_t cache_bytes)
      : cache_bytes_(cache_bytes > 0 ? cache_bytes : last_level_cache()),
        threads_(most_threads()),
        eviction_(working_set(*this), 1) {}

  std::vector<std::pair<std::string, std::string>> facts() const override {
    return {{"device", "cpu: " + first_line_after("/proc/cpuinfo", "model name")},
            {"threads", std::to_string(threads_)},
            {"largest cache", std::to_string(cache_bytes_ >> 20) + " MiB"}};
  }
  std::size_t cache_bytes() const override { return cache_bytes_; }
  void* stream() const override { return nullptr; }
  void synchronize() const override {}

  Timing time(const Rounds& rounds, const std::function<void(std::int64_t)>& work) override {
    for (std::int64_t call = 0; call < std::min<std::int64_t>(rounds.calls, 3); ++call) work(call);
    std::vector<double> microseconds;
    for (int round = 0; round < rounds.rounds; ++round) {
      if (rounds.evict) evict();
      const auto start = Clock::now();
      for (std::int64_t call = 0; call < rounds.calls; ++call) work(call);
      const std::chrono::duration<double, std::micro> spent = Clock::now() - start;
      microseconds.push_back(spent.count() / static_cast<double>(rounds.calls));
    }
    return summarise_rounds(std::move(microseconds));
  }

  double host_nanoseconds(const std::function<void()>& work) override {
    return 1e3 * time({1000, 21, false}, [&](std::int64_t) { work(); }).median;
  }

  std::vector<std::string> touch_choices(const BenchCase&) const override {
    std::vector<std::string> choices{"1 thread"};
    if (threads_ > 1) choices.push_back(std::to_string(threads_) + " threads");
    return choices;
  }

  // Out of place, the output alone is touched: as many bytes, in one stream fewer.
  void touch(const BenchCase& bench_case, const BenchSets& sets, std::int64_t set, std::size_t choice) override {
    const RopeConfig& config = bench_case.shape.config;
    internal::HostCall call;
    call.data_type = static_cast<std::int32_t>(bench_case.type);
    call.rotary_dim = static_cast<std::int32_t>(bench_case.head_elements());
    call.tokens = bench_case.tokens;
    internal::HostTensor tensors[2];
    const TensorView views[2] = {sets.q_out(set), sets.k_out(set)};
    for (int i = 0; i < 2; ++i) {
      const std::int64_t skipped = bench_case.out_of_place ? 0 : config.rotary_offset * bench_case.element_bytes();
      tensors[i].out = static_cast<std::byte*>(views[i].data) + skipped;
      tensors[i].heads = views[i].heads;
      tensors[i].out_token_stride = views[i].token_stride;
      tensors[i].out_head_stride = views[i].head_stride;
    }
    bench::touch(choice == 0 ? 1 : threads_, call, tensors, sets.has_k() ? 2 : 1, -1.0F);
  }

  void copy(void* to, const void* from, std::size_t bytes) override {
    constexpr std::size_t kPiece = std::size_t{1} << 20;
    const auto pieces = static_cast<std::int64_t>((bytes + kPiece - 1) / kPiece);
#ifdef _OPENMP
#pragma omp parallel for schedule(static) if (pieces > 1)
#endif
    for (std::int64_t piece = 0; piece < pieces; ++piece) {
      const std::size_t first = static_cast<std::size_t>(piece) * kPiece;
      std::memcpy(static_cast<std::byte*>(to) + first, static_cast<const std::byte*>(from) + first,
                  std::min(kPiece, bytes - first));
    }
  }

  void launch_empty() override {}

 private:
  void evict() {
    unsigned sum = 0;
    for (std::size_t i = 0; i < eviction_.size(); i += kCacheLine) sum += eviction_[i];
    eviction_[0] = static_cast<unsigned char>(sum | 1);
  }

  std::size_t cache_bytes_;
  int threads_;
  std::vector<unsigned char> eviction_;
};

}  // namespace

std::unique_ptr<BenchDevice> make_cpu_bench(std::size_t cache_bytes) {
  return std::make_unique<CpuBench>(cache_bytes);
}

}  // namespace hiprope::tools
