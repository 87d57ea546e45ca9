// The stand-in runtime: devices, memory, streams, captures and modules on the host.
#include "tests/fake_gpu/fake_runtime.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <shared_mutex>
#include <thread>
#include <utility>

#include "tests/fake_gpu/fake_kernels.h"

namespace {

using namespace hiprope::fake;

// What a stream does; an error shows at the wait.
using Work = std::function<hipError_t()>;

struct Block {
  std::size_t bytes;
  std::size_t reserved;
  int device;
  unsigned char* backing;
};

constexpr auto kBlockAlignment = std::align_val_t{256};
constexpr unsigned char kPoison = 0xCB;

std::vector<hipError_t> run_all(const std::vector<Work>& list) {
  std::vector<hipError_t> errors;
  for (const Work& work : list) errors.push_back(work());
  return errors;
}

}  // namespace

struct ihipGraph {
  std::vector<Work> work;
};
struct hipGraphExec {
  std::vector<Work> work;
};

struct ihipStream_t {
  int device = 0;
  bool blocking = true;  // waits for the default stream, and the default stream for it
  std::mutex running;    // held while work runs, so that it runs in order
  std::mutex guard;      // of what follows
  std::deque<Work> queue;
  hipError_t error = hipSuccess;
  hipStreamCaptureStatus capture = hipStreamCaptureStatusNone;
  hipStreamCaptureMode capture_mode = hipStreamCaptureModeGlobal;
  std::thread::id capture_thread;
  std::vector<Work> captured;
};

struct ihipModuleSymbol_t {
  int device;
  Kernel kernel;
};
struct ihipModule_t {
  int device;
  std::string kernel;
  std::vector<std::unique_ptr<ihipModuleSymbol_t>> symbols;
};

