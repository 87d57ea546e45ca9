// The benchmark on a GPU: a captured chain of layers, in which kernels of layer.hip stand around the call, replayed
// between events.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <span>

#include "bench/bench_device.h"
#include "tests/support/gpu_memory.h"
#include "tools/tool_error.h"

#ifdef HIPROPE_PLATFORM_NONE

namespace hiprope::tools {

std::unique_ptr<BenchDevice> make_gpu_bench(std::int32_t, int) {
  refuse("this build has no GPU support; configure with -DHIPROPE_PLATFORM=amd or nvidia, or pass --device cpu");
}

}  // namespace hiprope::tools

#else

#include "bench/layer_params.h"
#include "bench/touch_gpu.h"
#include "src/gpu/code_objects.h"
#include "src/gpu/runtime.h"

extern "C" {
extern const hiprope_code_object hiprope_layer_objects[];
extern const std::int32_t hiprope_layer_object_total;
}

namespace hiprope::tools {
namespace {

constexpr std::uint32_t kProjectBlock = 256;  // threads, as in layer.hip
constexpr std::uint32_t kEmptyBlock = 64;
constexpr std::uint32_t kBlocksOfUnit = 4;  // of a projection on a compute unit, all there at once
// What a compute unit writes before it reads on: a tile of 128 by 256 numbers of 2 bytes.
constexpr std::size_t kTileBytes = std::size_t{64} << 10;
// Layers take turns through so many bytes of weights, more than four times the caches of any card.
constexpr std::size_t kMostWeights = std::size_t{1} << 30;
constexpr std::chrono::milliseconds kWarmUp{100};  // time for the clocks to rise

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
  const std::span objects(hiprope_layer_objects, static_cast<std::size_t>(hiprope_layer_object_total));
  for (const hiprope_code_object& object : objects) {
    if (std::strcmp(object.architecture, "sm") == 0 || std::strcmp(object.architecture, architecture) == 0) {
      return object.data;
    }
  }
  refuse("no layer kernel for {} is embedded; configure with -DGPU_TARGETS={}", architecture, architecture);
}

std::size_t aligned(std::int64_t bytes) {
  return (static_cast<std::size_t>(bytes) + 255) / 256 * 256;
}

// Bytes of a layer beside Q, K and V.
struct LayerBytes {
  explicit LayerBytes(const BenchCase& one)
      : hidden(aligned(one.tokens * one.model.hidden_size * one.element_bytes())),
        qkv_weights(aligned(one.model.qkv_weights * one.element_bytes())),
        out_weights(aligned(one.model.out_weights * one.element_bytes())) {}
  std::size_t hidden, qkv_weights, out_weights;
};

class GpuBench : public BenchDevice {
 public:
  GpuBench(std::int32_t device, int layers)
      : device_(device), layers_(layers), info_(read_info(device)), stream_(device) {
    check(hipModuleLoadData(&module_, find_object(info_.architecture)), "loading the layer kernels");
    project_ = function("project");
    empty_ = function("empty");
    for (const TouchKernel& kernel : kTouchKernels) touches_.push_back(function(kernel.name));
  }
  ~GpuBench() override { static_cast<void>(hipModuleUnload(module_)); }
  GpuBench(const GpuBench&) = delete;
  GpuBench& operator=(const GpuBench&) = delete;

  std::vector<std::pair<std::string, std::string> > facts() const override;
  void* stream() const override { return stream_.handle(); }
  void synchronize() const override { stream_.synchronize(); }

  void reserve(const std::vector<BenchCase>& cases) override {
    std::size_t weights = 0, hidden = 0;
    for (const BenchCase& one : cases) {
      const LayerBytes bytes(one);
      const std::size_t layer = bytes.qkv_weights + bytes.out_weights;
      weights = std::max(weights, std::min(static_cast<std::size_t>(layers_) * layer, std::max(layer, kMostWeights)));
      hidden = std::max(hidden, bytes.hidden);
    }
    weights_ = std::make_unique<DeviceBuffer>(device_, weights);
    hidden_ = std::make_unique<DeviceBuffer>(device_, hidden);
    fill(hidden_->data(), hidden, DataType::bf16);
    const auto start = std::chrono::steady_clock::now();
    do {
      fill(weights_->data(), weights, DataType::bf16);
      stream_.synchronize();
    } while (std::chrono::steady_clock::now() - start < kWarmUp);
  }

  void fill(void* data, std::size_t bytes, DataType type) override {
    project({nullptr, 0, kAccessBytes, 0}, nullptr, 0, data, bytes, type);
  }

  LayerTimes time(const BenchCase& bench_case, const BenchBuffers& buffers, const std::vector<LayerCall>& calls,
                  int rounds) override;
  double host_nanoseconds(const std::function<void()>& work) override;

  std::vector<std::string> touch_choices(const BenchCase& bench_case) const override {
    std::vector<std::string> names;
    for (const TouchChoice& choice : choices_of_touch(bench_case)) names.push_back(choice.name());
    return names;
  }

  void touch(const BenchCase& bench_case, const BenchBuffers& buffers, std::int64_t set, std::size_t choice) override {
    const TouchChoice chosen = choices_of_touch(bench_case)[choice];
    const TouchParams params = touch_params(bench_case, buffers, set, chosen);
    const std::uint32_t block_items = chosen.block * kTouchKernels[chosen.kernel].in_flight;
    launch(touches_[chosen.kernel], (params.items + block_items - 1) / block_items, chosen.block, params);
  }

  void launch_empty() override { launch(empty_, 1, kEmptyBlock, EmptyParams{}); }

