// What the library needs of a GPU runtime; runtime_gpu.cpp has it for AMD and NVIDIA, none.cpp for a build without.
//
// Functions return hiprope_ok or, after storing a sentence, the runtime's code. Those that take a State make its device
// current for the time of the call and restore the caller's.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hiprope/hiprope.h"
#include "kernels/params.h"
#include "launch.h"

namespace hiprope::internal::gpu {

const char* error_name(hiprope_status status);
const char* error_message(hiprope_status status);

const char* platform();
int code_object_count();
const char* code_object_architecture(int index);

// 0 devices, successfully, where there is no driver or no GPU.
[[nodiscard]] hiprope_status device_count(int& count);
[[nodiscard]] hiprope_status device_info(int device, hiprope_device_info& info);

// What a Rope keeps on its GPU.
struct State;

// Whether the device can run the kernels, and if not why.
struct KernelSupport {
  bool usable = false;
  char reason[120] = "";
};

// Opens the device for kernels of one layout. Without usable kernels the state still copies, for the fallback.
[[nodiscard]] hiprope_status open(int device, Layout layout, State*& state, KernelSupport& support);
void close(State* state);

// What a Rope uploads; 0 bytes where it has none.
struct HostTables {
  struct Part {
    const void* data;
    std::uint64_t bytes;
  };
  Part table, coarse, fine, axis_of_pair;

  [[nodiscard]] std::uint64_t bytes() const { return table.bytes + coarse.bytes + fine.bytes + axis_of_pair.bytes; }
};

// The same on its device, and the words for refused tokens; see KernelParams.
struct DeviceTables {
  const float* table = nullptr;
  const double* coarse = nullptr;
  const double* fine = nullptr;
  const std::uint8_t* axis_of_pair = nullptr;
  std::uint64_t* refused = nullptr;
};
[[nodiscard]] hiprope_status upload(State& state, const HostTables& from, DeviceTables& tables);

[[nodiscard]] hiprope_status launch(const State& state, int tensors, const LaunchPlan& plan, void* stream);

// Rows of `bytes` each, `pitch` bytes apart; queued on the stream.
struct Rows {
  char* data;
  std::size_t pitch;
};
[[nodiscard]] hiprope_status copy_rows_to_host(const State& state, Rows host, Rows device, std::size_t bytes,
                                               std::size_t rows, void* stream);
[[nodiscard]] hiprope_status copy_rows_to_device(const State& state, Rows device, Rows host, std::size_t bytes,
                                                 std::size_t rows, void* stream);
// `what` is what the sentence of a failure says was going on.
[[nodiscard]] hiprope_status wait(const State& state, void* stream, const char* what);
[[nodiscard]] hiprope_status is_capturing(const State& state, void* stream, bool& capturing);
// The two words of DeviceTables::refused.
[[nodiscard]] hiprope_status read_refused(const State& state, void* stream, std::uint64_t (&words)[2]);
[[nodiscard]] hiprope_status clear_refused(const State& state, void* stream);

}  // namespace hiprope::internal::gpu
