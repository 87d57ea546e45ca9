/* The C11 interface of hiprope, which is its ABI: rotary position embeddings on AMD GPUs, NVIDIA GPUs and the CPU.
 *
 * Conventions of every declaration below:
 *  - A function returns a hiprope_status: 0 is success, a negative value is one of enum hiprope_status_code, a positive
 *    value is the GPU runtime's own code (hipError_t on AMD, cudaError_t on NVIDIA). After a failure
 *    hiprope_last_error() gives one sentence naming the argument and the values; a call that is refused (any negative
 *    status) has changed nothing.
 *  - Nothing prints, throws, aborts or exits. Only HIPROPE_LOG makes the library write, to standard error.
 *  - A struct starts with `size`, which the caller sets to sizeof(the struct). A smaller size of an older version
 *    works: the fields beyond it take their defaults. A larger one is refused with hiprope_error_struct_size.
 *    A zero in any other field of a config selects that field's default.
 *  - Strides and offsets count elements, not bytes. The last dimension (head_dim) of a tensor is contiguous.
 *  - A stream is the runtime's stream handle (hipStream_t, cudaStream_t) as void*; NULL is the default stream. */
#ifndef HIPROPE_H
#define HIPROPE_H

#include <stddef.h>
#include <stdint.h>

#include "hiprope/version.h"

#if defined(__GNUC__)
#define HIPROPE_API __attribute__((visibility("default")))
#else
#define HIPROPE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status ------------------------------------------------------------------------------------------------- */

typedef int32_t hiprope_status;

enum hiprope_status_code {
  hiprope_ok = 0,
  hiprope_error_null_argument = -1,   /* a pointer that must not be null is null */
  hiprope_error_struct_size = -2,     /* a struct's size is zero, too small, or from a later version */
  hiprope_error_enum_value = -3,      /* a field holds a value its enum does not have */
  hiprope_error_head_dim = -4,        /* head_dim out of range, or different from the config's */
  hiprope_error_rotary_dim = -5,      /* rotary_dim odd, out of range, or past the end of the head */
  hiprope_error_pairing = -6,         /* pair_block does not divide rotary_dim, or is odd */
  hiprope_error_base = -7,            /* base not finite or not above zero */
  hiprope_error_max_positions = -8,   /* max_positions below 1 or above 2^31, or a table too large */
  hiprope_error_scaling = -9,         /* a scaling parameter missing, out of range, or of the wrong length */
  hiprope_error_axes = -10,           /* axes, sections or axis map inconsistent */
  hiprope_error_data_type = -11,      /* tensors of one call differ in data type */
  hiprope_error_negative_size = -12,  /* tokens or heads below zero */
  hiprope_error_stride = -13,         /* a stride is negative, too large, or makes the view overlap itself */
  hiprope_error_view_overlap = -14,   /* views of one call overlap without being equal */
  hiprope_error_shape = -15,          /* tokens or heads differ between views that must agree */
  hiprope_error_alignment = -16,      /* a pointer is not aligned to its element */
  hiprope_error_positions = -17,      /* axes or axis_stride of the positions do not fit the call */
  hiprope_error_in_place = -18,       /* the config rewrites the pair layout, so an output view is needed */
  hiprope_error_no_such_device = -19, /* the device ordinal does not exist on this machine */
  hiprope_error_wrong_device = -20,   /* a *_cpu function was given a Rope that lives on a GPU */
  hiprope_error_no_code_object = -21, /* no kernel for the GPU's architecture, and fallback is forbidden */
  hiprope_error_capturing = -22,      /* this call would break the capture of the stream, or of one that waits for it */
  hiprope_error_forked = -23,         /* the process forked after hiprope was first used */
  hiprope_error_out_of_host_memory = -24,
  hiprope_error_too_large = -25,  /* a size or byte count exceeds what one launch can index */
  hiprope_error_environment = -26 /* an environment variable of hiprope's holds nonsense */
};

/* The status's identifier, "hiprope_error_stride" or the runtime's own "hipErrorOutOfMemory". Never NULL; the text of a
 * negative status lives as long as the library. */
HIPROPE_API const char* hiprope_status_name(hiprope_status status);
/* One general sentence for the status. Never NULL. */
HIPROPE_API const char* hiprope_status_message(hiprope_status status);
/* What the calling thread's most recent failing call had to say, with the argument and its values. Never NULL; valid
 * until the thread's next failing call. A call that succeeds leaves it as it is. */