namespace {

struct DeviceState {
  Device device;
  ihipStream_t default_stream;
  std::atomic<std::size_t> used{0};
};

// One machine at a time. `memory` and `streams_guard` are never held together.
struct Machine {
  std::vector<std::unique_ptr<DeviceState>> devices;
  std::shared_mutex memory;
  std::map<std::uintptr_t, Block> blocks;
  std::shared_mutex streams_guard;
  std::set<ihipStream_t*> streams;
  std::atomic<int> captures{0};
  std::mutex modules_guard;
  std::set<ihipModule_t*> modules;
  std::array<std::atomic<std::uint64_t>, kCalls> counts{};
};

// What tests ask for. `watched` spares a call the lock when nothing is asked.
struct Watch {
  std::atomic<bool> watched{false};
  std::mutex guard;
  bool tracing = false;
  std::vector<Call> trace;
  bool armed = false;
  bool fired = false;
  std::size_t skip = 0;
  hipError_t error = hipSuccess;
  std::array<hipError_t, kCalls> of_kind{};
};

Machine& machine() {
  static Machine the_machine;
  return the_machine;
}
Watch& watch() {
  static Watch the_watch;
  return the_watch;
}

thread_local int current_device = 0;
thread_local hipError_t last_error = hipSuccess;
thread_local hipStreamCaptureMode thread_mode = hipStreamCaptureModeGlobal;

hipError_t result(hipError_t error) {
  if (error != hipSuccess) last_error = error;
  return error;
}

// Counts a call, and fails it where a test said so.
hipError_t enter(Call call) {
  const auto index = static_cast<std::size_t>(call);
  machine().counts[index].fetch_add(1, std::memory_order_relaxed);
  Watch& w = watch();
  if (!w.watched.load(std::memory_order_relaxed)) return hipSuccess;
  const std::lock_guard lock(w.guard);
  if (w.tracing) w.trace.push_back(call);
  if (w.of_kind[index] != hipSuccess) return result(w.of_kind[index]);
  if (!w.armed || w.skip-- != 0) return hipSuccess;
  w.armed = false;
  w.fired = true;
  return result(w.error);
}

std::string architecture_of(int device) {
  const std::string& name = machine().devices[static_cast<std::size_t>(device)]->device.architecture;
  return name.substr(0, name.find(':'));
}

// The backing of device memory, null unless [address, address + bytes) lies in one allocation of the device.
unsigned char* resolve(const void* address, std::size_t bytes, int device) {
  Machine& m = machine();
  const std::shared_lock lock(m.memory);
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  auto found = m.blocks.upper_bound(at);
  if (found == m.blocks.begin()) return nullptr;
  --found;
  const std::size_t offset = at - found->first;
  const Block& block = found->second;
  if (block.device != device || offset > block.bytes || bytes > block.bytes - offset) return nullptr;
  return block.backing + offset;
}

bool on_any_device(const void* address) {
  for (std::size_t i = 0; i < machine().devices.size(); ++i) {
    if (resolve(address, 0, static_cast<int>(i)) != nullptr) return true;
  }
  return false;
}

hipError_t drain(ihipStream_t& stream) {
  const std::lock_guard running(stream.running);
  while (true) {
    Work work;
    {
      const std::lock_guard lock(stream.guard);
      if (stream.queue.empty()) return std::exchange(stream.error, hipSuccess);
      work = std::move(stream.queue.front());
      stream.queue.pop_front();
    }
    const hipError_t error = work();
    const std::lock_guard lock(stream.guard);
    if (stream.error == hipSuccess) stream.error = error;
  }
}

// Runs what blocking streams of the device, or all of its streams, have queued.
hipError_t drain_device(int device, bool blocking_only) {
  Machine& m = machine();
  hipError_t error = drain(m.devices[static_cast<std::size_t>(device)]->default_stream);
  const std::shared_lock lock(m.streams_guard);
  for (ihipStream_t* stream : m.streams) {
    if (stream->device != device || (blocking_only && !stream->blocking)) continue;
    if (const hipError_t other = drain(*stream); error == hipSuccess) error = other;
  }
  return error;
}

// Invalidates the captures that `of` names; whether there was one.
template <typename Of>
bool invalidate(const Of& of) {
  Machine& m = machine();
  if (m.captures.load() == 0) return false;
  bool any = false;
  const std::shared_lock lock(m.streams_guard);
  for (ihipStream_t* stream : m.streams) {
    const std::lock_guard guard(stream->guard);
    if (stream->capture == hipStreamCaptureStatusNone || !of(*stream)) continue;
    stream->capture = hipStreamCaptureStatusInvalidated;
    any = true;
  }
  return any;
}

// What allocates, frees, loads or waits is forbidden beside a capture unless the thread's mode is relaxed.
hipError_t refuse_beside_capture() {
  if (thread_mode == hipStreamCaptureModeRelaxed) return hipSuccess;
  const bool refused = invalidate([](const ihipStream_t& stream) {
    if (stream.capture_thread == std::this_thread::get_id()) return stream.capture_mode != hipStreamCaptureModeRelaxed;
    return thread_mode == hipStreamCaptureModeGlobal && stream.capture_mode == hipStreamCaptureModeGlobal;
  });
  return refused ? result(hipErrorStreamCaptureUnsupported) : hipSuccess;
}

hipError_t enter_unsafe(Call call) {
  const hipError_t error = enter(call);
  return error != hipSuccess ? error : refuse_beside_capture();
}

bool blocking_capture(const ihipStream_t& stream) {
  return stream.blocking && stream.device == current_device;
}

hipError_t enqueue(hipStream_t given, Work work) {
  Machine& m = machine();
  ihipStream_t& stream =
      given != nullptr ? *given : m.devices[static_cast<std::size_t>(current_device)]->default_stream;
  if (given == nullptr) {
    if (invalidate(blocking_capture)) return result(hipErrorStreamCaptureImplicit);
    if (const hipError_t error = drain_device(stream.device, true); error != hipSuccess) return result(error);
  }
  {
    const std::lock_guard lock(stream.guard);
    if (stream.capture == hipStreamCaptureStatusInvalidated) return result(hipErrorStreamCaptureInvalidated);
    if (stream.capture == hipStreamCaptureStatusActive) {
      stream.captured.push_back(std::move(work));
      return hipSuccess;
    }
  }
  if (given != nullptr && stream.blocking) {
    const hipError_t error = drain(m.devices[static_cast<std::size_t>(stream.device)]->default_stream);
    if (error != hipSuccess) return result(error);
  }
  const std::lock_guard lock(stream.guard);
  stream.queue.push_back(std::move(work));
  return hipSuccess;
}

int device_of(hipStream_t stream) {
  return stream != nullptr ? stream->device : current_device;
}

// A GPU's copy engine moves aligned words whole; another stream's kernel may be counting in them.
void copy_bytes(unsigned char* to, const unsigned char* from, std::size_t bytes) {
  const auto misaligned = (reinterpret_cast<std::uintptr_t>(to) | reinterpret_cast<std::uintptr_t>(from) | bytes) % 8;
  if (misaligned != 0 || bytes > 64) {
    std::memcpy(to, from, bytes);
    return;
  }
  for (std::size_t i = 0; i < bytes; i += 8) {
    auto& word = *reinterpret_cast<std::uint64_t*>(const_cast<unsigned char*>(from) + i);
    const std::uint64_t value = std::atomic_ref(word).load(std::memory_order_relaxed);
    std::atomic_ref(*reinterpret_cast<std::uint64_t*>(to + i)).store(value, std::memory_order_relaxed);
  }
}

struct Pitched {
  const void* data;
  std::size_t pitch;
};

hipError_t copy_rows(Pitched to, Pitched from, std::size_t bytes, std::size_t rows, hipMemcpyKind kind, int device) {
  const bool to_device = kind == hipMemcpyHostToDevice;
  const Pitched& on_device = to_device ? to : from;
  const Pitched& on_host = to_device ? from : to;
  if (rows == 0 || bytes == 0) return hipSuccess;
  unsigned char* backing = resolve(on_device.data, (rows - 1) * on_device.pitch + bytes, device);
  if (backing == nullptr || on_any_device(on_host.data)) return hipErrorInvalidValue;
  auto* host = static_cast<unsigned char*>(const_cast<void*>(on_host.data));
  for (std::size_t row = 0; row < rows; ++row) {
    unsigned char* device_row = backing + row * on_device.pitch;
    unsigned char* host_row = host + row * on_host.pitch;
    to_device ? copy_bytes(device_row, host_row, bytes) : copy_bytes(host_row, device_row, bytes);
  }
  return hipSuccess;
}

hipError_t enqueue_copy(Pitched to, Pitched from, std::size_t bytes, std::size_t rows, hipMemcpyKind kind,
                        hipStream_t stream) {
  if (kind != hipMemcpyHostToDevice && kind != hipMemcpyDeviceToHost) return result(hipErrorInvalidValue);
  if (to.pitch < bytes || from.pitch < bytes) return result(hipErrorInvalidPitchValue);
  const int device = device_of(stream);
  return enqueue(stream, [=] { return copy_rows(to, from, bytes, rows, kind, device); });
}

// Replaces a device pointer by its backing's; false when it is on no allocation of the device.
template <typename Pointer>
bool translate(Pointer& pointer, int device) {
  pointer = reinterpret_cast<Pointer>(resolve(pointer, 1, device));
  return pointer != nullptr;
}

hipError_t run_kernel(Kernel kernel, hiprope::KernelParams p, std::uint32_t blocks, int device) {
  const auto translate_if_set = [device](auto& pointer) { return pointer == nullptr || translate(pointer, device); };
  bool mapped = translate(p.table, device) && translate(p.out_of_range, device);
  mapped = mapped && translate_if_set(p.ids) && translate_if_set(p.axis_of_pair);
  if (p.q_heads > 0) mapped = mapped && translate(p.q.data, device) && translate(p.q_out.data, device);
  if (p.k_heads > 0) mapped = mapped && translate(p.k.data, device) && translate(p.k_out.data, device);
  if (!mapped) return hipErrorIllegalAddress;
  run_grid(kernel, p, blocks);
  return hipSuccess;
}

void release(const Block& block) {
  machine().devices[static_cast<std::size_t>(block.device)]->used.fetch_sub(block.bytes);
  ::operator delete(block.backing, kBlockAlignment);
}

// So that a test that sets nothing up has a device.
[[maybe_unused]] const bool first_reset = (reset({{kWithKernels}}), true);

}  // namespace

