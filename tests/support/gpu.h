// Whether there is a GPU, and a case run on it.
#pragma once

#include <array>
#include <cstddef>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/case.h"
#include "tests/support/gpu_memory.h"

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

// A case's buffers and ids in GPU memory.
class DeviceCase {
 public:
  DeviceCase(const Case& c, const Images& images);
  void upload(const Images& images) const;
  Images download() const;
  Result call(const Rope& rope, const Stream& stream) const { return call(rope, stream.handle()); }
  Result call(const Rope& rope, void* stream) const { return call(*case_, rope, stream); }
  // The same buffers under another case, of the same ids.
  Result call(const Case& c, const Rope& rope, const Stream& stream) const { return call(c, rope, stream.handle()); }
  Result call(const Case& c, const Rope& rope, void* stream) const;
  const DeviceBuffer& ids() const { return ids_; }

 private:
  const Case* case_;
  std::array<DeviceBuffer, kBuffers> buffers_;
  DeviceBuffer ids_;
  std::array<std::size_t, kBuffers> sizes_{};
};

enum class Mode { eager, captured };
// Runs the case on the GPU, in `images`.
Outcome run_gpu(const Case& c, const Rope& rope, Mode mode, Images& images);

}  // namespace hiprope::test
