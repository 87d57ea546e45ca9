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

// Opens the device. Its kernels are loaded by the first State that opens it and unloaded by the last that closes.
// Without usable kernels the state still copies, for the fallback.
[[nodiscard]] hiprope_status open(int device, State*& state, KernelSupport& support);
void close(State* state);

// Host memory that a Rope uploads; 0 bytes where it has none.
struct HostPart {
  const void* data;
  std::uint64_t bytes;
};

// The same on its device, and the words for tokens with a position outside the table; see KernelParams.
struct DeviceTables {
  const float* table = nullptr;
  const std::uint8_t* axis_of_pair = nullptr;
  std::uint64_t* out_of_range = nullptr;
};
[[nodiscard]] hiprope_status upload(State& state, HostPart table, HostPart axis_of_pair, DeviceTables& tables);

[[nodiscard]] hiprope_status launch(const State& state, const LaunchPlan& plan, void* stream);

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
// The two words of DeviceTables::out_of_range.
[[nodiscard]] hiprope_status read_out_of_range(const State& state, void* stream, std::uint64_t (&words)[2]);
[[nodiscard]] hiprope_status clear_out_of_range(const State& state, void* stream);

}  // namespace hiprope::internal::gpu