HIPROPE_API const char* hiprope_last_error(void);

/* ---- Config ------------------------------------------------------------------------------------------------- */

enum hiprope_data_type { hiprope_f32 = 0, hiprope_f16 = 1, hiprope_bf16 = 2 };

/* Which elements form pair j, counted from rotary_offset; R is rotary_dim. */
enum hiprope_pairing {
  hiprope_half_split = 0,  /* (j, j + R/2): NeoX, rotate_half */
  hiprope_interleaved = 1, /* (2j, 2j + 1): GPT-J */
  hiprope_blocked = 2      /* half_split inside consecutive blocks of pair_block elements */
};

/* Where the rotated pair is written. */
enum hiprope_output_pairing {
  hiprope_output_as_input = 0,
  hiprope_output_half_split = 1 /* interleaved in, half_split out, as DeepSeek is cached; needs an output view */
};

/* How the angle of pair j at position p is computed before cos and sin. */
enum hiprope_angles {
  hiprope_angles_exact = 0,  /* float64 throughout, cos and sin rounded once to float32 */
  hiprope_angles_float32 = 1 /* float32 inv_freq and product, as the Python frameworks do, for parity tests */
};

/* How frequencies are scaled; docs/variants.md has each formula. */
enum hiprope_scaling_type {
  hiprope_scaling_default = 0, /* inv_freq[j] = base^(-2j/R) */
  hiprope_scaling_linear = 1,  /* / factor */
  hiprope_scaling_dynamic = 2, /* NTK by sequence_length, or by alpha (Hunyuan) */
  hiprope_scaling_ntk = 3,     /* fixed, or mixed with mixed_b */
  hiprope_scaling_yarn = 4,
  hiprope_scaling_longrope = 5, /* short_factor or long_factor by sequence_length */
  hiprope_scaling_llama3 = 6,
  hiprope_scaling_proportional =
      7, /* the first active_pairs pairs turn, exponent over head_dim, the rest have zero frequency */
  hiprope_scaling_custom = 8 /* inv_freq given by the caller */
};

/* A field that the type does not use must be zero. */
typedef struct hiprope_scaling {
  int32_t type;         /* enum hiprope_scaling_type */
  int32_t no_truncate;  /* yarn: 1 keeps the correction range fractional (GPT-OSS) */
  int32_t active_pairs; /* proportional: pairs that turn */
  int32_t factor_count; /* entries of each array below that is not NULL; must be R/2 */
  double factor;        /* linear, dynamic, ntk, yarn, longrope, llama3, proportional; >= 1, yarn and longrope: 0 =
                           max_positions / original */
  double alpha;         /* dynamic: base * alpha^(R/(R-2)) instead of the sequence length rule */
  double mixed_b;       /* ntk: 0 = fixed */
  double low_freq_factor, high_freq_factor; /* llama3, required */
  double beta_fast, beta_slow;              /* yarn: 32 and 1 */
  double extrapolation_factor;              /* yarn: 1 */
  double attention_factor;                  /* yarn, longrope: overrides the computed one */
  double attn_factor;                       /* yarn: multiplies the computed one; 1 */
  double mscale, mscale_all_dim;            /* yarn (DeepSeek); 0 = absent */
  double mscale_coefficient;                /* yarn: 0.1 (TeleChat3: 0.07) */
  int64_t original_max_positions;   /* yarn, longrope, llama3: required; dynamic: trained length, 0 = max_positions */
  int64_t sequence_length;          /* dynamic, longrope: length to serve; 0 = max_positions */
  double short_mscale, long_mscale; /* longrope (Phi-3.5-MoE): replace the attention factor */
  const double* short_factor;       /* longrope, [R/2] */
  const double* long_factor;        /* longrope, [R/2] */
  const double* inv_freq;           /* custom, [R/2], radians per position */
  const double* freq_factors;       /* any type: inv_freq[j] is divided by freq_factors[j] (GGUF) */
} hiprope_scaling;

/* Which of a token's positions turns pair j, when a token has more than one (M-RoPE, vision). */
enum hiprope_axis_layout {
  hiprope_axes_chunked = 0, /* the first sections[0] pairs take axis 0, the next sections[1] axis 1, ... */
  hiprope_axes_interleaved =
      1, /* Qwen3-VL: j%3==1 and j<3*sections[1]: axis 1; j%3==2 and j<3*sections[2]: axis 2; else 0 */
  hiprope_axes_ernie =
      2, /* ERNIE-4.5-VL: the first sections[1]+sections[2] pairs alternate axes 1, 2; the rest axis 0 */
  hiprope_axes_round_robin = 3,  /* j % axes (Kimi vision) */
  hiprope_axes_rarest_first = 4, /* openPangu */
  hiprope_axes_custom = 5        /* axis_of_pair */
};

