// Cases derived from a case.
#include "tests/support/relations.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace hiprope::test {
namespace {

constexpr int kOutput = 2;  // from the buffer of a tensor to that of its output

}  // namespace

std::vector<Case> by_token(const Case& c) {
  std::vector<Case> calls;
  for (std::int64_t token = 0; token < c.tokens; ++token) {
    Case one = c;
    one.tokens = 1;
    for (Side* side :
         {&one.q, one.k ? &*one.k : nullptr, one.q_out ? &*one.q_out : nullptr, one.k_out ? &*one.k_out : nullptr}) {
      if (side != nullptr) side->offset += token * side->token_stride;
    }
    if (c.ids_bytes == 0)
      one.start = static_cast<std::int64_t>(static_cast<std::uint64_t>(c.start) + static_cast<std::uint64_t>(token));
    one.ids.clear();
    one.axis_stride = 0;
    for (std::int32_t axis = 0; axis < c.position_axes && c.ids_bytes != 0; ++axis) {
      const std::int64_t stride = c.axis_stride != 0 ? c.axis_stride : c.tokens;
      one.ids.push_back(c.ids[static_cast<std::size_t>(axis * stride + token)]);
    }
    calls.push_back(one);
  }
  return calls;
}

std::vector<Case> by_tensor(const Case& c) {
  if (!c.k) return {c};
  Case q = c;
  q.k.reset();
  q.k_out.reset();
  Case k = q;
  k.q = *c.k;
  k.q_out = c.k_out;
  return {q, k};
}

Moved moved_apart(const Case& c, const Images& before) {
  Moved moved{c, before};
  const auto move = [&](const Side& side, std::optional<Side>& out) {
    if (out) return;
    out = side;
    out->buffer += kOutput;
    std::vector<std::byte>& image = moved.before[static_cast<std::size_t>(out->buffer)];
    image = before[static_cast<std::size_t>(side.buffer)];
    // Every element must be written, so each starts as another.
    const std::size_t size = c.type == DataType::f32 ? 4 : 2;
    for (std::int64_t token = 0; token < c.tokens; ++token) {
      for (std::int64_t head = 0; head < side.heads; ++head) {
        for (std::int64_t dim = 0; dim < c.config.head_dim; ++dim) {
          std::byte* const element = image.data() + byte_of(c, *out, token, head, dim);
          std::transform(element, element + size, element, [](std::byte bits) { return ~bits; });
        }
      }
    }
  };
  move(c.q, moved.c.q_out);
  if (c.k) move(*c.k, moved.c.k_out);
  return moved;
}

Images moved_back(const Case& c, const Images& after) {
  Images images = after;
  const auto move = [&](const Side& side, const std::optional<Side>& out) {
    if (out) return;
    std::swap(images[static_cast<std::size_t>(side.buffer)], images[static_cast<std::size_t>(side.buffer + kOutput)]);
    images[static_cast<std::size_t>(side.buffer + kOutput)].clear();
  };
  move(c.q, c.q_out);
  if (c.k) move(*c.k, c.k_out);
  return images;
}

}  // namespace hiprope::test
