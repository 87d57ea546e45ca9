/* A C11 user: rotates one vector on the CPU and checks it against the formula, then makes a call that is refused. */
#include "consumer.h"

#include <hiprope/hiprope.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static int refused(const char* what) {
  fprintf(stderr, "%s: %s\n", what, hiprope_last_error());
  return 1;
}

int use_from_c(void) {
  const hiprope_config config = {.size = sizeof(config), .head_dim = 2, .max_positions = 16};
  hiprope_rope* rope = NULL;
  if (hiprope_create(&config, hiprope_device_cpu, hiprope_fallback_forbid, &rope) != hiprope_ok) {
    return refused("hiprope_create");
  }

  float x[2] = {0.6F, -0.8F};
  const float before[2] = {0.6F, -0.8F};
  hiprope_tensor view = {.size = sizeof(view),
                         .data = x,
                         .data_type = hiprope_f32,
                         .head_dim = 2,
                         .tokens = 1,
                         .heads = 1,
                         .token_stride = 2,
                         .head_stride = 2};
  const hiprope_positions positions = {.size = sizeof(positions), .start = 5};
  int failed = 0;
  if (hiprope_apply_rope_cpu(rope, &view, &positions, NULL) != hiprope_ok) {
    failed = refused("hiprope_apply_rope_cpu");
  }
  const double expected[2] = {before[0] * cos(5.0) - before[1] * sin(5.0), before[1] * cos(5.0) + before[0] * sin(5.0)};
  for (int i = 0; i < 2; ++i) {
    if (!(fabs(x[i] - expected[i]) < 1e-6)) {
      fprintf(stderr, "x[%d] is %g, expected %g\n", i, (double)x[i], expected[i]);
      failed = 1;
    }
  }

  view.head_dim = 4;
  if (hiprope_apply_rope_cpu(rope, &view, &positions, NULL) != hiprope_error_head_dim ||
      strstr(hiprope_last_error(), "head_dim") == NULL) {
    failed = refused("a wrong head_dim was not refused by name");
  }
  hiprope_destroy(rope);
  return failed;
}
