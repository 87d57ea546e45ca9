// Device buffers, streams and graphs over the GPU runtime of the build's platform; on platform "none" only the CPU.
#include "tools/gpu_memory.h"

#include <algorithm>
#include <new>

#include "hiprope/hiprope.hpp"
#include "tools/tool_error.h"

#ifndef HIPROPE_PLATFORM_NONE
#include "src/gpu/runtime.h"
#endif

namespace hiprope::tools {
namespace {

constexpr std::align_val_t kHostAlignment{64};  // bytes

#ifdef HIPROPE_PLATFORM_NONE

[[noreturn]] void no_gpu() {
  refuse("this build has no GPU support; configure with -DHIPROPE_PLATFORM=amd or nvidia, or pass --device cpu");
}
void* allocate(int, std::size_t) {
  no_gpu();
}
void release(void*) {}
void copy_to_device(void*, const void*, std::size_t) {
  no_gpu();
}
void copy_from_device(void*, const void*, std::size_t) {
  no_gpu();
}

#else

void check(hipError_t status, const char* action) {
  if (status == hipSuccess) return;
  refuse("{} failed with {} ({}); free GPU memory or ask for fewer --tokens, or pass --device cpu", action,
         hipGetErrorName(status), hipGetErrorString(status));
}

void* allocate(int device, std::size_t bytes) {
  check(hipSetDevice(device), "selecting the GPU");
  void* data = nullptr;
  check(hipMalloc(&data, bytes), "allocating GPU memory");
  return data;
}
void release(void* data) {
  static_cast<void>(hipFree(data));
}
void copy_to_device(void* destination, const void* source, std::size_t bytes) {
  check(hipMemcpy(destination, source, bytes, hipMemcpyHostToDevice), "copying to the GPU");
}
void copy_from_device(void* destination, const void* source, std::size_t bytes) {
  check(hipMemcpy(destination, source, bytes, hipMemcpyDeviceToHost), "copying from the GPU");
}

#endif

}  // namespace

DeviceBuffer::DeviceBuffer(int device, std::size_t bytes) : device_(device), bytes_(bytes) {
  data_ = device < 0 ? ::operator new(bytes, kHostAlignment) : allocate(device, bytes);
}

DeviceBuffer::~DeviceBuffer() {
  if (device_ < 0) {
    ::operator delete(data_, kHostAlignment);
  } else {
    release(data_);
  }
}

void DeviceBuffer::upload(std::span<const std::byte> source, std::size_t offset) {
  std::byte* const destination = static_cast<std::byte*>(data_) + offset;
  if (device_ < 0) {
    std::ranges::copy(source, destination);
  } else {
    copy_to_device(destination, source.data(), source.size());
  }
}

void DeviceBuffer::download(std::span<std::byte> destination, std::size_t offset) const {
  const std::byte* const source = static_cast<const std::byte*>(data_) + offset;
  if (device_ < 0) {
    std::copy_n(source, destination.size(), destination.data());
  } else {
    copy_from_device(destination.data(), source, destination.size());
  }
}

#ifdef HIPROPE_PLATFORM_NONE

Stream::Stream(int device) : device_(device) {
  if (device_ >= 0) no_gpu();
}
Stream::~Stream() = default;
void Stream::synchronize() const {}

Graph::Graph(const Stream&, const std::function<void()>&) {
  no_gpu();
}
Graph::~Graph() = default;
void Graph::launch(const Stream&) const {}

#else

namespace {
hipStream_t runtime_stream(const Stream& stream) {
  return static_cast<hipStream_t>(stream.handle());
}
}  // namespace

Stream::Stream(int device) : device_(device) {
  if (device_ < 0) return;
  check(hipSetDevice(device_), "selecting the GPU");
  hipStream_t stream = nullptr;
  check(hipStreamCreate(&stream), "creating a stream");
  handle_ = stream;
}

Stream::~Stream() {
  if (device_ >= 0) static_cast<void>(hipStreamDestroy(runtime_stream(*this)));
}

void Stream::synchronize() const {
  if (device_ >= 0) check(hipStreamSynchronize(runtime_stream(*this)), "waiting for the GPU");
}

Graph::Graph(const Stream& stream, const std::function<void()>& work) {
  check(hipStreamBeginCapture(runtime_stream(stream), hipStreamCaptureModeThreadLocal), "beginning a graph capture");
  work();
  hipGraph_t graph = nullptr;
  check(hipStreamEndCapture(runtime_stream(stream), &graph), "ending a graph capture");
  hipGraphExec_t instance = nullptr;
  check(hipGraphInstantiate(&instance, graph, nullptr, nullptr, 0), "instantiating a graph");
  static_cast<void>(hipGraphDestroy(graph));
  instance_ = instance;
}

Graph::~Graph() {
  static_cast<void>(hipGraphExecDestroy(static_cast<hipGraphExec_t>(instance_)));
}

void Graph::launch(const Stream& stream) const {
  check(hipGraphLaunch(static_cast<hipGraphExec_t>(instance_), runtime_stream(stream)), "launching a graph");
}

#endif

}  // namespace hiprope::tools
