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

/* One rotary embedding of a model, and the layers that use it. Strings are never NULL. */
typedef struct hiprope_layer_type {
  const char* name;             /* "all", "full_attention", "sliding_attention", "short", "long", "vision", ... */
  const char* rope_type;        /* "default", "yarn", ..., "none" */
  const char* used_for;         /* "" when it is every token of the layers */
  const hiprope_config* config; /* for hiprope_create; NULL where the layers have no RoPE */
  int32_t heads, kv_heads;      /* 0: the file does not say */
  const int32_t* layers;        /* [layer_count], counted from 0 */
  int32_t layer_count;          /* 0 for a vision tower and an encoder */
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

/* Reads `path`, a config.json or the folder that holds one. `strict` other than 0 also refuses a file of no known family
 * and one with a field of rotary embeddings that is not used. NULL only when memory runs out; a NULL path and a file that
 * cannot be read are results with an error. */
HIPROPE_API const hiprope_model_config* hiprope_read_model_config(const char* path, int32_t strict);
/* NULL is allowed. */
HIPROPE_API void hiprope_free_model_config(const hiprope_model_config* model);

#ifdef __cplusplus
}
#endif

#endif
