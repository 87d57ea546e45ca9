// Device buffers, streams and graphs over the runtime names that the library itself uses.
#include "tests/support/gpu_memory.h"

#include <algorithm>
#include <new>
#include <stdexcept>

#include <fmt/format.h>

#if defined(HIPROPE_PLATFORM_NONE)
namespace {
// Stand-ins for a build without a runtime.
using hipError_t = int;
using hipStream_t = void*;
using hipGraph_t = void*;
using hipGraphExec_t = void*;
enum { hipSuccess, hipErrorUnknown, hipErrorOutOfMemory };
enum { hipMemcpyHostToDevice, hipMemcpyDeviceToHost, hipStreamCaptureModeGlobal };
template <typename... Arguments>
hipError_t absent(const Arguments&...) {
  return hipErrorUnknown;
}
const char* hipGetErrorName(hipError_t) {
  return "no GPU runtime";
}
const char* hipGetErrorString(hipError_t) {
  return "this build has no GPU support; configure with -DHIPROPE_PLATFORM=amd or nvidia";
}
#define hipGetDevice absent
#define hipSetDevice absent
#define hipMalloc absent
#define hipFree absent
#define hipMemcpy absent
#define hipMemset absent
#define hipMemGetInfo absent
#define hipDeviceSynchronize absent
#define hipStreamCreate absent
#define hipStreamDestroy absent
#define hipStreamSynchronize absent
#define hipStreamBeginCapture absent
#define hipStreamEndCapture absent
#define hipGraphInstantiate absent
#define hipGraphLaunch absent
#define hipGraphExecDestroy absent
#define hipGraphDestroy absent
}  // namespace
#else
#include "gpu/runtime.h"
#endif

namespace hiprope::test {
namespace {

constexpr std::align_val_t kHostAlignment{64};  // bytes

void require(hipError_t status, const char* action) {
  if (status == hipSuccess) return;
  const char* const advice =
      status == hipErrorOutOfMemory ? "; free GPU memory, or ask for less, such as fewer tokens" : "";
  throw std::runtime_error(
      fmt::format("{} failed with {} ({}){}", action, hipGetErrorName(status), hipGetErrorString(status), advice));
}

hipStream_t runtime_stream(const Stream& stream) {
  return static_cast<hipStream_t>(stream.handle());
}

}  // namespace

int current_device() {
  int device = -1;
  require(hipGetDevice(&device), "asking for the current GPU");
  return device;
}

AsCurrent::AsCurrent(int device) : previous_(current_device()) {
  require(hipSetDevice(device), "selecting the GPU");
}

AsCurrent::~AsCurrent() {
  static_cast<void>(hipSetDevice(previous_));
}

std::size_t free_device_bytes() {
  std::size_t free_bytes = 0;
  std::size_t all_bytes = 0;
  require(hipMemGetInfo(&free_bytes, &all_bytes), "asking for free GPU memory");
  return free_bytes;
}

DeviceBuffer::DeviceBuffer(int device, std::size_t bytes) : device_(device), bytes_(bytes) {
  void* data = nullptr;
  if (device < 0) {
    data = ::operator new(bytes, kHostAlignment);
  } else {
    require(hipSetDevice(device), "selecting the GPU");
    require(hipMalloc(&data, std::max<std::size_t>(bytes, 1)), "allocating GPU memory");
  }
  data_ = static_cast<std::byte*>(data);
}

DeviceBuffer::~DeviceBuffer() {
  if (device_ < 0) {
    ::operator delete(data_, kHostAlignment);
  } else {
    static_cast<void>(hipFree(data_));
  }
}

void DeviceBuffer::upload(std::span<const std::byte> source, std::size_t offset) const {
  if (source.empty()) return;
  if (device_ < 0) {
    std::ranges::copy(source, data_ + offset);
  } else {
    require(hipMemcpy(data_ + offset, source.data(), source.size(), hipMemcpyHostToDevice), "copying to the GPU");
  }
}

void DeviceBuffer::download(std::span<std::byte> destination, std::size_t offset) const {
  if (destination.empty()) return;
  if (device_ < 0) {
    std::copy_n(data_ + offset, destination.size(), destination.data());
  } else {
    require(hipMemcpy(destination.data(), data_ + offset, destination.size(), hipMemcpyDeviceToHost),
            "copying from the GPU");
  }
}

void DeviceBuffer::fill(std::byte value) const {
  if (device_ < 0) {
    std::fill_n(data_, bytes_, value);
    return;
  }
  require(hipMemset(data_, static_cast<int>(value), bytes_), "filling GPU memory");
  require(hipDeviceSynchronize(), "waiting for the GPU");
}

Stream::Stream(int device) : device_(device) {
  if (device_ < 0) return;
  require(hipSetDevice(device_), "selecting the GPU");
  hipStream_t stream = nullptr;
  require(hipStreamCreate(&stream), "creating a stream");
  handle_ = stream;
}

Stream::~Stream() {
  if (device_ >= 0) static_cast<void>(hipStreamDestroy(runtime_stream(*this)));
}

void Stream::synchronize() const {
  if (device_ >= 0) require(hipStreamSynchronize(runtime_stream(*this)), "waiting for the GPU");
}

void Stream::begin_capture() const {
  require(hipStreamBeginCapture(runtime_stream(*this), hipStreamCaptureModeGlobal), "beginning a graph capture");
}

Graph::Graph(const Stream& stream) {
  hipGraph_t graph = nullptr;
  if (hipStreamEndCapture(runtime_stream(stream), &graph) != hipSuccess || graph == nullptr) return;
  hipGraphExec_t instance = nullptr;
  const hipError_t status = hipGraphInstantiate(&instance, graph, nullptr, nullptr, 0);
  static_cast<void>(hipGraphDestroy(graph));
  require(status, "instantiating a graph");
  instance_ = instance;
}

Graph::Graph(const Stream& stream, const std::function<void()>& work)
    : Graph([&]() -> const Stream& {
        stream.begin_capture();
        work();
        return stream;
      }()) {
  if (!valid()) throw std::runtime_error("a graph capture was broken");
}

Graph::~Graph() {
  if (instance_ != nullptr) static_cast<void>(hipGraphExecDestroy(static_cast<hipGraphExec_t>(instance_)));
}

void Graph::launch(const Stream& stream) const {
  require(hipGraphLaunch(static_cast<hipGraphExec_t>(instance_), runtime_stream(stream)), "launching a graph");
}

}  // namespace hiprope::test
