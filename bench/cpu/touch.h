// The ceiling the CPU path is held against: x = x * scale in place, over the elements a call rotates.
#pragma once

#include <cstdint>

#include "cpu/rotate.h"

namespace hiprope::bench {

// Same rows, types and split over threads as rotate_with; one rounding to nearest even an element.
void touch(int threads, const internal::HostCall& call, const internal::HostTensor* tensors, int tensor_count,
           float scale);

}  // namespace hiprope::bench