namespace hiprope::fake {

const char* name_of(Call call) {
  constexpr const char* kNames[] = {"get_device_count",
                                    "get_device",
                                    "set_device",
                                    "get_device_properties",
                                    "device_synchronize",
                                    "malloc",
                                    "free",
                                    "memcpy",
                                    "memcpy_async",
                                    "memcpy_2d_async",
                                    "memset_async",
                                    "stream_create",
                                    "stream_destroy",
                                    "stream_synchronize",
                                    "stream_is_capturing",
                                    "exchange_capture_mode",
                                    "module_load_data",
                                    "module_unload",
                                    "module_get_function",
                                    "launch_kernel"};
  static_assert(std::size(kNames) == kCalls);
  return kNames[static_cast<int>(call)];
}

void reset(std::vector<Device> devices) {
  Machine& m = machine();
  for (const auto& [address, block] : m.blocks) {
    munmap(reinterpret_cast<void*>(address), block.reserved);
    release(block);
  }
  m.blocks.clear();
  m.devices.clear();
  for (Device& device : devices) {
    m.devices.push_back(std::make_unique<DeviceState>());
    m.devices.back()->device = std::move(device);
    m.devices.back()->default_stream.device = static_cast<int>(m.devices.size()) - 1;
  }
  for (auto& count : m.counts) count = 0;
  for (const ihipModule_t* module : m.modules) delete module;
  m.modules.clear();
  current_device = 0;
  last_error = hipSuccess;
  thread_mode = hipStreamCaptureModeGlobal;
  fail_none();
}

void fail_call(std::size_t skip, hipError_t error) {
  Watch& w = watch();
  const std::lock_guard lock(w.guard);
  w.armed = true;
  w.fired = false;
  w.skip = skip;
  w.error = error;
  w.watched = true;
}

void fail_all(Call call, hipError_t error) {
  Watch& w = watch();
  const std::lock_guard lock(w.guard);
  w.of_kind[static_cast<std::size_t>(call)] = error;
  w.watched = true;
}

void fail_none() {
  Watch& w = watch();
  const std::lock_guard lock(w.guard);
  w.armed = false;
  w.of_kind = {};
  w.watched = w.tracing;
}

void drop_streams() {
  Machine& m = machine();
  const std::unique_lock lock(m.streams_guard);
  for (const ihipStream_t* stream : m.streams) delete stream;
  m.streams.clear();
}

bool failed() {
  Watch& w = watch();
  const std::lock_guard lock(w.guard);
  return w.fired;
}

void start_trace() {
  Watch& w = watch();
  const std::lock_guard lock(w.guard);
  w.tracing = true;
  w.trace.clear();
  w.watched = true;
}

std::vector<Call> stop_trace() {
  Watch& w = watch();
  const std::lock_guard lock(w.guard);
  w.tracing = false;
  return std::move(w.trace);
}

Counts counts() {
  Counts now{};
  for (std::size_t i = 0; i < now.size(); ++i) now[i] = machine().counts[i].load();
  return now;
}

Held held() {
  Machine& m = machine();
  Held now{};
  {
    const std::shared_lock lock(m.memory);
    now.allocations = m.blocks.size();
    for (const auto& [address, block] : m.blocks) now.bytes += block.bytes;
  }
  {
    const std::lock_guard lock(m.modules_guard);
    now.modules = m.modules.size();
  }
  const std::shared_lock lock(m.streams_guard);
  now.streams = m.streams.size();
  return now;
}

}  // namespace hiprope::fake