/* Which frequency pair j takes, when there is more than one axis. */
enum hiprope_frequency_layout {
  hiprope_frequencies_continuous = 0, /* index j over R, whatever the axis (M-RoPE) */
  hiprope_frequencies_restart = 1,    /* the i-th pair of its axis takes index i over 2 * that axis's pairs (vision) */
  hiprope_frequencies_strided = 2     /* the i-th pair of axis a takes index i * axes + a over R (Pixtral) */
};

typedef struct hiprope_config {
  size_t size;
  int32_t head_dim;       /* D, >= 2 */
  int32_t rotary_dim;     /* R, even, <= D - rotary_offset; 0 = D - rotary_offset */
  int32_t rotary_offset;  /* first rotated element of a head */
  int32_t pairing;        /* enum hiprope_pairing */
  int32_t pair_block;     /* blocked: B, even, divides R */
  int32_t output_pairing; /* enum hiprope_output_pairing */
  int32_t angles;         /* enum hiprope_angles */
  int32_t axes;           /* positions per token, 1 to 4; 0 = 1 */
  int64_t max_positions;  /* rows of the table, at most 2^31: positions 0 .. max_positions - 1 rotate */
  double base;            /* rope_theta; 0 = 10000 */
  hiprope_scaling scaling;
  int32_t axis_layout;         /* enum hiprope_axis_layout */
  int32_t frequency_layout;    /* enum hiprope_frequency_layout */
  int32_t sections[4];         /* pairs of each axis; must sum to R/2 (round_robin, custom: ignored) */
  int32_t axis_of_pair_count;  /* entries of axis_of_pair; must be R/2 when it is used */
  const uint8_t* axis_of_pair; /* custom, [R/2], each below axes */
} hiprope_config;

/* What a config computes, before any table is built. A pure function of the config; thread-safe.
 * inv_freq and axis_of_pair are caller's arrays of `capacity` entries, or NULL; R/2 entries are written. */
typedef struct hiprope_frequency_report {
  size_t size;
  double* inv_freq; /* radians per position */
  uint8_t* axis_of_pair;
  int32_t capacity;
  int32_t pairs;            /* out: R/2 */
  double attention_scaling; /* out: folded into cos and sin of the table */
  double softmax_scale; /* out: what the caller multiplies the softmax scale by (DeepSeek's yarn); else 1. Never applied
                           here */
  double effective_base; /* out: base after dynamic or ntk scaling */
} hiprope_frequency_report;

/* Returns hiprope_ok, null_argument, struct_size, or any of the config statuses -3 .. -10, too_large. */
HIPROPE_API hiprope_status hiprope_frequencies(const hiprope_config* config, hiprope_frequency_report* report);

/* ---- Rope --------------------------------------------------------------------------------------------------- */

/* Immutable handle: frequencies and the cos/sin table on one device. Every function on it may be called from many
 * threads and on many streams at once, except hiprope_destroy, which must come last. */
typedef struct hiprope_rope hiprope_rope;

enum { hiprope_device_cpu = -1 }; /* as a device ordinal: tensors are in host memory */

enum hiprope_fallback {
  hiprope_fallback_allow = 0, /* a GPU without a usable kernel is served through the CPU, and says so */
  hiprope_fallback_forbid = 1 /* such a Rope is not created: hiprope_error_no_code_object */
};

/* Which path a call took. */
enum hiprope_path { hiprope_path_none = 0, hiprope_path_gpu = 1, hiprope_path_cpu = 2, hiprope_path_cpu_fallback = 3 };

/* Builds the table in float64, uploads it once and loads the kernels; device is a GPU ordinal or hiprope_device_cpu.
 * Memory: 4 * R * max_positions bytes on the device, and as many and a few more on the host until it returns.
 * Time: that of the table, on one core of an x86-64 server 3 ms for 8192 positions of 64 pairs (2026-12-01), and of its
 * upload; all else takes 0.02 ms on the CPU. On a GPU the first Rope also loads the kernels, which stay for all further
 * ones until the last is destroyed. The caller's current device is left as it was. A stream being captured stays so
 * (from HIP 5.0 on). On failure *rope is NULL. Returns the config statuses, no_such_device, no_code_object,
 * out_of_host_memory, environment, forked, or the runtime's code. */
