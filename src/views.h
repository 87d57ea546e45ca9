// Where the elements of views lie: how far they reach, and whether they share any. The views' fields are checked for
// sign and reach.
#pragma once

#include <cstdint>

#include "hiprope/hiprope.h"

namespace hiprope::internal {

// Elements from the first to behind the last, 0 for an empty view.
std::int64_t span_of(const hiprope_tensor& t);

bool same_view(const hiprope_tensor& a, const hiprope_tensor& b);

// Whether two of a view's heads share elements.
bool overlaps_itself(const hiprope_tensor& t);

// Exact for views apart in memory and for slices of one row layout (packed QKV, parts of a head); other views whose
// address ranges meet count as overlapping. A single head has stride 0.
bool may_overlap(const hiprope_tensor& a, const hiprope_tensor& b);

}  // namespace hiprope::internal
