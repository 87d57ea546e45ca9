/* A C11 user of the reader: makes a Rope for each layer type of a file and shows the sentence of a refusal. */
#include <hiprope/model_config.h>
#include <stdio.h>
#include <string.h>

static int make_ropes(const hiprope_model_config* model) {
  int32_t layers = 0;
  for (int32_t i = 0; i < model->layer_type_count; ++i) {
    const hiprope_layer_type* type = model->layer_types[i];
    hiprope_rope* rope = NULL;
    if (hiprope_create(type->config, hiprope_device_cpu, hiprope_fallback_forbid, &rope) != hiprope_ok) {
      fprintf(stderr, "%s: %s\n", type->name, hiprope_last_error());
      return 1;
    }
    hiprope_destroy(rope);
    layers += type->layer_count;
  }
  if (model->layer_type_count != 2 || layers != model->layer_count) {
    fprintf(stderr, "%d layer types hold %d of %d layers\n", model->layer_type_count, layers, model->layer_count);
    return 1;
  }
  return 0;
}

int read_from_c(const char* path);

int read_from_c(const char* path) {
  const hiprope_model_config* model = hiprope_read_model_config(path, 1);
  if (model == NULL || model->error != NULL) {
    fprintf(stderr, "%s\n", model == NULL ? "out of memory" : model->error);
    return 1;
  }
  const int failed = make_ropes(model);
  hiprope_free_model_config(model);

  const hiprope_model_config* missing = hiprope_read_model_config("no such file", 0);
  const int named = missing != NULL && missing->error != NULL && strstr(missing->error, "no such file") != NULL;
  hiprope_free_model_config(missing);
  if (!named) fprintf(stderr, "a missing file was not refused by name\n");
  return failed || !named;
}
