// A build without a GPU platform: no devices, no kernels.
#include "gpu/gpu.h"
#include "status.h"

namespace hiprope::internal::gpu {

struct State {};

namespace {
hiprope_status no_platform() {
  return fail(hiprope_error_no_such_device, "this build of hiprope has no GPU platform (HIPROPE_PLATFORM=none)");
}
}  // namespace

const char* error_name(hiprope_status) {
  return "hiprope_error_unknown";
}
const char* error_message(hiprope_status) {
  return "not a status of this build, which has no GPU platform";
}
const char* platform() {
  return "none";
}
int code_object_count() {
  return 0;
}
const char* code_object_architecture(int) {
  return nullptr;
}

hiprope_status device_count(int& count) {
  count = 0;
  return hiprope_ok;
}
hiprope_status device_info(int, hiprope_device_info&) {
  return no_platform();
}
hiprope_status open(int, State*&, KernelSupport&) {
  return no_platform();
}
void close(State* state) {
  delete state;
}
hiprope_status upload(State&, HostPart, HostPart, DeviceTables&) {
  return no_platform();
}
hiprope_status launch(const State&, const LaunchPlan&, void*) {
  return no_platform();
}
hiprope_status copy_rows_to_host(const State&, Rows, Rows, std::size_t, std::size_t, void*) {
  return no_platform();
}
hiprope_status copy_rows_to_device(const State&, Rows, Rows, std::size_t, std::size_t, void*) {
  return no_platform();
}
hiprope_status wait(const State&, void*, const char*) {
  return no_platform();
}
hiprope_status is_capturing(const State&, void*, bool&) {
  return no_platform();
}
hiprope_status read_out_of_range(const State&, void*, std::uint64_t (&)[2]) {
  return no_platform();
}
hiprope_status clear_out_of_range(const State&, void*) {
  return no_platform();
}

}  // namespace hiprope::internal::gpu
