// The GPU side of a Rope on HIP's module API: code objects, tables, launches and copies.
#include <cstring>
#include <initializer_list>
#include <memory>
#include <new>
#include <utility>

#include "gpu/code_objects.h"
#include "gpu/gpu.h"
#include "gpu/runtime.h"
#include "status.h"

#if defined(HIPROPE_PLATFORM_AMD)
__attribute__((weak)) decltype(hipThreadExchangeStreamCaptureMode) hipThreadExchangeStreamCaptureMode;
#endif

namespace hiprope::internal::gpu {

struct State {
  int device = 0;
  bool only_device = true;                        // then no call needs to look at the current device
  hipModule_t modules[2] = {};                    // rope, position_embeddings
  std::unique_ptr<hipFunction_t[]> functions[2];  // [kVariantCount], null where the layout is another
  void* table = nullptr;
  void* coarse = nullptr;
  void* fine = nullptr;
  void* axis_of_pair = nullptr;
  void* refused = nullptr;
};

namespace {

constexpr const char* kKernels[2] = {"rope", "position_embeddings"};

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

hipError_t launch_kernel(hipFunction_t function, const LaunchPlan& plan, KernelParams argument, hipStream_t stream) {
  std::size_t bytes = sizeof(argument);
  void* extra[] = {HIP_LAUNCH_PARAM_BUFFER_POINTER, &argument, HIP_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
                   HIP_LAUNCH_PARAM_END};
  const auto threads = static_cast<unsigned>(argument.block_threads);
  return hipModuleLaunchKernel(function, plan.blocks, plan.chunks, 1, threads, 1, 1, 0, stream, nullptr, extra);
}
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

// The kernel may begin while the launch before it drains, which it is written for (kernels/device.h). Devices below
// compute capability 9.0 ignore that.
hipError_t launch_kernel(hipFunction_t function, const LaunchPlan& plan, KernelParams argument, hipStream_t stream) {
  cudaLaunchAttribute overlap = {};
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3{plan.blocks, plan.chunks, 1};
  config.blockDim = dim3{static_cast<unsigned>(argument.block_threads), 1, 1};
  config.dynamicSmemBytes = plan.shared_bytes;
  config.stream = stream;
  config.attrs = &overlap;
  config.numAttrs = 1;
  void* arguments[] = {&argument};
  return cudaLaunchKernelExC(&config, reinterpret_cast<const void*>(function), arguments);
}
#endif

// The NVIDIA build's objects hold every architecture and are called "sm".
bool fits(const hiprope_code_object& object, const char* architecture) {
  const char* name = object.architecture;
  return std::strcmp(name, architecture) == 0 ||
         (std::strcmp(name, "sm") == 0 && std::strncmp(architecture, "sm_", 3) == 0);
}

const hiprope_code_object* find_code_object(const char* kernel, const char* architecture) {
  for (std::int32_t i = 0; i < hiprope_code_object_total; ++i) {
    const hiprope_code_object& object = hiprope_code_objects[i];
    if (std::strcmp(object.kernel, kernel) == 0 && fits(object, architecture)) return &object;
  }
  return nullptr;
}

// Cuts what does not fit.
template <std::size_t bytes>
void join(char (&text)[bytes], std::initializer_list<const char*> parts) {
  text[0] = '\0';
  for (const char* part : parts) std::strncat(text, part, bytes - std::strlen(text) - 1);
}

// Loads one of the two modules and its functions of `layout`.
hipError_t load_kernel(State& state, int index, Layout layout, const hiprope_code_object& object) {
  hipError_t error = hipModuleLoadData(&state.modules[index], object.data);
  for (int variant = 0; variant < kVariantCount && error == hipSuccess; ++variant) {
    if (kVariants[variant].layout != layout) continue;
    char symbol[96] = {};
    join(symbol, {kKernels[index], "_", kVariants[variant].name});
    error =
        hipModuleGetFunction(&state.functions[index][static_cast<std::size_t>(variant)], state.modules[index], symbol);
  }
  return error;
}

hiprope_status load_kernels(State& state, Layout layout, const char* architecture, KernelSupport& support) {
  support = {true, ""};
  for (int i = 0; i < 2; ++i) {
    state.functions[i].reset(new (std::nothrow) hipFunction_t[static_cast<std::size_t>(kVariantCount)]());
    if (state.functions[i] == nullptr)
      return fail(hiprope_error_out_of_host_memory, "no host memory for kernel handles");
    const hiprope_code_object* object = find_code_object(kKernels[i], architecture);
    if (object == nullptr) {
      support = {false, "no code object for this architecture is embedded"};
    } else if (const hipError_t error = load_kernel(state, i, layout, *object); error == hipErrorOutOfMemory) {
      return check(error, "loading the kernels");  // which says nothing about what the GPU can run
    } else if (error != hipSuccess) {
      ignore(error);
      support = {false, ""};
      join(support.reason, {"the runtime did not load the embedded code object: ", hipGetErrorName(error)});
    }
    if (!support.usable) return hiprope_ok;
  }
  return hiprope_ok;
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

// No refused token, and the largest index there is.
hiprope_status fill_refused(const State& state, void* stream) {
  auto* const words = static_cast<char*>(state.refused);
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

// Each architecture has two objects, one a kernel; those of "rope" stand for both.
int code_object_count() {
  int count = 0;
  for (std::int32_t i = 0; i < hiprope_code_object_total; ++i)
    count += std::strcmp(hiprope_code_objects[i].kernel, "rope") == 0;
  return count;
}

const char* code_object_architecture(int index) {
  for (std::int32_t i = 0; i < hiprope_code_object_total; ++i) {
    if (std::strcmp(hiprope_code_objects[i].kernel, "rope") == 0 && index-- == 0)
      return hiprope_code_objects[i].architecture;
  }
  return nullptr;
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
  info.has_code_object = find_code_object(kKernels[0], facts.architecture) != nullptr ? 1 : 0;
  return hiprope_ok;
}

hiprope_status open(int device, Layout layout, State*& state, KernelSupport& support) {
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
    return load_kernels(*state, layout, facts.architecture, support);
  });
}

void close(State* state) {
  if (state == nullptr) return;
  const auto free_all = [state] {
    const DuringCapture during_capture;
    for (void** memory : {&state->table, &state->coarse, &state->fine, &state->axis_of_pair, &state->refused}) {
      if (void* const held = std::exchange(*memory, nullptr); held != nullptr) ignore(hipFree(held));
    }
    for (hipModule_t& module : state->modules) {
      if (const hipModule_t held = std::exchange(module, nullptr); held != nullptr) ignore(hipModuleUnload(held));
    }
    return hiprope_ok;
  };
  // Addresses and modules are the process's: where the device cannot be selected, they are freed without.
  if (on_device(*state, "freeing a Rope's memory", free_all) != hiprope_ok) (void)free_all();
  delete state;
}

hiprope_status upload(State& state, const HostTables& from, DeviceTables& tables) {
  return on_device(state, "uploading the tables", [&] {
    const DuringCapture during_capture;
    UploadStream stream;
    if (const auto status = stream.status(); status != hiprope_ok) return status;
    const auto put = [&](void** memory, HostTables::Part part, const char* what) -> hiprope_status {
      if (part.bytes == 0) return hiprope_ok;
      if (const auto status = allocate(memory, part.bytes, what); status != hiprope_ok) return status;
      return check(hipMemcpyAsync(*memory, part.data, part.bytes, hipMemcpyHostToDevice, stream.get()),
                   "uploading a table");
    };
    auto status = put(&state.table, from.table, "cos/sin table");
    if (status == hiprope_ok) status = put(&state.coarse, from.coarse, "coarse factors of angles");
    if (status == hiprope_ok) status = put(&state.fine, from.fine, "fine factors of angles");
    if (status == hiprope_ok) status = put(&state.axis_of_pair, from.axis_of_pair, "axis map");
    if (status != hiprope_ok) return status;
    status = allocate(&state.refused, 2 * sizeof(std::uint64_t), "position error words");
    if (status != hiprope_ok) return status;
    if (status = fill_refused(state, stream.get()); status != hiprope_ok) return status;
    if (status = stream.wait(); status != hiprope_ok) return status;
    tables = {static_cast<const float*>(state.table), static_cast<const double*>(state.coarse),
              static_cast<const double*>(state.fine), static_cast<const std::uint8_t*>(state.axis_of_pair),
              static_cast<std::uint64_t*>(state.refused)};
    return status;
  });
}

hiprope_status launch(const State& state, int tensors, const LaunchPlan& plan, void* stream) {
  constexpr const char* what = "launching the kernel";
  return on_device(state, what, [&] {
    if (const auto status = check_default_stream(stream); status != hiprope_ok) return status;
    const hipFunction_t function = state.functions[tensors - 1][static_cast<std::size_t>(plan.variant)];
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

hiprope_status read_refused(const State& state, void* stream, std::uint64_t (&words)[2]) {
  constexpr const char* what = "reading the position error words";
  return on_device(state, what, [&] {
    const auto status =
        check(hipMemcpyAsync(words, state.refused, sizeof(words), hipMemcpyDeviceToHost, as_stream(stream)), what);
    if (status != hiprope_ok) return status;
    const DuringCapture during_capture;
    return check(hipStreamSynchronize(as_stream(stream)), "waiting for the position error words");
  });
}

hiprope_status clear_refused(const State& state, void* stream) {
  return on_device(state, "clearing the position error words", [&] {
    if (const auto status = check_default_stream(stream); status != hiprope_ok) return status;
    return fill_refused(state, stream);
  });
}

}  // namespace hiprope::internal::gpu