const char* hipGetErrorName(hipError_t error) {
  switch (error) {
    case hipSuccess:
      return "hipSuccess";
    case hipErrorInvalidValue:
      return "hipErrorInvalidValue";
    case hipErrorOutOfMemory:
      return "hipErrorOutOfMemory";
    case hipErrorInvalidConfiguration:
      return "hipErrorInvalidConfiguration";
    case hipErrorInvalidPitchValue:
      return "hipErrorInvalidPitchValue";
    case hipErrorInsufficientDriver:
      return "hipErrorInsufficientDriver";
    case hipErrorNoDevice:
      return "hipErrorNoDevice";
    case hipErrorInvalidDevice:
      return "hipErrorInvalidDevice";
    case hipErrorInvalidImage:
      return "hipErrorInvalidImage";
    case hipErrorNoBinaryForGpu:
      return "hipErrorNoBinaryForGpu";
    case hipErrorInvalidHandle:
      return "hipErrorInvalidHandle";
    case hipErrorIllegalState:
      return "hipErrorIllegalState";
    case hipErrorNotFound:
      return "hipErrorNotFound";
    case hipErrorIllegalAddress:
      return "hipErrorIllegalAddress";
    case hipErrorLaunchFailure:
      return "hipErrorLaunchFailure";
    case hipErrorStreamCaptureUnsupported:
      return "hipErrorStreamCaptureUnsupported";
    case hipErrorStreamCaptureInvalidated:
      return "hipErrorStreamCaptureInvalidated";
    case hipErrorStreamCaptureImplicit:
      return "hipErrorStreamCaptureImplicit";
    case hipErrorUnknown:
      break;
  }
  return "hipErrorUnknown";
}

