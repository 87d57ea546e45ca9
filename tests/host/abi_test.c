/* The public header as C11: layouts frozen at compile time, and the values of the enums. */
#include <stdint.h>

#include "hiprope/hiprope.h"

#define LAYOUT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), "the size of " #type " is part of the ABI");
#define LAYOUT_FIELD(type, field, bytes) \
  _Static_assert(offsetof(type, field) == (bytes), "the offset of " #type "." #field " is part of the ABI");
#include "abi_layout.inc"

_Static_assert(sizeof(hiprope_status) == 4, "a status is an int32_t");
_Static_assert(hiprope_error_environment == -26, "statuses keep their values");
_Static_assert(hiprope_f32 == 0 && hiprope_f16 == 1 && hiprope_bf16 == 2, "data types keep their values");
_Static_assert(hiprope_half_split == 0 && hiprope_interleaved == 1 && hiprope_blocked == 2,
               "pairings keep their values");
_Static_assert(hiprope_output_as_input == 0 && hiprope_output_half_split == 1, "output pairings keep their values");
_Static_assert(hiprope_angles_exact == 0 && hiprope_angles_float32 == 1, "kinds of angles keep their values");
_Static_assert(hiprope_axes_chunked == 0 && hiprope_axes_interleaved == 1 && hiprope_axes_ernie == 2 &&
                   hiprope_axes_round_robin == 3 && hiprope_axes_rarest_first == 4 && hiprope_axes_custom == 5,
               "axis layouts keep their values");
_Static_assert(hiprope_frequencies_continuous == 0 && hiprope_frequencies_restart == 1 &&
                   hiprope_frequencies_strided == 2,
               "frequency layouts keep their values");
_Static_assert(hiprope_position_int32 == 0 && hiprope_position_int64 == 1, "position types keep their values");
_Static_assert(hiprope_forward == 0 && hiprope_inverse == 1, "directions keep their values");
_Static_assert(hiprope_fallback_allow == 0 && hiprope_fallback_forbid == 1, "fallbacks keep their values");
_Static_assert(hiprope_scaling_default == 0 && hiprope_path_none == 0, "nothing set is 0");
_Static_assert(hiprope_path_gpu == 1 && hiprope_path_cpu == 2 && hiprope_path_cpu_fallback == 3,
               "paths keep their values");
_Static_assert(hiprope_scaling_linear == 1 && hiprope_scaling_dynamic == 2 && hiprope_scaling_ntk == 3 &&
                   hiprope_scaling_yarn == 4 && hiprope_scaling_longrope == 5 && hiprope_scaling_llama3 == 6 &&
                   hiprope_scaling_proportional == 7 && hiprope_scaling_custom == 8,
               "scaling types keep their values");
_Static_assert(hiprope_device_cpu == -1, "the CPU's ordinal keeps its value");

/* A whole call from C; returns the first status that is not success. */
int32_t hiprope_rotate_from_c(float* values, int64_t tokens, int64_t heads, int32_t head_dim);
int32_t hiprope_rotate_from_c(float* values, int64_t tokens, int64_t heads, int32_t head_dim) {
  hiprope_config config = {.size = sizeof(config), .head_dim = head_dim, .max_positions = 64};
  hiprope_rope* rope = NULL;
  int32_t status = hiprope_create(&config, hiprope_device_cpu, hiprope_fallback_allow, &rope);
  if (status != hiprope_ok) return status;
  hiprope_tensor x = {.size = sizeof(x),
                      .data = values,
                      .data_type = hiprope_f32,
                      .head_dim = head_dim,
                      .tokens = tokens,
                      .heads = heads,
                      .token_stride = heads * head_dim,
                      .head_stride = head_dim};
  hiprope_positions positions = {.size = sizeof(positions), .start = 1};
  status = hiprope_apply_rope_cpu(rope, &x, &positions, NULL);
  hiprope_destroy(rope);
  return status;
}
