// Entry points that rotate one tensor: one for every line of variants.inc.
#include "body.h"

#define HIPROPE_VARIANT(element, layout, bytes, heads, scope)                                                         \
  HIPROPE_KERNEL(256) rope_##element##_##layout##_##bytes##b_##heads##h_##scope(hiprope::KernelParams params) {       \
    using Variant = hiprope::Variant<hiprope::element, hiprope::Layout::layout, bytes, heads, hiprope::Scope::scope>; \
    hiprope::run_thread<Variant, 1>(params, hiprope::thread_index());                                                 \
  }
#include "variants.inc"
