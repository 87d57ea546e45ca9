// Device buffers, streams and graphs for the tools, with the CPU as a device like any other.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

namespace hiprope::tools {

// Bytes on a GPU, or in host memory where device is hiprope_device_cpu. A failing runtime call throws ToolError.
class DeviceBuffer {
 public:
  DeviceBuffer(int device, std::size_t bytes);
  ~DeviceBuffer();
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  void* data() const { return data_; }
  std::size_t size() const { return bytes_; }
  void upload(std::span<const std::byte> source, std::size_t offset = 0);
  void download(std::span<std::byte> destination, std::size_t offset = 0) const;

 private:
  int device_;
  std::size_t bytes_;
  void* data_ = nullptr;
};

class Stream {
 public:
  explicit Stream(int device);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void* handle() const { return handle_; }  // null on the CPU
  void synchronize() const;

 private:
  int device_;
  void* handle_ = nullptr;
};

// Captures what `work` puts on the stream, without running it.
class Graph {
 public:
  Graph(const Stream& stream, const std::function<void()>& work);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  void launch(const Stream& stream) const;

 private:
  void* instance_ = nullptr;
};

}  // namespace hiprope::tools
