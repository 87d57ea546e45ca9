// Entry points that rotate Q and K, whose heads form one index space: one for every line of variants.inc.
#include "rotate.h"

#define HIPROPE_VARIANT(element, layout, bytes, heads, angles)                                                        \
  HIPROPE_KERNEL(256)                                                                                                 \
  position_embeddings_##element##_##layout##_##bytes##b_##heads##h_##angles(hiprope::KernelParams params) {           \
    using Variant =                                                                                                   \
        hiprope::Variant<hiprope::element, hiprope::Layout::layout, bytes, heads, hiprope::AngleInput::of_##angles>;  \
    hiprope::run_thread<Variant, 2>(params, hiprope::block_index(), hiprope::chunk_index(), hiprope::thread_index()); \
  }
#include "variants.inc"
