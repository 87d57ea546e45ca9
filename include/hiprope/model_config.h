/* The C11 interface of the component model_config: a model's config.json as one hiprope_config per layer type.
 *
 * Everything a result points to belongs to it and lives until hiprope_free_model_config. The library allocates these
 * structs, so later versions may append fields. Nothing here prints, throws, aborts or exits; any number of threads may
 * call. include/hiprope/model_config.hpp has the same for C++17 and documents the fields. */
#ifndef HIPROPE_MODEL_CONFIG_H
#define HIPROPE_MODEL_CONFIG_H

#include <stdint.h>

#include "hiprope/hiprope.h"

#ifdef __cplusplus
extern "C" {
#endif

enum hiprope_head_norm_kind {
  hiprope_head_norm_unknown = 0,
  hiprope_head_norm_none = 1,
  hiprope_head_norm_rms = 2,
  hiprope_head_norm_layer = 3
};
enum hiprope_head_norm_weight {
  hiprope_head_norm_weight_none = 0,
  hiprope_head_norm_weight_plain = 1,   /* times w */
  hiprope_head_norm_weight_one_plus = 2 /* times 1 + w */
};
/* What is rounded to the tensor's type before the rotation. */
enum hiprope_head_norm_rounding {
  hiprope_head_norm_rounding_never = 0,
  hiprope_head_norm_rounding_after_weight = 1, /* once */
  hiprope_head_norm_rounding_after_each = 2,   /* after the normalisation, and again after the weight */
  hiprope_head_norm_rounding_after_root = 3    /* the reciprocal root alone, then the product with x */
};
enum hiprope_head_norm_span {
  hiprope_head_norm_span_head = 0,
  hiprope_head_norm_span_row = 1 /* all heads together */
};
enum hiprope_head_norm_order { hiprope_head_norm_before_rotation = 0, hiprope_head_norm_after_rotation = 1 };

/* How the heads of Q, K or V are normalised; of kind unknown or none the other fields mean nothing. */
typedef struct hiprope_head_norm {
  int32_t kind;            /* enum hiprope_head_norm_kind */
  int32_t weight;          /* enum hiprope_head_norm_weight */
  int32_t rounding;        /* enum hiprope_head_norm_rounding */
  int32_t span;            /* enum hiprope_head_norm_span */
  int32_t order;           /* enum hiprope_head_norm_order */
  int32_t weight_per_head; /* 1: each head has a weight of its own */
  int32_t bias;            /* 1: a bias is added after the weight */
  double epsilon;
} hiprope_head_norm;

/* One rotary embedding of a model, and the layers that use it. Strings are never NULL. */
typedef struct hiprope_layer_type {
  const char* name;             /* "all", "full_attention", "sliding_attention", "short", "long", "vision", ... */
  const char* rope_type;        /* "default", "yarn", ..., "none" */
  const char* used_for;         /* "" when it is every token of the layers */
  const hiprope_config* config; /* for hiprope_create; NULL where the layers have no RoPE */
  int32_t heads, kv_heads;      /* 0: the file does not say */
  const int32_t* layers;        /* [layer_count], counted from 0 */
  int32_t layer_count;          /* 0 for a vision tower and an encoder */
  const hiprope_head_norm *q_norm, *k_norm, *v_norm; /* never NULL */
} hiprope_layer_type;

typedef struct hiprope_model_config {
  const char* error;      /* NULL, or the sentence that names the refused field; then the counts below are 0 */
  const char* model_type; /* never NULL */
  int32_t known_family;   /* 0: read by the generic rules, which the notes then say */
  int32_t layer_count;
  const hiprope_layer_type* const* layer_types; /* [layer_type_count] */
  int32_t layer_type_count;
  int32_t note_count;
  const char* const* notes; /* [note_count], sentences for a person */
  /* Q of a token at position p is to be multiplied by 1 + beta * ln(1 + floor((p + offset) / period)) on these layers,
   * after the rotation; beta is 0 where the model has no such factor. */
  double query_scale_beta;
  int64_t query_scale_period, query_scale_offset;
  const int32_t* query_scale_layers; /* [query_scale_layer_count] */
  int32_t query_scale_layer_count;
} hiprope_model_config;

/* Reads `path`, a config.json, the folder that holds one, or a GGUF file. `strict` other than 0 also refuses a file of
 * no known family and one with a field of rotary embeddings that is not used. NULL only when memory runs out; a NULL
 * path and a file that cannot be read are results with an error. */
HIPROPE_API const hiprope_model_config* hiprope_read_model_config(const char* path, int32_t strict);
/* NULL is allowed. */
HIPROPE_API void hiprope_free_model_config(const hiprope_model_config* model);

#ifdef __cplusplus
}
#endif

#endif
