/* A hiprope_apply_rope_device that does nothing and reports success, to show that `hiprope verify` notices. */
#include "hiprope/hiprope.h"

hiprope_status hiprope_apply_rope_device(const hiprope_rope* rope, const hiprope_tensor* x,
                                         const hiprope_positions* positions, const hiprope_apply_options* options,
                                         void* stream) {
  (void)rope;
  (void)x;
  (void)positions;
  (void)stream;
  *options->path = hiprope_path_cpu;
  return hiprope_ok;
}
