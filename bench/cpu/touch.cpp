// Touches every rotated element with the widest vectors there are.
#include "touch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "touch.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace hiprope::bench::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int kAhead = 512;  // lanes; 256 and 1024 are no faster

template <class D>
void touch_f32_by(D d, float*& x, const float* end, float scale) {
  const std::size_t lanes = hn::Lanes(d);
  for (; static_cast<std::size_t>(end - x) >= lanes; x += lanes) {
    __builtin_prefetch(x + kAhead);
    hn::StoreU(hn::Mul(hn::LoadU(d, x), hn::Set(d, scale)), d, x);
  }
}

void touch_f32(void* data, std::int64_t count, float scale) {
  auto* x = static_cast<float*>(data);
  const float* const end = x + count;
  touch_f32_by(hn::ScalableTag<float>(), x, end, scale);
  touch_f32_by(hn::CappedTag<float, 8>(), x, end, scale);
  touch_f32_by(hn::CappedTag<float, 4>(), x, end, scale);
  touch_f32_by(hn::CappedTag<float, 1>(), x, end, scale);
}

template <class D>
void touch_f16_by(D d, std::uint16_t*& x, const std::uint16_t* end, float scale) {
  const hn::Rebind<hwy::float16_t, D> df16;
  const hn::Rebind<std::uint16_t, D> d16;
  const std::size_t lanes = hn::Lanes(d);
  for (; static_cast<std::size_t>(end - x) >= lanes; x += lanes) {
    __builtin_prefetch(x + kAhead);
    const auto value = hn::PromoteTo(d, hn::BitCast(df16, hn::LoadU(d16, x)));
    hn::StoreU(hn::BitCast(d16, hn::DemoteTo(df16, hn::Mul(value, hn::Set(d, scale)))), d16, x);
  }
}

void touch_f16(void* data, std::int64_t count, float scale) {
  auto* x = static_cast<std::uint16_t*>(data);
  const std::uint16_t* const end = x + count;
  touch_f16_by(hn::ScalableTag<float>(), x, end, scale);
  touch_f16_by(hn::CappedTag<float, 8>(), x, end, scale);
  touch_f16_by(hn::CappedTag<float, 4>(), x, end, scale);
  touch_f16_by(hn::CappedTag<float, 1>(), x, end, scale);
}

// Two neighbours a 32-bit lane.
template <class D>
void touch_bf16_by(D d, std::uint32_t*& x, const std::uint32_t* end, float scale) {
  const hn::RebindToUnsigned<D> d32;
  const auto high_half = hn::Set(d32, 0xFFFF0000U);
  const auto round = [&](auto value) HWY_ATTR {
    const auto bits = hn::BitCast(d32, hn::Mul(hn::BitCast(d, value), hn::Set(d, scale)));
#if HWY_TARGET <= HWY_AVX3
    const auto is_odd = hn::TestBit(bits, hn::Set(d32, 0x10000));
    return hn::Add(bits, hn::IfThenElse(is_odd, hn::Set(d32, 0x8000), hn::Set(d32, 0x7FFF)));
#else
    return hn::Add(bits, hn::Add(hn::Set(d32, 0x7FFF), hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 1))));
#endif
  };
  const std::size_t lanes = hn::Lanes(d);
  for (; static_cast<std::size_t>(end - x) >= lanes; x += lanes) {
    __builtin_prefetch(x + kAhead);
    const auto both = hn::LoadU(d32, x);
    const auto low = hn::ShiftRight<16>(round(hn::ShiftLeft<16>(both)));
    hn::StoreU(hn::Or(low, hn::And(round(hn::And(both, high_half)), high_half)), d32, x);
  }
}

void touch_bf16(void* data, std::int64_t count, float scale) {
  auto* x = static_cast<std::uint32_t*>(data);
  const std::uint32_t* const end = x + count / 2;  // rotary_dim is even
  touch_bf16_by(hn::ScalableTag<float>(), x, end, scale);
  touch_bf16_by(hn::CappedTag<float, 8>(), x, end, scale);
  touch_bf16_by(hn::CappedTag<float, 4>(), x, end, scale);
  touch_bf16_by(hn::CappedTag<float, 1>(), x, end, scale);
}

}  // namespace hiprope::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hiprope::bench {
namespace {

HWY_EXPORT(touch_f32);
HWY_EXPORT(touch_f16);
HWY_EXPORT(touch_bf16);

using TouchElements = void (*)(void* data, std::int64_t count, float scale);

void touch_token(TouchElements touch_elements, const internal::HostCall& call, const internal::HostTensor& tensor,
                 std::int64_t token, float scale) {
  const std::int64_t size = call.data_type == hiprope_f32 ? 4 : 2;
  char* data = static_cast<char*>(tensor.out) + token * tensor.out_token_stride * size;
  // A token's heads without gaps are one run, where a rotation has to go head by head.
  const bool dense = tensor.out_head_stride == call.rotary_dim;
  const std::int64_t runs = dense ? 1 : tensor.heads;
  const std::int64_t count = dense ? tensor.heads * call.rotary_dim : call.rotary_dim;
  for (std::int64_t run = 0; run < runs; ++run) {
    touch_elements(data + run * tensor.out_head_stride * size, count, scale);
  }
}

TouchElements choose(std::int32_t data_type) {
  // Asked once: the answer takes cpuid, which a virtual machine traps.
  static const std::int64_t targets = hwy::SupportedTargets();
  hwy::GetChosenTarget().Update(targets);
  switch (data_type) {
    case hiprope_f16:
      return &HWY_DYNAMIC_DISPATCH(touch_f16);
    case hiprope_bf16:
      return &HWY_DYNAMIC_DISPATCH(touch_bf16);
    default:
      return &HWY_DYNAMIC_DISPATCH(touch_f32);
  }
}

}  // namespace

void touch(int threads, const internal::HostCall& call, const internal::HostTensor* tensors, int tensor_count,
           float scale) {
  const TouchElements touch_elements = choose(call.data_type);
  const auto touch_tokens = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t token = begin; token < end; ++token) {
      for (int i = 0; i < tensor_count; ++i) touch_token(touch_elements, call, tensors[i], token, scale);
    }
  };
  if (threads == 1) return touch_tokens(0, call.tokens);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int part = 0; part < threads; ++part) {
    touch_tokens(call.tokens * part / threads, call.tokens * (part + 1) / threads);
  }
}

}  // namespace hiprope::bench
#endif
