// From the text of --device to a device that is there.
#include "tools/device_option.h"

#include <charconv>

#include "tools/tool_error.h"

namespace hiprope::tools {

Device choose_device(const std::string& asked) {
  std::int32_t count = 0;
  if (hiprope_device_count(&count) != hiprope_ok) refuse("cannot count the GPUs: {}", hiprope_last_error());
  if (asked == "cpu" || (asked == "auto" && count == 0)) return Device::cpu();
  std::int32_t ordinal = 0;
  if (asked.starts_with("gpu:")) {
    const char* end = asked.data() + asked.size();
    const auto [stop, error] = std::from_chars(asked.data() + 4, end, ordinal);
    if (error != std::errc() || stop != end || ordinal < 0) refuse("--device {}: write gpu:N with N from 0", asked);
  } else if (asked != "auto" && asked != "gpu") {
    refuse("--device {}: write auto, cpu, gpu or gpu:N", asked);
  }
  if (count == 0) {
    refuse(
        "--device {}: no GPU is visible (this build is for platform {}); check the driver and the permissions of "
        "its device files, or build with -DHIPROPE_PLATFORM=amd or nvidia, or pass --device cpu",
        asked, hiprope_platform());
  }
  if (ordinal >= count) refuse("--device {}: {} GPUs are visible; pass gpu:0 to gpu:{}", asked, count, count - 1);
  return Device::gpu(ordinal);
}

}  // namespace hiprope::tools
