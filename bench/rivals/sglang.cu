// SGLang's kernels, from the sources that its wheel compiles on first use, behind C entry points.
#include "rival.h"

#include <algorithm>

#include "csrc/elementwise/rope.cuh"

namespace {

constexpr bool kOverlaps = true;  // as the package launches from compute capability 9.0 on

template <typename Params>
int launch(void (*kernel)(Params), const Params& params, std::uint32_t works, std::uint32_t work_threads,
           cudaStream_t stream) {
  int device = 0, units = 0, blocks_of_unit = 0;
  if (cudaError_t error = cudaGetDevice(&device)) return error;
  if (cudaError_t error = cudaDeviceGetAttribute(&units, cudaDevAttrMultiProcessorCount, device)) return error;
  if (cudaError_t error =
          cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks_of_unit, kernel, sglang::kBlockSize, 0)) {
    return error;
  }
  const std::uint32_t block_works = sglang::kBlockSize / work_threads;
  const std::uint32_t needed = (works + block_works - 1) / block_works;
  cudaLaunchAttribute overlap{};
  overlap.id = cudaLaunchAttributeProgrammaticStreamSerialization;
  overlap.val.programmaticStreamSerializationAllowed = kOverlaps ? 1 : 0;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(std::min(needed, static_cast<std::uint32_t>(units * blocks_of_unit)));
  config.blockDim = dim3(sglang::kBlockSize);
  config.stream = stream;
  config.attrs = &overlap;
  config.numAttrs = 1;
  return cudaLaunchKernelEx(&config, kernel, params);
}

template <typename T, bool half_split, int rotary_dim>
int rope(const RivalCall& call, bool with_cache) {
  using Kernel = sglang::FusedRopeKernel<half_split, rotary_dim, kOverlaps, T>;
  const auto bytes = static_cast<std::int64_t>(sizeof(T));
  const std::int64_t behind_q = call.heads * call.q_head * bytes;
  const auto heads = static_cast<std::uint32_t>(call.heads), kv_heads = static_cast<std::uint32_t>(call.kv_heads);
  const auto tokens = static_cast<std::uint32_t>(call.tokens);
  const sglang::FusedRopeParams params{call.q,
                                       static_cast<char*>(call.k) - behind_q,
                                       call.table,
                                       call.positions,
                                       call.q_row * bytes,
                                       call.k_row * bytes,
                                       call.q_head * bytes,
                                       heads,
                                       kv_heads,
                                       tokens};
  if (!with_cache) {
    return launch(Kernel::template _kernel_0<std::int64_t>, params, (heads + kv_heads) * tokens, Kernel::kWorkThreads,
                  call.stream);
  }
  if constexpr (Kernel::kSupportFused) {
    const sglang::FusedRopeStoreParams store{params,
                                             call.v,
                                             static_cast<char*>(call.k_cache) - behind_q,
                                             call.v_cache,
                                             call.slots,
                                             call.v_row * bytes,
                                             call.k_run * bytes};
    return launch(Kernel::template _kernel_1<std::int64_t>, store, (heads + 2 * kv_heads) * tokens,
                  Kernel::kWorkThreads, call.stream);
  }
  return kUnsupported;
}

template <typename T>
int choose(const RivalCall& call, bool with_cache) {
  if (call.interleaved != 0) return call.rotary_dim == 64 ? rope<T, false, 64>(call, with_cache) : kUnsupported;
  switch (call.rotary_dim) {
    case 24:
      return rope<T, true, 24>(call, with_cache);
    case 128:
      return rope<T, true, 128>(call, with_cache);
    case 256:
      return rope<T, true, 256>(call, with_cache);
    default:
      return kUnsupported;
  }
}

int choose(const RivalCall& call, bool with_cache) {
  return call.is_f16 != 0 ? choose<__half>(call, with_cache) : choose<__nv_bfloat16>(call, with_cache);
}

}  // namespace

extern "C" int sglang_rope(const RivalCall* call) {
  return call->kv_heads > 1 && call->q_head != call->head_dim ? kUnsupported : choose(*call, false);
}

extern "C" int sglang_rope_cache(const RivalCall* call) {
  const bool plain = call->k_run == call->kv_heads * call->head_dim && call->v_run == call->k_run;
  return plain && call->rotary_dim == call->head_dim && call->q_head == call->head_dim ? choose(*call, true)
                                                                                       : kUnsupported;
}