HIPROPE_API hiprope_status hiprope_create(const hiprope_config* config, int32_t device, int32_t fallback,
                                          hiprope_rope** rope);
/* Frees the handle. Calls using it must have returned and their GPU work must have finished. A captured graph holds the
 * addresses of the Rope's table and kernels: it may still be destroyed after this, not replayed. Other Ropes on the
 * device, and graphs of their calls, are not affected. NULL is allowed. */
HIPROPE_API void hiprope_destroy(hiprope_rope* rope);

/* ---- Tensors, positions and calls --------------------------------------------------------------------------- */

/* A view [tokens, heads, head_dim]; element (t, h, d) is data[t * token_stride + h * head_stride + d]. The memory is
 * on the Rope's device. data must be aligned to its element; 16-byte aligned data and strides are fastest.
 * tokens * heads may be 0, and data is then not looked at. */
typedef struct hiprope_tensor {
  size_t size;
  void* data;
  int32_t data_type; /* enum hiprope_data_type */
  int32_t head_dim;  /* D of the config */
  int64_t tokens;
  int64_t heads;
  int64_t token_stride; /* elements; >= 0 */
  int64_t head_stride;  /* elements; >= 0 */
} hiprope_tensor;

enum hiprope_position_type { hiprope_position_int32 = 0, hiprope_position_int64 = 1 };

/* The position ids of a call's tokens, on the Rope's device, in any order, repeats allowed. A token with an id outside
 * [0, max_positions) on any axis is left unrotated (copied, out of place) and counted; see
 * hiprope_read_position_errors. Nothing outside the table is ever read. */
typedef struct hiprope_positions {
  size_t size;
  const void* ids;     /* [axes][tokens]; NULL: token t has id start + t on every axis */
  int64_t start;       /* used when ids is NULL */
  int64_t axis_stride; /* elements from one axis's ids to the next; 0 = tokens */
  int32_t type;        /* enum hiprope_position_type */
  int32_t axes;        /* 1 (used for every axis) or the config's axes; 0 = 1 */
} hiprope_positions;

enum hiprope_direction {
  hiprope_forward = 0,
  hiprope_inverse = 1 /* the transpose, sin negated: the backward pass, and the inverse where attention scaling is 1 */
};

/* Optional part of a call; NULL means in place, forward. */
typedef struct hiprope_apply_options {
  size_t size;
  const hiprope_tensor* out;   /* where x or q is written; NULL or a view equal to the input = in place */
  const hiprope_tensor* k_out; /* where k is written */
  int32_t* path;               /* out: enum hiprope_path of what ran; hiprope_path_none when nothing did */
  int32_t direction;           /* enum hiprope_direction */
} hiprope_apply_options;

/* Rotates one tensor. On a GPU Rope: checks, packs one launch on `stream` (several where one cannot index all
 * tokens, some billions) and returns without waiting; no allocation,
 * no synchronisation, safe inside graph capture. On a GPU Rope in fallback: copies through the host and waits for the
 * stream. On a CPU Rope: runs on the calling thread and OpenMP threads; stream is ignored.
 * Zero tokens or heads is success.
 * Returns null_argument, struct_size, enum_value, head_dim, data_type, negative_size, stride, view_overlap, shape,
 * alignment, positions, in_place, capturing (in fallback; or on the default stream, stream = NULL, while a stream that
 * waits for it is captured; the capture lives on), forked, too_large, out_of_host_memory (fallback only), or
 * the runtime's code. After a positive status from a fallback call the output may be partly written. One whose
 * sentence says "was done, but selecting the caller's device again failed" did that; only the current device is wrong.
 */
HIPROPE_API hiprope_status hiprope_apply_rope_device(const hiprope_rope* rope, const hiprope_tensor* x,
                                                     const hiprope_positions* positions,
                                                     const hiprope_apply_options* options, void* stream);

/* Rotates q and k in one launch. They may differ in heads, strides and pointers, not in tokens or data type; k may be
 * NULL. Otherwise as hiprope_apply_rope_device. */
HIPROPE_API hiprope_status hiprope_apply_position_embeddings_device(const hiprope_rope* rope, const hiprope_tensor* q,
                                                                    const hiprope_tensor* k,
                                                                    const hiprope_positions* positions,
                                                                    const hiprope_apply_options* options, void* stream);

