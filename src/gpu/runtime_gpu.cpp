// The GPU side of a Rope on HIP's runtime: devices, tables, launches and copies.
#include <cstring>
#include <new>
#include <utility>

#include "gpu/gpu.h"
#include "gpu/kernels.h"
#include "gpu/runtime.h"
#include "status.h"

#if defined(HIPROPE_PLATFORM_AMD)
__attribute__((weak)) decltype(hipThreadExchangeStreamCaptureMode) hipThreadExchangeStreamCaptureMode;
#endif

namespace hiprope::internal::gpu {

struct State {
  int device = 0;
  bool only_device = true;     // then no call needs to look at the current device
  Kernels* kernels = nullptr;  // null where they cannot be used
  void* table = nullptr;
  void* axis_of_pair = nullptr;
  void* out_of_range = nullptr;
};

namespace {

template <typename... What>
hiprope_status check(hipError_t error, const What&... what) {
  if (error == hipSuccess) return hiprope_ok;
  (void)hipGetLastError();  // a sticky-free error must not surface in the caller's next query
  return fail(static_cast<hiprope_status>(error), what..., " failed: ", hipGetErrorName(error), " (",
              hipGetErrorString(error), ")");
}

// For calls whose failure changes nothing for the caller.
void ignore(hipError_t error) {
  if (error != hipSuccess) (void)hipGetLastError();
}

// Does `work` with the Rope's device current and makes the caller's current again; where there is only one, both are.
template <typename Work>
hiprope_status on_device(const State& state, const char* what, const Work& work) {
  if (state.only_device) return work();
  int previous = 0;
  if (const auto status = check(hipGetDevice(&previous), what); status != hiprope_ok) return status;
  if (previous == state.device) return work();
  if (const auto status = check(hipSetDevice(state.device), what); status != hiprope_ok) return status;
  const auto status = work();
  const hipError_t restored = hipSetDevice(previous);
  if (status == hiprope_ok) return check(restored, what, " was done, but selecting the caller's device again");
  ignore(restored);  // the first failure is the one to report
  return status;
}

#if defined(HIPROPE_PLATFORM_AMD)
// Younger than the rest of what is used here (HIP 5.0); a runtime without it loads, and has no such capture to spare.
hipError_t exchange_capture_mode(hipStreamCaptureMode& mode) {
  return hipThreadExchangeStreamCaptureMode != nullptr ? hipThreadExchangeStreamCaptureMode(&mode) : hipErrorNotFound;
}
#else
hipError_t exchange_capture_mode(hipStreamCaptureMode& mode) {
  return hipThreadExchangeStreamCaptureMode(&mode);
}
#endif

// Lets this thread allocate, load, free and wait while another stream is being captured, by any thread; without it that
// breaks the capture.
class DuringCapture {
 public:
  DuringCapture() : error_(exchange_capture_mode(mode_)) { ignore(error_); }
  DuringCapture(const DuringCapture&) = delete;
  DuringCapture& operator=(const DuringCapture&) = delete;
  ~DuringCapture() {
    if (error_ == hipSuccess) ignore(exchange_capture_mode(mode_));
  }

 private:
  hipStreamCaptureMode mode_ = hipStreamCaptureModeRelaxed;  // then the thread's own
  hipError_t error_;
};

// A stream apart from all others: the default stream may not be used beside a capture.
class UploadStream {
 public:
  UploadStream() : error_(hipStreamCreateWithFlags(&stream_, hipStreamNonBlocking)) {}
  UploadStream(const UploadStream&) = delete;
  UploadStream& operator=(const UploadStream&) = delete;
  ~UploadStream() {
    if (error_ != hipSuccess) return;
    if (!waited_) ignore(hipStreamSynchronize(stream_));  // what was queued before a failure reads the caller's memory
    ignore(hipStreamDestroy(stream_));
  }
  [[nodiscard]] hiprope_status status() const { return check(error_, "creating a stream for the uploads"); }
  [[nodiscard]] hiprope_status wait() {
    waited_ = true;
    return check(hipStreamSynchronize(stream_), "waiting for the uploads");
  }
  hipStream_t get() const { return stream_; }