 private:
  // Puts `layers_` layers on the stream, one after the other.
  void enqueue_chain(const BenchCase& bench_case, const BenchBuffers& buffers, const LayerCall* call) {
    const LayerBytes bytes(bench_case);
    const std::size_t layer_weights = bytes.qkv_weights + bytes.out_weights;
    const auto places = static_cast<int>(weights_->size() / layer_weights);
    const Region hidden{hidden_->data(), 1, static_cast<std::int64_t>(bytes.hidden), 0};
    for (int layer = 0; layer < layers_; ++layer) {
      const std::int64_t set = layer % BenchBuffers::kSets;
      const auto* const weights =
          static_cast<std::byte*>(weights_->data()) + static_cast<std::size_t>(layer % places) * layer_weights;
      project(hidden, weights, bytes.qkv_weights, buffers.input(set), buffers.input_bytes(), bench_case.type);
      if (call != nullptr) call->enqueue(set);
      project(buffers.region(set, call != nullptr), weights + bytes.qkv_weights, bytes.out_weights, hidden_->data(),
              bytes.hidden, bench_case.type);
    }
  }

  void project(const Region& in, const void* weights, std::size_t weight_bytes, void* out, std::size_t out_bytes,
               DataType type) {
    const auto units = static_cast<std::uint32_t>(info_.compute_units);
    ProjectParams params{};
    params.in = static_cast<const char*>(in.data);
    params.weights = static_cast<const char*>(weights);
    params.out = static_cast<char*>(out);
    params.row_stride = in.stride;
    params.row_accesses = static_cast<std::uint32_t>(in.row_bytes / kAccessBytes);
    params.in_accesses = static_cast<std::uint32_t>(in.rows * in.row_bytes / kAccessBytes);
    params.weight_accesses = static_cast<std::uint32_t>(weight_bytes / kAccessBytes);
    params.out_accesses = static_cast<std::uint32_t>(out_bytes / kAccessBytes);
    params.steps = static_cast<std::uint32_t>((out_bytes + units * kTileBytes - 1) / (units * kTileBytes));
    params.threads = units * kBlocksOfUnit * kProjectBlock;
    params.keep = random_bits(type).keep;
    params.set = random_bits(type).set;
    params.never = 1;  // weights have the bits of `set`
    launch(project_, units * kBlocksOfUnit, kProjectBlock, params);
  }

  hipFunction_t function(const char* name) const {
    hipFunction_t found{};
    check(hipModuleGetFunction(&found, module_, name), "finding a layer kernel");
    return found;
  }

  template <typename Params>
  void launch(hipFunction_t kernel, std::uint32_t blocks, std::uint32_t threads, Params params) {
    std::size_t bytes = sizeof(params);
    void* extra[] = {HIP_LAUNCH_PARAM_BUFFER_POINTER, &params, HIP_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
                     HIP_LAUNCH_PARAM_END};
    check(hipModuleLaunchKernel(kernel, blocks, 1, 1, threads, 1, 1, 0, static_cast<hipStream_t>(stream_.handle()),
                                nullptr, extra),
          "launching a layer kernel");
  }

  std::int32_t device_;
  int layers_;
  hiprope_device_info info_;
  Stream stream_;
  hipModule_t module_{};
  hipFunction_t project_{}, empty_{};
  std::vector<hipFunction_t> touches_;
  std::unique_ptr<DeviceBuffer> weights_, hidden_;  // of all layers; of the hidden state between two
  std::vector<Event> events_;
};

std::vector<std::pair<std::string, std::string> > GpuBench::facts() const {
  int driver = 0, runtime = 0;
  check(hipDriverGetVersion(&driver), "reading the driver's version");
  check(hipRuntimeGetVersion(&runtime), "reading the runtime's version");
  return {{"device", fmt::format("gpu:{} {} ({}), {} compute units", device_, info_.name, info_.architecture,
                                 info_.compute_units)},
          {"driver", fmt::format("{} API {}", hiprope_platform(), driver)},
          {"runtime", fmt::format("{} {}", hiprope_platform(), runtime)}};
}

// A round replays the chain without a call once unmeasured, so that the device is busy when the first event comes, and
// then all chains, each round beginning with another. The stream never runs dry within a round.
LayerTimes GpuBench::time(const BenchCase& bench_case, const BenchBuffers& buffers, const std::vector<LayerCall>& calls,
                          int rounds) {
  std::vector<std::unique_ptr<Graph> > chains;
  for (std::size_t i = 0; i <= calls.size(); ++i) {
    chains.push_back(std::make_unique<Graph>(
        stream_, [&] { enqueue_chain(bench_case, buffers, i == 0 ? nullptr : &calls[i - 1]); }));
    chains.back()->launch(stream_);
  }
  const std::size_t total = chains.size();
  while (events_.size() <= total) events_.emplace_back();
  std::vector<std::vector<double> > layer(total);
  for (std::size_t round = 0; round < static_cast<std::size_t>(rounds); ++round) {
    chains[0]->launch(stream_);
    events_[0].record(stream_);
    for (std::size_t turn = 0; turn < total; ++turn) {
      chains[(turn + round) % total]->launch(stream_);
      events_[turn + 1].record(stream_);
    }
    stream_.synchronize();
    for (std::size_t turn = 0; turn < total; ++turn) {
      layer[(turn + round) % total].push_back(events_[turn + 1].microseconds_since(events_[turn]) / layers_);
    }
  }
  LayerTimes times{summarise_rounds(layer[0]), {}};
  for (std::size_t i = 1; i < total; ++i) {
    std::ranges::transform(layer[i], layer[0], layer[i].begin(), std::minus());
    times.added.push_back(summarise_rounds(layer[i]));
  }
  return times;
}

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

std::unique_ptr<BenchDevice> make_gpu_bench(std::int32_t device, int layers) {
  return std::make_unique<GpuBench>(device, layers);
}

}  // namespace hiprope::tools

#endif
