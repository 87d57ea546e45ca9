// Names and sentences of every status, and the calling thread's last error.
#include "status.h"

#include <array>
#include <charconv>
#include <cstring>

#include "gpu/gpu.h"

namespace hiprope::internal {
namespace {

struct StatusRow {
  hiprope_status status;
  const char* name;
  const char* message;
};

// Row i holds status -i; a test walks the table.
constexpr StatusRow kStatusTable[] = {
    {hiprope_ok, "hiprope_ok", "success"},
    {hiprope_error_null_argument, "hiprope_error_null_argument", "a pointer that must not be null is null"},
    {hiprope_error_struct_size, "hiprope_error_struct_size", "a struct's size is not one this version knows"},
    {hiprope_error_enum_value, "hiprope_error_enum_value", "a field holds a value its enum does not have"},
    {hiprope_error_head_dim, "hiprope_error_head_dim", "head_dim is out of range or does not match"},
    {hiprope_error_rotary_dim, "hiprope_error_rotary_dim", "rotary_dim must be even and fit into the head"},
    {hiprope_error_pairing, "hiprope_error_pairing", "pair_block must be even and divide rotary_dim"},
    {hiprope_error_base, "hiprope_error_base", "base must be finite and above zero"},
    {hiprope_error_max_positions, "hiprope_error_max_positions", "max_positions must give a table of at least one row"},
    {hiprope_error_scaling, "hiprope_error_scaling", "a scaling parameter is missing or out of range"},
    {hiprope_error_axes, "hiprope_error_axes", "axes, sections and axis map do not fit together"},
    {hiprope_error_data_type, "hiprope_error_data_type", "all tensors of a call must have one data type"},
    {hiprope_error_negative_size, "hiprope_error_negative_size", "tokens and heads must not be negative"},
    {hiprope_error_stride, "hiprope_error_stride", "strides must not be negative or make a view overlap itself"},
    {hiprope_error_view_overlap, "hiprope_error_view_overlap",
     "views of one call may be equal or apart, not overlapping"},
    {hiprope_error_shape, "hiprope_error_shape", "views that must agree in tokens or heads do not"},
    {hiprope_error_alignment, "hiprope_error_alignment", "a pointer is not aligned to its element"},
    {hiprope_error_positions, "hiprope_error_positions", "the positions do not fit the config or the call"},
    {hiprope_error_in_place, "hiprope_error_in_place", "output_pairing needs an output view apart from the input"},
    {hiprope_error_no_such_device, "hiprope_error_no_such_device", "the device does not exist on this machine"},
    {hiprope_error_wrong_device, "hiprope_error_wrong_device", "the Rope lives on another device than the call is for"},
    {hiprope_error_no_code_object, "hiprope_error_no_code_object", "no kernel for this GPU and fallback is forbidden"},
    {hiprope_error_capturing, "hiprope_error_capturing", "the call would break the capture of a stream"},
    {hiprope_error_forked, "hiprope_error_forked", "hiprope was used before the process forked"},
    {hiprope_error_out_of_host_memory, "hiprope_error_out_of_host_memory", "host memory could not be allocated"},
    {hiprope_error_too_large, "hiprope_error_too_large", "a size exceeds what one launch can index"},
    {hiprope_error_environment, "hiprope_error_environment", "an environment variable of hiprope's holds nonsense"},
};

const StatusRow* find_row(hiprope_status status) {
  const auto index = -static_cast<std::int64_t>(status);
  return index >= 0 && index < static_cast<std::int64_t>(std::size(kStatusTable)) ? &kStatusTable[index] : nullptr;
}

thread_local std::array<char, 512> last_error{};

}  // namespace

Message::Message() {
  last_error[0] = '\0';
}

Message& Message::operator<<(const char* text) {
  while (*text != '\0' && length_ + 1 < last_error.size()) last_error[length_++] = *text++;
  last_error[length_] = '\0';
  return *this;
}

Message& Message::operator<<(std::int64_t value) {
  std::array<char, 24> digits{};
  *std::to_chars(digits.data(), digits.data() + digits.size() - 1, value).ptr = '\0';
  return *this << digits.data();
}

Message& Message::operator<<(std::uint64_t value) {
  std::array<char, 24> digits{};
  *std::to_chars(digits.data(), digits.data() + digits.size() - 1, value).ptr = '\0';
  return *this << digits.data();
}

Message& Message::operator<<(double value) {
  std::array<char, 40> digits{};
  *std::to_chars(digits.data(), digits.data() + digits.size() - 1, value).ptr = '\0';
  return *this << digits.data();
}

}  // namespace hiprope::internal

using namespace hiprope::internal;

const char* hiprope_status_name(hiprope_status status) {
  if (status > 0) return gpu::error_name(status);
  const StatusRow* row = find_row(status);
  return row != nullptr ? row->name : "hiprope_error_unknown";
}

const char* hiprope_status_message(hiprope_status status) {
  if (status > 0) return gpu::error_message(status);
  const StatusRow* row = find_row(status);
  return row != nullptr ? row->message : "not a status of this version of hiprope";
}

const char* hiprope_last_error(void) {
  return last_error.data();
}
