// Where the elements of views lie.
#include "views.h"

#include <algorithm>

#include "check.h"

namespace hiprope::internal {
namespace {

// Whether intervals of `a_length` and `b_length`, repeated every `period`, stay apart when b's begin `distance` later.
bool interleave(std::int64_t distance, std::int64_t period, std::int64_t a_length, std::int64_t b_length) {
  if (period <= 0) return false;
  const std::int64_t shift = ((distance % period) + period) % period;
  return shift >= a_length && shift + b_length <= period;
}

}  // namespace

std::int64_t span_of(const hiprope_tensor& t) {
  if (t.tokens == 0 || t.heads == 0) return 0;
  return (t.tokens - 1) * t.token_stride + (t.heads - 1) * t.head_stride + t.head_dim;
}

bool same_view(const hiprope_tensor& a, const hiprope_tensor& b) {
  return a.data == b.data && a.heads == b.heads && a.token_stride == b.token_stride && a.head_stride == b.head_stride;
}

bool overlaps_itself(const hiprope_tensor& t) {
  // The dimension of the smaller stride must fit into one step of the other.
  const bool tokens_inside = t.tokens > 1 && (t.heads == 1 || t.token_stride < t.head_stride);
  const std::int64_t inner_count = tokens_inside ? t.tokens : t.heads;
  const std::int64_t inner_stride = tokens_inside ? t.token_stride : t.head_stride;
  const std::int64_t outer_count = tokens_inside ? t.heads : t.tokens;
  const std::int64_t outer_stride = tokens_inside ? t.head_stride : t.token_stride;
  const std::int64_t inner_span = (inner_count - 1) * inner_stride + t.head_dim;
  return (inner_count > 1 && inner_stride < t.head_dim) || (outer_count > 1 && outer_stride < inner_span);
}

bool may_overlap(const hiprope_tensor& a, const hiprope_tensor& b) {
  const std::int64_t bytes = element_bytes(a.data_type);
  const std::int64_t distance_bytes = static_cast<std::int64_t>(reinterpret_cast<std::intptr_t>(b.data)) -
                                      static_cast<std::int64_t>(reinterpret_cast<std::intptr_t>(a.data));
  const std::int64_t a_span = span_of(a) * bytes;
  const std::int64_t b_span = span_of(b) * bytes;
  if (a_span == 0 || b_span == 0 || distance_bytes >= a_span || -distance_bytes >= b_span) return false;
  if (distance_bytes % bytes != 0) return true;
  const std::int64_t distance = distance_bytes / bytes;
  const std::int64_t a_token = (a.heads - 1) * a.head_stride + a.head_dim;
  const std::int64_t b_token = (b.heads - 1) * b.head_stride + b.head_dim;
  if (a.token_stride == b.token_stride && interleave(distance, a.token_stride, a_token, b_token)) return false;
  // A single head, whose stride is 0, is one of heads at any stride.
  const std::int64_t head_stride = std::max(a.head_stride, b.head_stride);
  if (a.heads > 1 && b.heads > 1 && a.head_stride != b.head_stride) return true;
  const std::int64_t a_head = (a.tokens - 1) * a.token_stride + a.head_dim;
  const std::int64_t b_head = (b.tokens - 1) * b.token_stride + b.head_dim;
  if (interleave(distance, head_stride, a_head, b_head)) return false;
  return !(a.token_stride == b.token_stride && head_stride > 0 && a.token_stride % head_stride == 0 &&
           interleave(distance, head_stride, a.head_dim, b.head_dim));
}

}  // namespace hiprope::internal