/* The same contract on host memory, for a Rope created on hiprope_device_cpu; else hiprope_error_wrong_device. */
HIPROPE_API hiprope_status hiprope_apply_rope_cpu(const hiprope_rope* rope, const hiprope_tensor* x,
                                                  const hiprope_positions* positions,
                                                  const hiprope_apply_options* options);
HIPROPE_API hiprope_status hiprope_apply_position_embeddings_cpu(const hiprope_rope* rope, const hiprope_tensor* q,
                                                                 const hiprope_tensor* k,
                                                                 const hiprope_positions* positions,
                                                                 const hiprope_apply_options* options);

/* ---- What happened ------------------------------------------------------------------------------------------ */

/* Counters of a handle since its creation; each is read atomically. */
typedef struct hiprope_stats {
  size_t size;
  uint64_t launches;             /* kernel launches; one recorded in a capture counts once */
  uint64_t cpu_calls;            /* calls served by a CPU Rope */
  uint64_t fallbacks;            /* calls of a GPU Rope served through the CPU */
  uint64_t table_uploads;        /* 1 for a GPU Rope with kernels, else 0 */
  uint64_t bytes_host_to_device; /* copied by this handle, tables included */
  uint64_t bytes_device_to_host;
} hiprope_stats;
HIPROPE_API hiprope_status hiprope_get_stats(const hiprope_rope* rope, hiprope_stats* stats);

/* Tokens left unrotated because of their position id, since creation or the last clear. */
typedef struct hiprope_position_errors {
  size_t size;
  uint64_t count;
  int64_t first_token; /* smallest token index among them, each counted within its own call; -1 when count is 0 */
} hiprope_position_errors;
/* Waits for the work already on `stream`, then reads. Returns hiprope_error_capturing while the stream, or for the
 * default stream one that waits for it, is captured, without breaking the capture. Work on other streams is included as
 * far as it has finished; while it runs, count and first_token may be of different moments. */
HIPROPE_API hiprope_status hiprope_read_position_errors(const hiprope_rope* rope, void* stream,
                                                        hiprope_position_errors* errors);
/* Clears on `stream`, in order with its other work; may be captured. Work on other streams must be ordered before or
 * after it (an event, or waiting for them), else what it counts meanwhile may be lost. Returns hiprope_error_capturing
 * on the default stream while a stream that waits for it is captured. */
HIPROPE_API hiprope_status hiprope_clear_position_errors(const hiprope_rope* rope, void* stream);

/* Facts of a handle; the strings live as long as it. */
typedef struct hiprope_rope_info {
  size_t size;
  int32_t device; /* ordinal, or hiprope_device_cpu */
  int32_t path;   /* enum hiprope_path every call on this handle takes */
  int32_t head_dim, rotary_dim, rotary_offset, axes;
  int64_t max_positions;
  uint64_t table_bytes; /* 4 * R * max_positions */
  double attention_scaling;
  double softmax_scale;
  const char* architecture;    /* "gfx942", "sm_90", "cpu" */
  const char* fallback_reason; /* why path is cpu_fallback; "" otherwise */
} hiprope_rope_info;
HIPROPE_API hiprope_status hiprope_get_rope_info(const hiprope_rope* rope, hiprope_rope_info* info);

/* ---- Machine and build -------------------------------------------------------------------------------------- */

typedef struct hiprope_device_info {
  size_t size;
  int32_t device;
  int32_t compute_units;   /* CUs or SMs */
  int32_t has_code_object; /* 1: calls run on the GPU */
  uint64_t memory_bytes;
  char name[128];
  char architecture[64]; /* "gfx942", "sm_90" */
} hiprope_device_info;

/* GPUs visible to the runtime; 0 on platform "none", without a driver and without a GPU, which is success. Both return
 * null_argument, forked or the runtime's code; get_device_info also no_such_device and struct_size. */
HIPROPE_API hiprope_status hiprope_device_count(int32_t* count);
HIPROPE_API hiprope_status hiprope_get_device_info(int32_t device, hiprope_device_info* info);
/* "amd", "nvidia" or "none": what the library was built for. */
HIPROPE_API const char* hiprope_platform(void);
HIPROPE_API const char* hiprope_version(void);
/* Architectures with embedded kernels: names for 0 <= index < count, NULL beyond. */
HIPROPE_API int32_t hiprope_code_object_count(void);
HIPROPE_API const char* hiprope_code_object_architecture(int32_t index);

#ifdef __cplusplus
}
#endif
#endif
