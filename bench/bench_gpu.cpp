// The benchmark on a GPU: replays of captured graphs between events, and the touch kernels.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <span>

#include "bench/bench_device.h"
#include "tests/support/gpu_memory.h"
#include "tools/tool_error.h"

#ifdef HIPROPE_PLATFORM_NONE

namespace hiprope::tools {

std::unique_ptr<BenchDevice> make_gpu_bench(std::int32_t, std::size_t) {
  refuse("this build has no GPU support; configure with -DHIPROPE_PLATFORM=amd or nvidia, or pass --device cpu");
}

}  // namespace hiprope::tools

#else

#include "src/gpu/code_objects.h"
#include "src/gpu/runtime.h"
#include "bench/touch_params.h"

extern "C" {
extern const hiprope_code_object hiprope_touch_objects[];
extern const std::int32_t hiprope_touch_object_total;
}

namespace hiprope::tools {
namespace {

struct TouchKernel {
  const char* name;
  DataType type;
  std::int64_t access_bytes;
  std::uint32_t in_flight;
};

constexpr TouchKernel kTouchKernels[] = {
#define HIPROPE_TOUCH(element, bytes, in_flight) \
  {"touch_" #element "_" #bytes "b_" #in_flight "v", DataType::element, bytes, in_flight},
#include "bench/touch_variants.inc"
#undef HIPROPE_TOUCH
};

constexpr std::uint32_t kTouchBlocks[] = {64, 128, 256, 512};  // threads
constexpr std::uint32_t kEvictBlock = 256;                     // threads, as in touch.hip
constexpr std::uint32_t kEmptyBlock = 64;
constexpr std::int64_t kMostItems = (std::int64_t{1} << 31) - 4 * 512 - 1;
constexpr int kWarmUps = 400;  // evictions, about 0.1 s: time for the clocks to rise
// A memory-side cache that the runtime does not report.
constexpr std::size_t kInfinityCache = std::size_t{256} << 20;

void check(hipError_t status, const char* action) {
  if (status == hipSuccess) return;
  refuse("{} failed with {} ({})", action, hipGetErrorName(status), hipGetErrorString(status));
}

class Event {
 public:
  Event() { check(hipEventCreate(&event_), "creating an event"); }
  ~Event() {
    if (event_ != nullptr) static_cast<void>(hipEventDestroy(event_));
  }
  Event(Event&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  void record(const Stream& stream) const {
    check(hipEventRecord(event_, static_cast<hipStream_t>(stream.handle())), "recording an event");
  }
  double microseconds_since(const Event& start) const {
    float milliseconds = 0;
    check(hipEventElapsedTime(&milliseconds, start.event_, event_), "reading an event");
    return 1e3 * static_cast<double>(milliseconds);
  }

 private:
  hipEvent_t event_ = nullptr;
};

hiprope_device_info read_info(std::int32_t device) {
  hiprope_device_info info{};
  info.size = sizeof(info);
  if (hiprope_get_device_info(device, &info) != hiprope_ok) refuse("GPU {}: {}", device, hiprope_last_error());
  return info;
}

const unsigned char* find_object(const char* architecture) {
  const std::span objects(hiprope_touch_objects, static_cast<std::size_t>(hiprope_touch_object_total));
  for (const hiprope_code_object& object : objects) {
    if (std::strcmp(object.architecture, "sm") == 0 || std::strcmp(object.architecture, architecture) == 0) {
      return object.data;
    }
  }
  refuse("no touch kernel for {} is embedded; configure with -DGPU_TARGETS={}", architecture, architecture);
}

// Runs that touch are joined, so that a dense tensor is one run.
TouchTensor touch_tensor(const TensorView& in, const TensorView& out, std::int64_t first, std::int64_t elements,
                         std::int64_t element_bytes, std::int64_t access_bytes) {
  TouchTensor tensor{};
  tensor.in = static_cast<const char*>(in.data) + first * element_bytes;
  tensor.out = static_cast<char*>(out.data) + first * element_bytes;
  tensor.token_stride = in.token_stride * element_bytes;
  tensor.head_stride = in.head_stride * element_bytes;
  std::int64_t run = elements * element_bytes, heads = in.heads;
  if (heads > 0 && tensor.head_stride == run) {
    run *= heads;
    heads = 1;
    if (tensor.token_stride == run) run *= in.tokens;
  }
  tensor.units = static_cast<std::uint32_t>(run / access_bytes);
  tensor.heads = static_cast<std::uint32_t>(std::max<std::int64_t>(heads, 1));
  tensor.by_units = make_divisor(tensor.units);
  tensor.by_heads = make_divisor(tensor.heads);
  return tensor;
}

std::int64_t touch_access_bytes(const BenchCase& bench_case, const BenchSets& sets) {
  const std::int64_t first = bench_case.out_of_place ? 0 : bench_case.shape.config.rotary_offset;
  std::int64_t elements = first | bench_case.head_elements();
  for (const TensorView& view : {sets.q(0), sets.k(0)}) elements |= view.token_stride | view.head_stride;
  std::int64_t bytes = 16;
  while (elements * bench_case.element_bytes() % bytes != 0) bytes /= 2;
  return bytes;
}

class GpuBench : public BenchDevice {
 public:
  GpuBench(std::int32_t device, std::size_t cache_bytes)
      : device_(device),
        info_(read_info(device)),
        cache_bytes_(cache_bytes > 0 ? cache_bytes : reported_cache()),
        stream_(device),
        eviction_(device, working_set(*this)) {
    check(hipModuleLoadData(&module_, find_object(info_.architecture)), "loading the touch kernels");
    for (const TouchKernel& kernel : kTouchKernels) functions_.push_back(function(kernel.name));
    evict_ = function("evict");
    empty_ = function("empty");
    const std::vector<std::byte> zeros(eviction_.size());
    eviction_.upload(zeros);
    for (int i = 0; i < kWarmUps; ++i) evict();
    stream_.synchronize();
  }
  ~GpuBench() override { static_cast<void>(hipModuleUnload(module_)); }
  GpuBench(const GpuBench&) = delete;
  GpuBench& operator=(const GpuBench&) = delete;

  std::vector<std::pair<std::string, std::string> > facts() const override {
    int driver = 0, runtime = 0;
    check(hipDriverGetVersion(&driver), "reading the driver's version");
    check(hipRuntimeGetVersion(&runtime), "reading the runtime's version");
    return {{"device", fmt::format("gpu:{} {} ({}), {} compute units", device_, info_.name, info_.architecture,
                                   info_.compute_units)},
            {"driver", fmt::format("{} API {}", hiprope_platform(), driver)},
            {"runtime", fmt::format("{} {}", hiprope_platform(), runtime)},
            {"largest cache", fmt::format("{} MiB", cache_bytes_ >> 20)}};
  }
  std::size_t cache_bytes() const override { return cache_bytes_; }
  void* stream() const override { return stream_.handle(); }
  void synchronize() const override { stream_.synchronize(); }

  Timing time(const Rounds& rounds, const std::function<void(std::int64_t)>& work) override {
    const Graph graph(stream_, [&] {
      for (std::int64_t call = 0; call < rounds.calls; ++call) work(call);
    });
    while (events_.size() < 2 * static_cast<std::size_t>(rounds.rounds)) events_.emplace_back();
    graph.launch(stream_);
    for (std::size_t round = 0; round < static_cast<std::size_t>(rounds.rounds); ++round) {
      if (rounds.evict) evict();
      events_[2 * round].record(stream_);
      graph.launch(stream_);
      events_[2 * round + 1].record(stream_);
    }
    stream_.synchronize();
    std::vector<double> microseconds;
    for (std::size_t round = 0; round < static_cast<std::size_t>(rounds.rounds); ++round) {
      microseconds.push_back(events_[2 * round + 1].microseconds_since(events_[2 * round]) /
                             static_cast<double>(rounds.calls));
    }
    return summarise_rounds(std::move(microseconds));
  }

  double host_nanoseconds(const std::function<void()>& work) override;

  std::vector<std::string> touch_choices(const BenchCase& bench_case) const override {
    std::vector<std::string> names;
    for (const Choice& choice : choices(bench_case)) {
      const TouchKernel& kernel = kTouchKernels[choice.kernel];
      names.push_back(fmt::format("{} threads, {} x {} bytes", choice.block, kernel.in_flight, kernel.access_bytes));
    }
    return names;
  }

  void touch(const BenchCase& bench_case, const BenchSets& sets, std::int64_t set, std::size_t choice) override {
    const Choice chosen = choices(bench_case)[choice];
    const TouchKernel& kernel = kTouchKernels[chosen.kernel];
    const std::int64_t first = bench_case.out_of_place ? 0 : bench_case.shape.config.rotary_offset;
    const auto tensor = [&](const TensorView& in, const TensorView& out) {
      return touch_tensor(in, out, first, bench_case.head_elements(), bench_case.element_bytes(), kernel.access_bytes);
    };
    const std::int64_t head_items = bench_case.head_elements() * bench_case.element_bytes() / kernel.access_bytes;
    const std::int64_t q_items = bench_case.tokens * bench_case.shape.heads * head_items;
    const std::int64_t items = q_items + bench_case.tokens * bench_case.shape.kv_heads * head_items;
    if (items > kMostItems)
      refuse("{} tokens are more than the touch kernel can index; ask for fewer", bench_case.tokens);
    TouchParams params{};
    params.q = tensor(sets.q(set), sets.q_out(set));
    if (sets.has_k()) params.k = tensor(sets.k(set), sets.k_out(set));
    params.q_items = static_cast<std::uint32_t>(q_items);
    params.items = static_cast<std::uint32_t>(items);
    params.block_threads = chosen.block;
    params.scale = -1.0F;
    const std::uint32_t block_items = chosen.block * kernel.in_flight;
    launch(functions_[chosen.kernel], (params.items + block_items - 1) / block_items, chosen.block, params);
  }

  void copy(void* to, const void* from, std::size_t bytes) override {
    check(hipMemcpyAsync(to, from, bytes, hipMemcpyDeviceToDevice, static_cast<hipStream_t>(stream_.handle())),
          "copying on the GPU");
  }

  void launch_empty() override { launch(empty_, 1, kEmptyBlock, KernelParams{}); }

 private:
  struct Choice {
    std::size_t kernel;
    std::uint32_t block;
  };

  static std::vector<Choice> choices(const BenchCase& bench_case) {
    const std::int64_t bytes = touch_access_bytes(bench_case, BenchSets(bench_case, nullptr));
    std::vector<Choice> found;
    for (std::size_t i = 0; i < std::size(kTouchKernels); ++i) {
      if (kTouchKernels[i].type != bench_case.type || kTouchKernels[i].access_bytes != bytes) continue;
      for (const std::uint32_t block : kTouchBlocks) found.push_back({i, block});
    }
    return found;
  }

  std::size_t reported_cache() const {
    int bytes = 0;
    check(hipDeviceGetAttribute(&bytes, hipDeviceAttributeL2CacheSize, device_), "reading the size of the L2 cache");
    const bool has_infinity_cache =
        std::strncmp(info_.architecture, "gfx94", 5) == 0 || std::strncmp(info_.architecture, "gfx95", 5) == 0;
    return has_infinity_cache ? kInfinityCache : static_cast<std::size_t>(bytes);
  }

  hipFunction_t function(const char* name) const {
    hipFunction_t found{};
    check(hipModuleGetFunction(&found, module_, name), "finding a touch kernel");
    return found;
  }

  template <typename Params>
  void launch(hipFunction_t kernel, std::uint32_t blocks, std::uint32_t threads, Params params) {
    std::size_t bytes = sizeof(params);
    void* extra[] = {HIP_LAUNCH_PARAM_BUFFER_POINTER, &params, HIP_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
                     HIP_LAUNCH_PARAM_END};
    check(hipModuleLaunchKernel(kernel, blocks, 1, 1, threads, 1, 1, 0, static_cast<hipStream_t>(stream_.handle()),
                                nullptr, extra),
          "launching a touch kernel");
  }

  void evict() {
    const std::uint32_t blocks = static_cast<std::uint32_t>(info_.compute_units) * 16;
    launch(evict_, blocks, kEvictBlock,
           EvictParams{static_cast<std::uint32_t*>(eviction_.data()), static_cast<std::uint32_t>(eviction_.size() / 16),
                       blocks * kEvictBlock});
  }

  std::int32_t device_;
  hiprope_device_info info_;
  std::size_t cache_bytes_;
  Stream stream_;
  DeviceBuffer eviction_;
  hipModule_t module_{};
  std::vector<hipFunction_t> functions_;
  hipFunction_t evict_{}, empty_{};
  std::vector<Event> events_;
};

double GpuBench::host_nanoseconds(const std::function<void()>& work) {
  constexpr int kRounds = 51;
  constexpr int kCalls = 200;  // below the depth of a stream's queue, so that the host never waits for a slot
  std::vector<double> nanoseconds;
  for (int round = 0; round < kRounds; ++round) {
    stream_.synchronize();
    const auto start = std::chrono::steady_clock::now();
    for (int call = 0; call < kCalls; ++call) work();
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - start;
    nanoseconds.push_back(spent.count() / kCalls);
  }
  stream_.synchronize();
  return summarise_rounds(std::move(nanoseconds)).median;
}

}  // namespace

std::unique_ptr<BenchDevice> make_gpu_bench(std::int32_t device, std::size_t cache_bytes) {
  return std::make_unique<GpuBench>(device, cache_bytes);
}

}  // namespace hiprope::tools

#endif
