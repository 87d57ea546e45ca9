// The kernels of a device, loaded once for all Ropes that live on it.
#pragma once

#include "gpu/gpu.h"
#include "gpu/runtime.h"

namespace hiprope::internal::gpu {

struct Kernels {
  int device;
  int uses;  // Ropes that hold them
  Kernels* next;
  hipModule_t modules[2];                     // rope, position_embeddings
  hipFunction_t functions[2][kVariantCount];  // of each module
};

bool has_code_object(const char* architecture);

// Gives the kernels of the current device, which is `device`; loads them where no other Rope holds them. Null with a
// reason in `support` where they cannot be used, which is success. Thread-safe.
[[nodiscard]] hipError_t take_kernels(int device, const char* architecture, Kernels*& kernels, KernelSupport& support);
// Unloads them when no Rope holds them any more. Null is allowed. Thread-safe.
void release_kernels(Kernels* kernels);

}  // namespace hiprope::internal::gpu
