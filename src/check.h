// Checks of everything a caller passes in; what passes needs no further look.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hiprope/hiprope.h"

namespace hiprope::internal {

// A call whose arguments fit together. Tensor 0 is x or q, tensor 1 is k.
struct CheckedCall {
  int tensors = 0;
  hiprope_tensor in[2] = {};
  hiprope_tensor out[2] = {};  // equal to `in` when in place
  hiprope_positions positions = {};
  std::int32_t direction = hiprope_forward;
  std::int32_t* path = nullptr;
  bool in_place = true;

  bool empty() const { return in[0].tokens == 0 || in[0].heads + (tensors == 2 ? in[1].heads : 0) == 0; }
};

std::int64_t element_bytes(std::int32_t data_type);

// Copies the caller's config with defaults filled in. Scaling, sections and axis map are left to resolve_frequencies.
[[nodiscard]] hiprope_status check_config(const hiprope_config* given, hiprope_config& config);

// The tensors of a call by name, for its messages: {"x", "out"} or {"q", "q_out"} and {"k", "k_out"}.
struct TensorNames {
  const char* in;
  const char* out;
};
[[nodiscard]] hiprope_status check_call(const hiprope_rope* rope, const TensorNames (&names)[2],
                                        const hiprope_tensor* x, const hiprope_tensor* k,
                                        const hiprope_positions* positions, const hiprope_apply_options* options,
                                        CheckedCall& call);

// Copies a struct a caller wrote for an older version: fields beyond its size are zero.
[[nodiscard]] hiprope_status check_size(const char* name, std::size_t size, std::size_t smallest, std::size_t current);
// Checks an output struct and copies `value` into it, as far as the caller's size reaches.
[[nodiscard]] hiprope_status write_struct(const char* name, void* given, const void* value, std::size_t smallest,
                                          std::size_t current);
// hiprope_error_forked in a process that was forked after one of its ancestors had used hiprope.
[[nodiscard]] hiprope_status check_process();
[[nodiscard]] hiprope_status check_handle(const hiprope_rope* rope);

}  // namespace hiprope::internal