const char* hipGetErrorString(hipError_t error) {
  return error == hipSuccess ? "no error" : "the stand-in runtime says so";
}

hipError_t hipGetLastError() {
  return std::exchange(last_error, hipSuccess);
}

hipError_t hipGetDeviceCount(int* count) {
  if (const hipError_t error = enter(Call::get_device_count); error != hipSuccess) return error;
  *count = static_cast<int>(machine().devices.size());
  return *count == 0 ? result(hipErrorNoDevice) : hipSuccess;
}

hipError_t hipGetDevice(int* device) {
  if (const hipError_t error = enter(Call::get_device); error != hipSuccess) return error;
  *device = current_device;
  return hipSuccess;
}

hipError_t hipSetDevice(int device) {
  if (const hipError_t error = enter(Call::set_device); error != hipSuccess) return error;
  if (device < 0 || static_cast<std::size_t>(device) >= machine().devices.size()) return result(hipErrorInvalidDevice);
  current_device = device;
  return hipSuccess;
}

hipError_t hipGetDeviceProperties(hipDeviceProp_t* properties, int device) {
  if (const hipError_t error = enter(Call::get_device_properties); error != hipSuccess) return error;
  if (device < 0 || static_cast<std::size_t>(device) >= machine().devices.size()) return result(hipErrorInvalidDevice);
  const Device& found = machine().devices[static_cast<std::size_t>(device)]->device;
  *properties = {};
  const std::string name = "fake " + found.architecture;
  name.copy(properties->name, sizeof(properties->name) - 1);
  found.architecture.copy(properties->gcnArchName, sizeof(properties->gcnArchName) - 1);
  properties->totalGlobalMem = found.memory_bytes;
  properties->multiProcessorCount = 104;
  return hipSuccess;
}

hipError_t hipDeviceSynchronize() {
  if (const hipError_t error = enter_unsafe(Call::device_synchronize); error != hipSuccess) return error;
  return result(drain_device(current_device, false));
}

