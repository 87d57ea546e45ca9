// Device buffers, streams and graphs for tests and tools, with the CPU as a device like any other.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <utility>

namespace hiprope::test {

// A failing runtime call throws std::runtime_error, but for those of destructors, which are passed over. On platform
// none every call on a GPU fails.

int current_device();
// Makes a device the thread's current one for a time.
class AsCurrent {
 public:
  explicit AsCurrent(int device);
  AsCurrent(const AsCurrent&) = delete;
  AsCurrent& operator=(const AsCurrent&) = delete;
  ~AsCurrent();

 private:
  int previous_ = 0;
};

// Free bytes of the current device.
std::size_t free_device_bytes();

// Bytes on a GPU, or in host memory where the device is hiprope_device_cpu.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  // On the thread's current GPU.
  explicit DeviceBuffer(std::size_t bytes) : DeviceBuffer(current_device(), bytes) {}
  // Leaves `device` the thread's current one.
  DeviceBuffer(int device, std::size_t bytes);
  DeviceBuffer(DeviceBuffer&& other) noexcept
      : device_(other.device_), bytes_(std::exchange(other.bytes_, 0)), data_(std::exchange(other.data_, nullptr)) {}
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(bytes_, other.bytes_);
    std::swap(data_, other.data_);
    return *this;
  }
  ~DeviceBuffer();

  std::byte* data() const { return data_; }
  std::size_t size() const { return bytes_; }
  void upload(std::span<const std::byte> source, std::size_t offset = 0) const;
  void download(std::span<std::byte> destination, std::size_t offset = 0) const;
  void fill(std::byte value) const;

 private:
  int device_ = -1;
  std::size_t bytes_ = 0;
  std::byte* data_ = nullptr;
};

class Stream {
 public:
  // On the thread's current GPU.
  Stream() : Stream(current_device()) {}
  // Leaves `device` the thread's current one.
  explicit Stream(int device);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void* handle() const { return handle_; }  // null on the CPU
  void synchronize() const;
  void begin_capture() const;

 private:
  int device_;
  void* handle_ = nullptr;
};

class Graph {
 public:
  // What the stream recorded since begin_capture; not valid if the capture was broken.
  explicit Graph(const Stream& stream);
  // Captures what `work` puts on the stream, without running it; throws if the capture was broken.
  Graph(const Stream& stream, const std::function<void()>& work);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  bool valid() const { return instance_ != nullptr; }
  void launch(const Stream& stream) const;

 private:
  void* instance_ = nullptr;
};

}  // namespace hiprope::test
