// GPU memory, streams and graphs over the runtime names that the library itself uses.
#include "tests/support/gpu.h"

#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

#if defined(HIPROPE_PLATFORM_NONE)
namespace {
// Stand-ins for a build without a runtime: every GPU test ends itself before it reaches one.
using hipError_t = int;
using hipStream_t = void*;
using hipGraph_t = void*;
using hipGraphExec_t = void*;
enum { hipSuccess, hipErrorUnknown };
enum { hipMemcpyHostToDevice, hipMemcpyDeviceToHost, hipStreamCaptureModeGlobal, hipStreamNonBlocking };
template <typename... Arguments>
hipError_t absent(const Arguments&...) {
  return hipErrorUnknown;
}
const char* hipGetErrorName(hipError_t) {
  return "no GPU runtime";
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

void require(hipError_t error, const char* what) {
  if (error == hipSuccess) return;
  std::fprintf(stderr, "%s: %s\n", what, hipGetErrorName(error));
  std::exit(EXIT_FAILURE);
}

}  // namespace

int gpu_count() {
  std::int32_t count = 0;
  return hiprope_device_count(&count) == hiprope_ok ? count : 0;
}

std::string why_no_gpu() {
  std::int32_t count = 0;
  if (hiprope_device_count(&count) != hiprope_ok)
    return fmt::format("GPUs cannot be counted: {}", hiprope_last_error());
  if (count == 0) return fmt::format("there is no GPU (platform {})", hiprope_platform());
  hiprope_device_info info{};
  info.size = sizeof(info);
  if (hiprope_get_device_info(0, &info) != hiprope_ok) return fmt::format("GPU 0: {}", hiprope_last_error());
  if (info.has_code_object == 0) return fmt::format("this build has no kernels for {}", info.architecture);
  return {};
}

int current_device() {
  int device = -1;
  require(hipGetDevice(&device), "hipGetDevice");
  return device;
}

AsCurrent::AsCurrent(int device) : previous_(current_device()) {
  require(hipSetDevice(device), "hipSetDevice");
}

AsCurrent::~AsCurrent() {
  require(hipSetDevice(previous_), "hipSetDevice");
}

DeviceMemory::DeviceMemory(std::size_t bytes) : bytes_(bytes) {
  void* data = nullptr;
  require(hipMalloc(&data, bytes == 0 ? 1 : bytes), "hipMalloc");
  data_ = static_cast<std::byte*>(data);
}

DeviceMemory::~DeviceMemory() {
  if (data_ != nullptr) require(hipFree(data_), "hipFree");
}

void DeviceMemory::upload(std::span<const std::byte> from, std::size_t at) const {
  if (from.empty()) return;
  require(hipMemcpy(data_ + at, from.data(), from.size(), hipMemcpyHostToDevice), "hipMemcpy to the device");
}

void DeviceMemory::download(std::span<std::byte> to, std::size_t at) const {
  if (to.empty()) return;
  require(hipMemcpy(to.data(), data_ + at, to.size(), hipMemcpyDeviceToHost), "hipMemcpy to the host");
}

void DeviceMemory::fill(std::byte value) const {
  require(hipMemset(data_, static_cast<int>(value), bytes_), "hipMemset");
  require(hipDeviceSynchronize(), "hipDeviceSynchronize");
}

std::size_t free_device_bytes() {
  std::size_t free_bytes = 0;
  std::size_t all_bytes = 0;
  require(hipMemGetInfo(&free_bytes, &all_bytes), "hipMemGetInfo");
  return free_bytes;
}

Stream::Stream() {
  hipStream_t stream = nullptr;
  require(hipStreamCreate(&stream), "hipStreamCreate");
  stream_ = stream;
}

Stream::~Stream() {
  require(hipStreamDestroy(static_cast<hipStream_t>(stream_)), "hipStreamDestroy");
}

void Stream::wait() const {
  require(hipStreamSynchronize(static_cast<hipStream_t>(stream_)), "hipStreamSynchronize");
}

void Stream::begin_capture() const {
  require(hipStreamBeginCapture(static_cast<hipStream_t>(stream_), hipStreamCaptureModeGlobal),
          "hipStreamBeginCapture");
}

Graph::Graph(const Stream& stream) {
  hipGraph_t graph = nullptr;
  hipGraphExec_t executable = nullptr;
  if (hipStreamEndCapture(static_cast<hipStream_t>(stream.get()), &graph) != hipSuccess || graph == nullptr) return;
  graph_ = graph;
  require(hipGraphInstantiate(&executable, graph, nullptr, nullptr, 0), "hipGraphInstantiate");
  executable_ = executable;
}

Graph::~Graph() {
  if (executable_ != nullptr)
    require(hipGraphExecDestroy(static_cast<hipGraphExec_t>(executable_)), "hipGraphExecDestroy");
  if (graph_ != nullptr) require(hipGraphDestroy(static_cast<hipGraph_t>(graph_)), "hipGraphDestroy");
}

void Graph::replay(const Stream& stream) const {
  require(hipGraphLaunch(static_cast<hipGraphExec_t>(executable_), static_cast<hipStream_t>(stream.get())),
          "hipGraphLaunch");
}

DeviceCase::DeviceCase(const Case& c, const Images& images) : case_(&c) {
  const std::vector<std::byte> ids = id_bytes(c);
  ids_ = DeviceMemory(ids.size());
  ids_.upload(ids);
  for (std::size_t i = 0; i < images.size(); ++i) {
    sizes_[i] = images[i].size();
    if (!images[i].empty()) buffers_[i] = DeviceMemory(images[i].size());
  }
  upload(images);
}

void DeviceCase::upload(const Images& images) const {
  for (std::size_t i = 0; i < images.size(); ++i) buffers_[i].upload(images[i]);
}

Images DeviceCase::download() const {
  Images images;
  for (std::size_t i = 0; i < images.size(); ++i) {
    images[i].resize(sizes_[i]);
    buffers_[i].download(images[i]);
  }
  return images;
}

Result DeviceCase::call(const Case& c, const Rope& rope, void* stream) const {
  std::array<std::byte*, kBuffers> bases{};
  for (std::size_t i = 0; i < bases.size(); ++i) bases[i] = buffers_[i].data();
  return test::call(c, rope, bases, ids_.data(), stream);
}

Outcome run_gpu(const Case& c, const Rope& rope, Mode mode, Images& images) {
  if (!rope) return {rope.created().status(), rope.created().message()};
  const DeviceCase on_device(c, images);
  const Stream stream;
  if (const Result cleared = rope.clear_position_errors(stream.get()); !cleared) {
    return {cleared.status(), cleared.message()};
  }
  stream.wait();
  if (mode == Mode::captured) stream.begin_capture();
  const Result result = on_device.call(rope, stream);
  if (mode == Mode::captured) {
    const Graph graph(stream);
    if (!graph.valid()) return {result.status(), "the capture was broken: " + result.message()};
    if (on_device.download() != images) return {result.status(), "tensors changed before the graph was replayed"};
    graph.replay(stream);
    stream.wait();
  }
  hiprope_position_errors errors{};
  const Result read = rope.read_position_errors(errors, stream.get());
  if (result && !read) return {read.status(), read.message()};
  images = on_device.download();
  return {result.status(), result.message(), result.path(), errors.count, errors.first_token};
}

}  // namespace hiprope::test