hipError_t hipMalloc(void** pointer, std::size_t bytes) {
  if (const hipError_t error = enter_unsafe(Call::malloc); error != hipSuccess) return error;
  Machine& m = machine();
  DeviceState& device = *m.devices[static_cast<std::size_t>(current_device)];
  if (device.used.fetch_add(bytes) + bytes > device.device.memory_bytes) {
    device.used.fetch_sub(bytes);
    return result(hipErrorOutOfMemory);
  }
  const std::size_t reserved = (bytes + 4095) / 4096 * 4096;
  void* address = mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  auto* backing = static_cast<unsigned char*>(::operator new(bytes, kBlockAlignment));
  std::memset(backing, kPoison, bytes);
  const std::unique_lock lock(m.memory);
  m.blocks[reinterpret_cast<std::uintptr_t>(address)] = {bytes, reserved, current_device, backing};
  *pointer = address;
  return hipSuccess;
}

hipError_t hipFree(void* pointer) {
  if (const hipError_t error = enter_unsafe(Call::free); error != hipSuccess) return error;
  if (pointer == nullptr) return hipSuccess;
  Machine& m = machine();
  if (const hipError_t error = drain_device(current_device, false); error != hipSuccess) return result(error);
  const std::unique_lock lock(m.memory);
  const auto found = m.blocks.find(reinterpret_cast<std::uintptr_t>(pointer));
  if (found == m.blocks.end()) return result(hipErrorInvalidValue);
  release(found->second);
  munmap(pointer, found->second.reserved);
  m.blocks.erase(found);
  return hipSuccess;
}

hipError_t hipMemGetInfo(std::size_t* free_bytes, std::size_t* total) {
  const DeviceState& device = *machine().devices[static_cast<std::size_t>(current_device)];
  *total = device.device.memory_bytes;
  *free_bytes = *total - device.used.load();
  return hipSuccess;
}

hipError_t hipMemcpy(void* to, const void* from, std::size_t bytes, hipMemcpyKind kind) {
  if (const hipError_t error = enter_unsafe(Call::memcpy); error != hipSuccess) return error;
  if (const hipError_t error = enqueue_copy({to, bytes}, {from, bytes}, bytes, 1, kind, nullptr); error != hipSuccess) {
    return error;
  }
  return result(drain(machine().devices[static_cast<std::size_t>(current_device)]->default_stream));
}

hipError_t hipMemcpyAsync(void* to, const void* from, std::size_t bytes, hipMemcpyKind kind, hipStream_t stream) {
  if (const hipError_t error = enter(Call::memcpy_async); error != hipSuccess) return error;
  return enqueue_copy({to, bytes}, {from, bytes}, bytes, 1, kind, stream);
}

hipError_t hipMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t bytes,
                            std::size_t rows, hipMemcpyKind kind, hipStream_t stream) {
  if (const hipError_t error = enter(Call::memcpy_2d_async); error != hipSuccess) return error;
  return enqueue_copy({to, to_pitch}, {from, from_pitch}, bytes, rows, kind, stream);
}

hipError_t hipMemset(void* pointer, int value, std::size_t bytes) {
  const hipError_t error = hipMemsetAsync(pointer, value, bytes, nullptr);
  return error != hipSuccess ? error : hipDeviceSynchronize();
}

hipError_t hipMemsetAsync(void* pointer, int value, std::size_t bytes, hipStream_t stream) {
  if (const hipError_t error = enter(Call::memset_async); error != hipSuccess) return error;
  const int device = device_of(stream);
  return enqueue(stream, [=] {
    unsigned char* backing = resolve(pointer, bytes, device);
    if (backing == nullptr) return hipErrorInvalidValue;
    const std::vector<unsigned char> pattern(bytes + 8, static_cast<unsigned char>(value));
    copy_bytes(backing, pattern.data(), bytes);
    return hipSuccess;
  });
}

