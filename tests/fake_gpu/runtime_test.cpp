// The stand-in itself: it must be as strict as a real runtime, or the other tests show nothing.
#include <array>
#include <cstdint>
#include <cstring>

#include "tests/fake_gpu/fixture.h"

namespace hiprope::test {
namespace {

using fake_gpu_runtime = FakeGpu;

TEST_F(fake_gpu_runtime, names_itself_so_that_nobody_takes_it_for_a_gpu) {
  hiprope_device_info info{};
  info.size = sizeof(info);
  ASSERT_EQ(hiprope_get_device_info(0, &info), hiprope_ok) << hiprope_last_error();
  EXPECT_EQ(std::string(static_cast<const char*>(info.name)).substr(0, 5), "fake ");
}

TEST_F(fake_gpu_runtime, host_code_cannot_touch_device_memory) {
  const DeviceBuffer memory(64);
  EXPECT_DEATH(*const_cast<volatile std::byte*>(memory.data()) = std::byte{1}, "");
  EXPECT_DEATH((void)*const_cast<volatile std::byte*>(memory.data()), "");
}

TEST_F(fake_gpu_runtime, work_waits_until_something_waits_for_it) {
  const DeviceBuffer memory(8);
  const Stream stream;
  auto* handle = static_cast<hipStream_t>(stream.handle());
  std::uint64_t word = 0;
  ASSERT_EQ(hipMemsetAsync(memory.data(), 0x11, 8, handle), hipSuccess);
  ASSERT_EQ(hipMemcpyAsync(&word, memory.data(), 8, hipMemcpyDeviceToHost, handle), hipSuccess);
  EXPECT_EQ(word, 0U);
  ASSERT_EQ(hipStreamSynchronize(handle), hipSuccess);
  EXPECT_EQ(word, 0x1111111111111111U);
}

TEST_F(fake_gpu_runtime, copies_stay_inside_their_allocation_and_device) {
  const DeviceBuffer memory(64);
  std::array<std::byte, 128> host{};
  const auto copy = [&](std::size_t bytes) {
    EXPECT_EQ(hipMemcpyAsync(memory.data(), host.data(), bytes, hipMemcpyHostToDevice, nullptr), hipSuccess);
    return hipStreamSynchronize(nullptr);
  };
  EXPECT_EQ(copy(64), hipSuccess);
  EXPECT_EQ(copy(65), hipErrorInvalidValue);
  const AsCurrent other(kOtherKernelDevice);
  EXPECT_EQ(copy(64), hipErrorInvalidValue);
  EXPECT_EQ(hipMemcpy(host.data(), host.data(), 8, hipMemcpyDeviceToHost), hipErrorInvalidValue);
  (void)hipGetLastError();
}

TEST_F(fake_gpu_runtime, waiting_for_or_allocating_beside_a_capture_breaks_it) {
  const Stream stream;
  void* pointer = nullptr;
  for (const bool allocate : {false, true}) {
    stream.begin_capture();
    const hipError_t error =
        allocate ? hipMalloc(&pointer, 8) : hipStreamSynchronize(static_cast<hipStream_t>(stream.handle()));
    EXPECT_EQ(error, hipErrorStreamCaptureUnsupported);
    EXPECT_FALSE(Graph(stream).valid());
  }
  stream.begin_capture();
  hipStreamCaptureMode mode = hipStreamCaptureModeRelaxed;
  ASSERT_EQ(hipThreadExchangeStreamCaptureMode(&mode), hipSuccess);
  EXPECT_EQ(hipMalloc(&pointer, 8), hipSuccess);
  EXPECT_EQ(hipFree(pointer), hipSuccess);
  ASSERT_EQ(hipThreadExchangeStreamCaptureMode(&mode), hipSuccess);
  EXPECT_TRUE(Graph(stream).valid());
  (void)hipGetLastError();
}

}  // namespace
}  // namespace hiprope::test
