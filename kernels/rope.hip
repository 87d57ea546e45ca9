// Entry points that rotate one tensor: one for every line of variants.inc.
#include "rotate.h"

#define HIPROPE_VARIANT(element, layout, bytes, heads, angles)                                                        \
  HIPROPE_KERNEL(256) rope_##element##_##layout##_##bytes##b_##heads##h_##angles(hiprope::KernelParams params) {      \
    using Variant =                                                                                                   \
        hiprope::Variant<hiprope::element, hiprope::Layout::layout, bytes, heads, hiprope::AngleInput::of_##angles>;  \
    hiprope::run_thread<Variant, 1>(params, hiprope::block_index(), hiprope::chunk_index(), hiprope::thread_index()); \
  }
#include "variants.inc"