hipError_t hipStreamCreateWithFlags(hipStream_t* stream, unsigned flags) {
  if (const hipError_t error = enter(Call::stream_create); error != hipSuccess) return error;
  auto made = std::make_unique<ihipStream_t>();
  made->device = current_device;
  made->blocking = (flags & hipStreamNonBlocking) == 0;
  Machine& m = machine();
  const std::unique_lock lock(m.streams_guard);
  m.streams.insert(made.get());
  *stream = made.release();
  return hipSuccess;
}

hipError_t hipStreamCreate(hipStream_t* stream) {
  return hipStreamCreateWithFlags(stream, hipStreamDefault);
}

hipError_t hipStreamDestroy(hipStream_t stream) {
  if (const hipError_t error = enter(Call::stream_destroy); error != hipSuccess) return error;
  Machine& m = machine();
  const hipError_t error = drain(*stream);
  if (stream->capture != hipStreamCaptureStatusNone) --m.captures;
  const std::unique_lock lock(m.streams_guard);
  m.streams.erase(stream);
  delete stream;
  return result(error);
}

hipError_t hipStreamSynchronize(hipStream_t stream) {
  if (const hipError_t error = enter(Call::stream_synchronize); error != hipSuccess) {
    // A wait that fails is a lost device: what was queued does not happen any more.
    ihipStream_t* const lost =
        stream != nullptr ? stream : &machine().devices[static_cast<std::size_t>(current_device)]->default_stream;
    const std::lock_guard lock(lost->guard);
    lost->queue.clear();
    return error;
  }
  if (const hipError_t error = refuse_beside_capture(); error != hipSuccess) return error;
  if (stream == nullptr) {
    if (invalidate(blocking_capture)) return result(hipErrorStreamCaptureImplicit);
    return result(drain_device(current_device, true));
  }
  if (invalidate([&](const ihipStream_t& other) { return &other == stream; })) {
    return result(hipErrorStreamCaptureUnsupported);
  }
  return result(drain(*stream));
}

hipError_t hipStreamIsCapturing(hipStream_t stream, hipStreamCaptureStatus* status) {
  if (const hipError_t error = enter(Call::stream_is_capturing); error != hipSuccess) return error;
  Machine& m = machine();
  if (stream == nullptr) {
    const std::shared_lock lock(m.streams_guard);
    for (ihipStream_t* other : m.streams) {
      const std::lock_guard guard(other->guard);
      if (other->capture != hipStreamCaptureStatusNone && blocking_capture(*other)) {
        return result(hipErrorStreamCaptureImplicit);
      }
    }
    *status = hipStreamCaptureStatusNone;
    return hipSuccess;
  }
  const std::lock_guard lock(stream->guard);
  *status = stream->capture;
  return hipSuccess;
}

hipError_t hipStreamBeginCapture(hipStream_t stream, hipStreamCaptureMode mode) {
  if (stream == nullptr) return result(hipErrorStreamCaptureUnsupported);
  const std::lock_guard lock(stream->guard);
  if (stream->capture != hipStreamCaptureStatusNone) return result(hipErrorIllegalState);
  stream->capture = hipStreamCaptureStatusActive;
  stream->capture_mode = mode;
  stream->capture_thread = std::this_thread::get_id();
  ++machine().captures;
  return hipSuccess;
}

hipError_t hipStreamEndCapture(hipStream_t stream, hipGraph_t* graph) {
  *graph = nullptr;
  const std::lock_guard lock(stream->guard);
  if (stream->capture == hipStreamCaptureStatusNone) return result(hipErrorIllegalState);
  const bool valid = std::exchange(stream->capture, hipStreamCaptureStatusNone) == hipStreamCaptureStatusActive;
  --machine().captures;
  const std::vector<Work> work = std::exchange(stream->captured, {});
  if (!valid) return result(hipErrorStreamCaptureInvalidated);
  *graph = new ihipGraph{work};
  return hipSuccess;
}

