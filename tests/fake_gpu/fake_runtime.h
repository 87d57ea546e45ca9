// A stand-in for the GPU runtime, for tests only: what tests set up, make fail, count and look at.
//
// Device addresses are reserved but never mapped, so that host code reading or writing one faults; each allocation has
// backing memory of its own, poisoned, which kernels, copies and sets reach by translation, and whose ends
// AddressSanitizer guards. Work on a stream runs no sooner than something waits for it, so that a missing wait shows.
// Kernels are the host-compiled bodies of kernels/body.h. Calls that a real runtime refuses during a capture are
// refused here too, and invalidate it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "hip/hip_runtime_api.h"

namespace hiprope::fake {

enum class Call {
  get_device_count,
  get_device,
  set_device,
  get_device_properties,
  device_synchronize,
  malloc,
  free,
  memcpy,
  memcpy_async,
  memcpy_2d_async,
  memset_async,
  stream_create,
  stream_destroy,
  stream_synchronize,
  stream_is_capturing,
  exchange_capture_mode,
  module_load_data,
  module_unload,
  module_get_function,
  launch_kernel,
};
constexpr int kCalls = static_cast<int>(Call::launch_kernel) + 1;
const char* name_of(Call call);

struct Device {
  std::string architecture;  // as gcnArchName writes it
  std::size_t memory_bytes = std::size_t{1} << 30;
};
// The embedded code objects are for gfx90a and gfx942; one that says gfx1100 is for another architecture.
constexpr const char* kWithKernels = "gfx90a:sramecc+:xnack-";
constexpr const char* kAlsoWithKernels = "gfx942";
constexpr const char* kWithoutKernels = "gfx1036";
constexpr const char* kWrongKernels = "gfx1100";

// Begins anew with these devices, device 0 current; nothing of the old ones may be in use. With kWithKernels alone
// unless a test says otherwise.
void reset(std::vector<Device> devices);

// Makes the call after `skip` further ones of any kind fail with `error`, without its effect.
void fail_call(std::size_t skip, hipError_t error);
// Makes every call of a kind fail.
void fail_all(Call call, hipError_t error);
void fail_none();
// Destroys streams that a failed hipStreamDestroy left.
void drop_streams();
// Whether the call that fail_call named came.
bool failed();

// The calls since the last reset or start_trace, in order.
void start_trace();
std::vector<Call> stop_trace();
using Counts = std::array<std::uint64_t, kCalls>;
Counts counts();

struct Held {
  std::size_t allocations, bytes, modules, streams;
  bool operator==(const Held&) const = default;
};
Held held();

}  // namespace hiprope::fake