 private:
  bool waited_ = false;
  hipStream_t stream_ = nullptr;
  hipError_t error_;
};

struct DeviceFacts {
  char name[128];
  char architecture[64];
  std::uint64_t memory_bytes;
  int compute_units;
};

// Copies what fits and ends it.
template <std::size_t bytes>
void copy_text(char (&to)[bytes], const char* from) {
  const std::size_t length = strnlen(from, bytes - 1);
  std::memcpy(to, from, length);
  to[length] = '\0';
}

#if defined(HIPROPE_PLATFORM_AMD)
hipError_t read_facts(int device, DeviceFacts& facts) {
  hipDeviceProp_t properties = {};
  const hipError_t error = hipGetDeviceProperties(&properties, device);
  if (error != hipSuccess) return error;
  copy_text(facts.name, properties.name);
  // "gfx90a:sramecc+:xnack-": features follow the name, and a code object without any fits them all.
  copy_text(facts.architecture, properties.gcnArchName);
  facts.architecture[std::strcspn(facts.architecture, ":")] = '\0';
  facts.memory_bytes = properties.totalGlobalMem;
  facts.compute_units = properties.multiProcessorCount;
  return hipSuccess;
}
constexpr const char* kPlatform = "amd";

#else
hipError_t read_facts(int device, DeviceFacts& facts) {
  cudaDeviceProp properties = {};
  const hipError_t error = cudaGetDeviceProperties(&properties, device);
  if (error != hipSuccess) return error;
  copy_text(facts.name, properties.name);
  const char digits[] = {static_cast<char>('0' + properties.major / 10), static_cast<char>('0' + properties.major % 10),
                         static_cast<char>('0' + properties.minor), '\0'};
  std::strcpy(facts.architecture, "sm_");
  std::strcat(facts.architecture, properties.major < 10 ? digits + 1 : digits);
  facts.memory_bytes = properties.totalGlobalMem;
  facts.compute_units = properties.multiProcessorCount;
  return hipSuccess;
}
constexpr const char* kPlatform = "nvidia";
#endif

hipError_t launch_kernel(hipFunction_t function, const LaunchPlan& plan, KernelParams argument, hipStream_t stream) {
  std::size_t bytes = sizeof(argument);
  void* extra[] = {HIP_LAUNCH_PARAM_BUFFER_POINTER, &argument, HIP_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
                   HIP_LAUNCH_PARAM_END};
  return hipModuleLaunchKernel(function, plan.blocks, 1, 1, argument.block_items, argument.block_tokens, 1, 0, stream,
                               nullptr, extra);
}

hiprope_status allocate(void** pointer, std::size_t bytes, const char* what) {
  const hipError_t error = hipMalloc(pointer, bytes);
  if (error == hipSuccess) return hiprope_ok;
  (void)hipGetLastError();
  *pointer = nullptr;
  return fail(static_cast<hiprope_status>(error), "allocating ", static_cast<std::uint64_t>(bytes),
              " bytes of GPU memory for the ", what, " failed: ", hipGetErrorName(error));
}

hipStream_t as_stream(void* stream) {
  return static_cast<hipStream_t>(stream);
}

// The default stream counts as captured while a stream that waits for it is.
hiprope_status ask_for_capture(void* stream, bool& capturing) {
  hipStreamCaptureStatus capture = hipStreamCaptureStatusNone;
  const hipError_t error = hipStreamIsCapturing(as_stream(stream), &capture);
  if (error == hipErrorStreamCaptureImplicit) {
    ignore(error);
    capturing = true;
    return hiprope_ok;
  }
  capturing = error == hipSuccess && capture != hipStreamCaptureStatusNone;
  return check(error, "asking whether the stream is captured");
}

// Work on the default stream would break the capture of a stream that waits for it. Its explicit handle is 1
// (cudaStreamLegacy, hipStreamLegacy).
hiprope_status check_default_stream(void* stream) {
  bool capturing = false;
  if (reinterpret_cast<std::uintptr_t>(stream) > 1) return hiprope_ok;
  if (const auto status = ask_for_capture(stream, capturing); status != hiprope_ok) return status;
  if (!capturing) return hiprope_ok;
  return fail(hiprope_error_capturing,
              "a stream that waits for the default stream is being captured; pass a stream of your own");
}

// No token out of range, and the largest index there is.
hiprope_status fill_out_of_range(const State& state, void* stream) {
  auto* const words = static_cast<char*>(state.out_of_range);
  constexpr std::size_t word = sizeof(std::uint64_t);
  const auto status = check(hipMemsetAsync(words, 0, word, as_stream(stream)), "clearing the position error count");
  if (status != hiprope_ok) return status;
  return check(hipMemsetAsync(words + word, 0xFF, word, as_stream(stream)), "clearing the first position error");
}

// One copy where rows touch, else a pitched one.
hipError_t copy_rows(Rows to, Rows from, std::size_t bytes, std::size_t rows, hipMemcpyKind kind, hipStream_t stream) {
  if (rows == 1 || (to.pitch == bytes && from.pitch == bytes)) {
    return hipMemcpyAsync(to.data, from.data, bytes * rows, kind, stream);
  }
  return hipMemcpy2DAsync(to.data, to.pitch, from.data, from.pitch, bytes, rows, kind, stream);
}

}  // namespace

const char* error_name(hiprope_status status) {
  return hipGetErrorName(static_cast<hipError_t>(status));
}
const char* error_message(hiprope_status status) {
  return hipGetErrorString(static_cast<hipError_t>(status));
}
const char* platform() {
  return kPlatform;
}

hiprope_status device_count(int& count) {
  count = 0;
  const hipError_t error = hipGetDeviceCount(&count);
  if (error == hipSuccess) return hiprope_ok;
  count = 0;
  if (error != hipErrorNoDevice && error != hipErrorInsufficientDriver) return check(error, "counting GPUs");
  (void)hipGetLastError();
  return hiprope_ok;
}

hiprope_status device_info(int device, hiprope_device_info& info) {
  DeviceFacts facts = {};
  if (const auto status = check(read_facts(device, facts), "reading the GPU's properties"); status != hiprope_ok) {
    return status;
  }
  static_assert(sizeof(info.name) == sizeof(facts.name) && sizeof(info.architecture) == sizeof(facts.architecture));
  std::memcpy(info.name, facts.name, sizeof(info.name));
  std::memcpy(info.architecture, facts.architecture, sizeof(info.architecture));
  info.memory_bytes = facts.memory_bytes;
  info.compute_units = facts.compute_units;
  info.has_code_object = has_code_object(facts.architecture) ? 1 : 0;
  return hiprope_ok;
}

hiprope_status open(int device, State*& state, KernelSupport& support) {
  state = new (std::nothrow) State;
  if (state == nullptr) return fail(hiprope_error_out_of_host_memory, "no host memory for a GPU's state");
  state->device = device;
  int count = 0;
  if (const auto status = device_count(count); status != hiprope_ok) return status;
  state->only_device = count == 1;
  DeviceFacts facts = {};
  if (const auto status = check(read_facts(device, facts), "reading the GPU's properties"); status != hiprope_ok) {
    return status;
  }
  return on_device(*state, "loading the kernels", [&] {
    const DuringCapture during_capture;
    return check(take_kernels(device, facts.architecture, state->kernels, support), "loading the kernels");
  });
}

void close(State* state) {
  if (state == nullptr) return;
  const auto free_all = [state] {
    const DuringCapture during_capture;
    for (void** const memory : {&state->table, &state->axis_of_pair, &state->out_of_range}) {
      if (void* const held = std::exchange(*memory, nullptr); held != nullptr) ignore(hipFree(held));
    }
    release_kernels(std::exchange(state->kernels, nullptr));
    return hiprope_ok;
  };
  // Addresses and modules are the process's: where the device cannot be selected, they are freed without.
  if (on_device(*state, "freeing a Rope's memory", free_all) != hiprope_ok) (void)free_all();
  delete state;
}

hiprope_status upload(State& state, HostPart table, HostPart axis_of_pair, DeviceTables& tables) {
  return on_device(state, "uploading the table", [&] {
    const DuringCapture during_capture;
    UploadStream stream;
    if (const auto status = stream.status(); status != hiprope_ok) return status;
    const auto put = [&](void** memory, HostPart part, const char* what) -> hiprope_status {
      if (part.bytes == 0) return hiprope_ok;
      if (const auto status = allocate(memory, part.bytes, what); status != hiprope_ok) return status;
      return check(hipMemcpyAsync(*memory, part.data, part.bytes, hipMemcpyHostToDevice, stream.get()),
                   "uploading the ", what);
    };
    auto status = put(&state.table, table, "cos/sin table");
    if (status == hiprope_ok) status = put(&state.axis_of_pair, axis_of_pair, "axis map");
    if (status != hiprope_ok) return status;
    status = allocate(&state.out_of_range, 2 * sizeof(std::uint64_t), "position error words");
    if (status != hiprope_ok) return status;
    if (status = fill_out_of_range(state, stream.get()); status != hiprope_ok) return status;
    if (status = stream.wait(); status != hiprope_ok) return status;
    tables = {static_cast<const float*>(state.table), static_cast<const std::uint8_t*>(state.axis_of_pair),
              static_cast<std::uint64_t*>(state.out_of_range)};
    return status;
  });
}

hiprope_status launch(const State& state, const LaunchPlan& plan, void* stream) {
  constexpr const char* what = "launching the kernel";
  return on_device(state, what, [&] {
    if (const auto status = check_default_stream(stream); status != hiprope_ok) return status;
    const hipFunction_t function = state.kernels->functions[plan.tensors - 1][plan.variant];
    return check(launch_kernel(function, plan, plan.params, as_stream(stream)), what);
  });
}

hiprope_status copy_rows_to_host(const State& state, Rows host, Rows device, std::size_t bytes, std::size_t rows,
                                 void* stream) {
  constexpr const char* what = "copying to the host";
  return on_device(state, what, [&] {
    return check(copy_rows(host, device, bytes, rows, hipMemcpyDeviceToHost, as_stream(stream)), what);
  });
}

hiprope_status copy_rows_to_device(const State& state, Rows device, Rows host, std::size_t bytes, std::size_t rows,
                                   void* stream) {
  constexpr const char* what = "copying to the GPU (the output may be partly written)";
  return on_device(state, what, [&] {
    return check(copy_rows(device, host, bytes, rows, hipMemcpyHostToDevice, as_stream(stream)), what);
  });
}

hiprope_status wait(const State& state, void* stream, const char* what) {
  return on_device(state, what, [&] {
    const DuringCapture during_capture;
    return check(hipStreamSynchronize(as_stream(stream)), what);
  });
}

hiprope_status is_capturing(const State& state, void* stream, bool& capturing) {
  return on_device(state, "asking whether the stream is captured", [&] { return ask_for_capture(stream, capturing); });
}

hiprope_status read_out_of_range(const State& state, void* stream, std::uint64_t (&words)[2]) {
  constexpr const char* what = "reading the position error words";
  return on_device(state, what, [&] {
    const auto status =
        check(hipMemcpyAsync(words, state.out_of_range, sizeof(words), hipMemcpyDeviceToHost, as_stream(stream)), what);
    if (status != hiprope_ok) return status;
    const DuringCapture during_capture;
    return check(hipStreamSynchronize(as_stream(stream)), "waiting for the position error words");
  });
}

hiprope_status clear_out_of_range(const State& state, void* stream) {
  return on_device(state, "clearing the position error words", [&] {
    if (const auto status = check_default_stream(stream); status != hiprope_ok) return status;
    return fill_out_of_range(state, stream);
  });
}

}  // namespace hiprope::internal::gpu