hipError_t hipThreadExchangeStreamCaptureMode(hipStreamCaptureMode* mode) {
  if (const hipError_t error = enter(Call::exchange_capture_mode); error != hipSuccess) return error;
  std::swap(*mode, thread_mode);
  return hipSuccess;
}

hipError_t hipGraphInstantiate(hipGraphExec_t* exec, hipGraph_t graph, hipGraphNode_t*, char*, std::size_t) {
  *exec = new hipGraphExec{graph->work};
  return hipSuccess;
}

hipError_t hipGraphLaunch(hipGraphExec_t exec, hipStream_t stream) {
  return enqueue(stream, [work = exec->work] {
    const std::vector<hipError_t> errors = run_all(work);
    const auto bad = std::find_if(errors.begin(), errors.end(), [](hipError_t error) { return error != hipSuccess; });
    return bad == errors.end() ? hipSuccess : *bad;
  });
}

hipError_t hipGraphDestroy(hipGraph_t graph) {
  delete graph;
  return hipSuccess;
}

hipError_t hipGraphExecDestroy(hipGraphExec_t exec) {
  delete exec;
  return hipSuccess;
}

hipError_t hipModuleLoadData(hipModule_t* module, const void* image) {
  if (const hipError_t error = enter_unsafe(Call::module_load_data); error != hipSuccess) return error;
  const std::string text = static_cast<const char*>(image);
  const std::size_t space = text.find(' ');
  if (text.substr(0, space) != architecture_of(current_device)) return result(hipErrorNoBinaryForGpu);
  *module = new ihipModule_t{current_device, text.substr(space + 1), {}};
  const std::lock_guard lock(machine().modules_guard);
  machine().modules.insert(*module);
  return hipSuccess;
}

hipError_t hipModuleUnload(hipModule_t module) {
  if (const hipError_t error = enter_unsafe(Call::module_unload); error != hipSuccess) return error;
  const std::lock_guard lock(machine().modules_guard);
  machine().modules.erase(module);
  delete module;
  return hipSuccess;
}

hipError_t hipModuleGetFunction(hipFunction_t* function, hipModule_t module, const char* name) {
  if (const hipError_t error = enter(Call::module_get_function); error != hipSuccess) return error;
  const Kernel kernel = find_kernel(name);
  if (kernel == nullptr || std::strncmp(name, module->kernel.c_str(), module->kernel.size()) != 0) {
    return result(hipErrorNotFound);
  }
  module->symbols.push_back(std::make_unique<ihipModuleSymbol_t>(module->device, kernel));
  *function = module->symbols.back().get();
  return hipSuccess;
}

hipError_t hipModuleLaunchKernel(hipFunction_t function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                                 unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                                 hipStream_t stream, void** parameters, void** extra) {
  if (const hipError_t error = enter(Call::launch_kernel); error != hipSuccess) return error;
  if (function == nullptr || function->device != current_device || device_of(stream) != current_device) {
    return result(hipErrorInvalidHandle);
  }
  hiprope::KernelParams params;
  const bool buffer = parameters == nullptr && extra[0] == HIP_LAUNCH_PARAM_BUFFER_POINTER &&
                      extra[2] == HIP_LAUNCH_PARAM_BUFFER_SIZE && extra[4] == HIP_LAUNCH_PARAM_END &&
                      *static_cast<std::size_t*>(extra[3]) == sizeof(params);
  if (!buffer) return result(hipErrorInvalidValue);
  std::memcpy(&params, extra[1], sizeof(params));
  const bool flat = grid_x > 0 && grid_y == 1 && grid_z == 1 && block_z == 1 && shared_bytes == 0;
  const bool fits = block_x > 0 && block_y > 0 && block_x * block_y <= 256 && block_x == params.block_items &&
                    block_y == params.block_tokens;
  if (!flat || !fits) return result(hipErrorInvalidConfiguration);
  return enqueue(stream, [kernel = function->kernel, params, grid_x, device = current_device] {
    return run_kernel(kernel, params, grid_x, device);
  });
}
