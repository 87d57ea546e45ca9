// The machine's devices and the build's code objects, as the C interface shows them.
#include "check.h"
#include "gpu/gpu.h"
#include "hiprope/hiprope.h"
#include "status.h"

using namespace hiprope::internal;

hiprope_status hiprope_device_count(int32_t* count) {
  if (const auto status = check_process(); status != hiprope_ok) return status;
  if (count == nullptr) return fail(hiprope_error_null_argument, "count is null");
  return gpu::device_count(*count);
}

hiprope_status hiprope_get_device_info(int32_t device, hiprope_device_info* info) {
  int count = 0;
  if (const auto status = check_process(); status != hiprope_ok) return status;
  if (const auto status = gpu::device_count(count); status != hiprope_ok) return status;
  if (device < 0 || device >= count) {
    return fail(hiprope_error_no_such_device, "device ", device, " does not exist, this machine has ", count,
                " GPUs for platform ", gpu::platform());
  }
  hiprope_device_info found = {};
  found.device = device;
  if (const auto status = gpu::device_info(device, found); status != hiprope_ok) return status;
  return write_struct("info", info, &found, sizeof(found), sizeof(found));
}

const char* hiprope_platform(void) {
  return gpu::platform();
}

const char* hiprope_version(void) {
  return HIPROPE_VERSION_STRING;
}

int32_t hiprope_code_object_count(void) {
  return gpu::code_object_count();
}

const char* hiprope_code_object_architecture(int32_t index) {
  return index < 0 || index >= gpu::code_object_count() ? nullptr : gpu::code_object_architecture(index);
}
