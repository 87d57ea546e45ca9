// GPU memory, streams and graph capture for tests, and a case run on a GPU; on platform none there is never a GPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "tests/support/case.h"

namespace hiprope::test {

// Empty when GPU 0 exists and has kernels; else why GPU tests cannot run here.
std::string why_no_gpu();
int gpu_count();

// Skips the test without a GPU, or fails it where HIPROPE_REQUIRE_GPU=1 says that there must be one.
#define HIPROPE_NEEDS_GPU()                                                                      \
  do {                                                                                           \
    const std::string reason = ::hiprope::test::why_no_gpu();                                    \
    if (!reason.empty() && ::hiprope::test::environment_number("HIPROPE_REQUIRE_GPU", 0) != 0) { \
      FAIL() << "HIPROPE_REQUIRE_GPU is set, but " << reason;                                    \
    }                                                                                            \
    if (!reason.empty()) GTEST_SKIP() << reason;                                                 \
  } while (false)

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

// A failure of the runtime in a test's own calls ends the program with the call's name.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  explicit DeviceMemory(std::size_t bytes);
  DeviceMemory(DeviceMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  DeviceMemory& operator=(DeviceMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~DeviceMemory();

  std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  void upload(std::span<const std::byte> from, std::size_t at = 0) const;
  void download(std::span<std::byte> to, std::size_t at = 0) const;
  void fill(std::byte value) const;

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

class Stream {
 public:
  Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream();
  void* get() const { return stream_; }
  void wait() const;
  void begin_capture() const;

 private:
  void* stream_ = nullptr;
};

// What a stream recorded between begin_capture and this constructor.
class Graph {
 public:
  explicit Graph(const Stream& stream);
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  ~Graph();
  bool valid() const { return executable_ != nullptr; }
  void replay(const Stream& stream) const;

 private:
  void* graph_ = nullptr;
  void* executable_ = nullptr;
};

// Free bytes of the current device.
std::size_t free_device_bytes();

// A case's buffers and ids in GPU memory.
class DeviceCase {
 public:
  DeviceCase(const Case& c, const Images& images);
  void upload(const Images& images) const;
  Images download() const;
  Result call(const Rope& rope, const Stream& stream) const { return call(rope, stream.get()); }
  Result call(const Rope& rope, void* stream) const { return call(*case_, rope, stream); }
  // The same buffers under another case, of the same ids.
  Result call(const Case& c, const Rope& rope, const Stream& stream) const { return call(c, rope, stream.get()); }
  Result call(const Case& c, const Rope& rope, void* stream) const;
  const DeviceMemory& ids() const { return ids_; }

 private:
  const Case* case_;
  std::array<DeviceMemory, kBuffers> buffers_;
  DeviceMemory ids_;
  std::array<std::size_t, kBuffers> sizes_{};
};

enum class Mode { eager, captured };
// Runs the case on the GPU, in `images`.
Outcome run_gpu(const Case& c, const Rope& rope, Mode mode, Images& images);

}  // namespace hiprope::test
