// The kernels of the stand-in runtime, by their symbols.
#pragma once

#include <cstdint>

#include "kernels/params.h"

namespace hiprope::fake {

// The work of the calling thread's place in the grid.
using Kernel = void (*)(KernelParams params);

// Null when there is no such kernel.
Kernel find_kernel(const char* symbol);

// Runs every thread of a grid of `blocks`; all pointers are host addresses.
void run_grid(Kernel kernel, const KernelParams& params, std::uint32_t blocks);

}  // namespace hiprope::fake
