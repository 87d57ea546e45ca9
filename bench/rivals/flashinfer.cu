// FlashInfer's kernels, from the headers of its wheel, behind C entry points.
#include "rival.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <flashinfer/page.cuh>
#include <flashinfer/pos_enc.cuh>

namespace {

constexpr int kPageSlots = 16;

template <typename T>
int rope(const RivalCall& call) {
  T* const q = static_cast<T*>(call.q);
  T* const k = static_cast<T*>(call.k);
  return flashinfer::BatchQKApplyRotaryPosIdsCosSinCache<T, std::int64_t>(
      q, k, q, k, const_cast<float*>(call.table), const_cast<std::int64_t*>(call.positions), call.tokens, call.heads,
      call.kv_heads, call.rotary_dim, call.head_dim, call.q_row, call.q_head, call.k_row, call.head_dim, call.q_row,
      call.q_head, call.k_row, call.head_dim, call.interleaved != 0, call.stream);
}

template <typename T>
int rope_cache8(const RivalCall& call) {
  using Byte = __nv_fp8_e4m3;
  T* const q = static_cast<T*>(call.q);
  T* const k = static_cast<T*>(call.k);
  Byte* const q8 = static_cast<Byte*>(call.q8);
  const std::uint32_t rest = call.head_dim - call.rotary_dim;
  const std::int64_t q8_row = std::int64_t{call.heads} * call.head_dim;
  flashinfer::paged_kv_t<Byte, std::int32_t> cache(
      call.kv_heads, kPageSlots, call.head_dim, 1, flashinfer::QKVLayout::kNHD, static_cast<Byte*>(call.k_cache),
      static_cast<Byte*>(call.v_cache), const_cast<std::int32_t*>(call.pages),
      const_cast<std::int32_t*>(call.page_range), const_cast<std::int32_t*>(call.last_page));
  return flashinfer::RopeQuantizeAppendPagedKVCache<T, std::int64_t, std::int32_t, Byte>(
      q, k, q + call.rotary_dim, k + call.rotary_dim, static_cast<T*>(call.v), q8, q8 + call.rotary_dim, cache,
      const_cast<std::int32_t*>(call.batch), const_cast<std::int32_t*>(call.slots32), const_cast<float*>(call.table),
      const_cast<std::int64_t*>(call.positions), call.tokens, call.heads, call.kv_heads, call.rotary_dim, rest,
      call.q_row, call.q_head, call.q_row, call.q_head, q8_row, call.head_dim, q8_row, call.head_dim, call.k_row,
      call.head_dim, call.k_row, call.head_dim, call.v_row, call.head_dim, 1.0F, 1.0F, call.interleaved != 0,
      /*enable_pdl=*/false, call.stream);
}

}  // namespace

extern "C" int flashinfer_rope(const RivalCall* call) {
  const int dim = call->head_dim;
  if (dim != 64 && dim != 128 && dim != 256) return kUnsupported;
  return call->is_f16 != 0 ? rope<__half>(*call) : rope<__nv_bfloat16>(*call);
}

extern "C" int flashinfer_rope_cache8(const RivalCall* call) {
  const bool plain = call->k_run == call->kv_heads * call->head_dim && call->v_run == call->k_run;
  if (!plain || call->rotary_dim % 16 != 0) return kUnsupported;
  return call->is_f16 != 0 ? rope_cache8<__half>(*call) : rope_cache8<__nv_bfloat16>(*call);
}
