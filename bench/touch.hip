// Kernels that a rotation is measured against: x = x * scale over the same elements, a reader that empties the caches,
// and one that does nothing.
#include "bench/touch_params.h"

#include "kernels/device.h"
#include "kernels/numeric.h"

namespace hiprope::tools {

// Bytes from the start of either tensor to an item's access.
HIPROPE_DEVICE std::int64_t offset_of(const TouchTensor& tensor, std::uint32_t item, int bytes) {
  const std::uint32_t run = divide(item, tensor.by_units);
  const std::uint32_t token = divide(run, tensor.by_heads);
  return token * tensor.token_stride + (run - token * tensor.heads) * tensor.head_stride +
         static_cast<std::int64_t>(item - run * tensor.units) * bytes;
}

template <typename Element, int bytes>
HIPROPE_DEVICE void scale_words(std::uint32_t* words, float scale) {
  HIPROPE_UNROLL
  for (int i = 0; i < (bytes < 4 ? 1 : bytes / 4); ++i) {
    if constexpr (Element::bytes == 4) {
      words[i] = Element::encode(Element::decode(words[i]) * scale);
    } else {
      words[i] =
          Element::encode_two(Element::decode(words[i] & 0xFFFFU) * scale, Element::decode(words[i] >> 16) * scale);
    }
  }
}

template <typename Element, int bytes, int in_flight>
HIPROPE_DEVICE void touch(const TouchParams& p, std::uint32_t block, std::uint32_t thread) {
  const std::uint32_t first = block * p.block_threads * in_flight + thread;
  const char* in[in_flight];
  char* out[in_flight];
  std::uint32_t words[in_flight][bytes < 4 ? 1 : bytes / 4];
  HIPROPE_UNROLL
  for (int i = 0; i < in_flight; ++i) {
    const std::uint32_t item = first + static_cast<std::uint32_t>(i) * p.block_threads;
    if (item >= p.items) break;
    const bool of_k = item >= p.q_items;
    const std::int64_t offset = of_k ? offset_of(p.k, item - p.q_items, bytes) : offset_of(p.q, item, bytes);
    in[i] = (of_k ? p.k.in : p.q.in) + offset;
    out[i] = (of_k ? p.k.out : p.q.out) + offset;
    load<bytes>(in[i], words[i]);
  }
  HIPROPE_UNROLL
  for (int i = 0; i < in_flight; ++i) {
    if (first + static_cast<std::uint32_t>(i) * p.block_threads >= p.items) break;
    scale_words<Element, bytes>(words[i], p.scale);
    store<bytes>(out[i], words[i]);
  }
}

}  // namespace hiprope::tools

#define HIPROPE_TOUCH(element, bytes, in_flight)                                                        \
  HIPROPE_KERNEL(512) touch_##element##_##bytes##b_##in_flight##v(hiprope::tools::TouchParams params) { \
    hiprope::tools::touch<hiprope::element, bytes, in_flight>(params, hiprope::block_index(),           \
                                                              hiprope::thread_index());                 \
  }
#include "bench/touch_variants.inc"

HIPROPE_KERNEL(256) evict(hiprope::tools::EvictParams params) {
  std::uint32_t sum = 0;
  for (std::uint32_t i = hiprope::block_index() * 256 + hiprope::thread_index(); i < params.accesses;
       i += params.threads) {
    std::uint32_t words[4];
    hiprope::load<16>(params.words + std::size_t{4} * i, words);
    sum |= words[0] | words[1] | words[2] | words[3];
  }
  // The buffer holds zeros alone, which the compiler cannot know.
  if (sum != 0) *params.words = sum;
}

HIPROPE_KERNEL(64) empty(hiprope::KernelParams) {}
