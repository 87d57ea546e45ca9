// The CPU path's vector kernels, compiled once for each instruction set and chosen when first called. Only targets that
// have a fused multiply-add are vectorised; the others take the scalar kernels, which are exact everywhere.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "cpu/heads.h"
#include "cpu/numeric.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/rotate_simd.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace hiprope::internal::HWY_NAMESPACE {

#if HWY_NATIVE_FMA && (HWY_ARCH_X86 || HWY_ARCH_ARM_A64)

namespace hn = hwy::HWY_NAMESPACE;

template <class D>
hn::Vec<D> widen(D d, hn::Vec<hn::Rebind<std::uint16_t, D>> bits, Bfloat /*type*/) {
  return hn::BitCast(d, hn::ShiftLeft<16>(hn::PromoteTo(hn::RebindToUnsigned<D>(), bits)));
}

template <class D>
hn::Vec<D> widen(D d, hn::Vec<hn::Rebind<std::uint16_t, D>> bits, Half /*type*/) {
  return hn::PromoteTo(d, hn::BitCast(hn::Rebind<hwy::float16_t, D>(), bits));
}

template <class D>
hn::Vec<D> load(D d, const float* from) {
  return hn::LoadU(d, from);
}

template <class D, typename Element>
hn::Vec<D> load(D d, const Element* from) {
  return widen(d, hn::LoadU(hn::Rebind<std::uint16_t, D>(), &from->bits), Element());
}

template <class D>
void load_pairs(D d, const float* from, hn::Vec<D>& x, hn::Vec<D>& y) {
  hn::LoadInterleaved2(d, from, x, y);
}

template <class D, typename Element>
void load_pairs(D d, const Element* from, hn::Vec<D>& x, hn::Vec<D>& y) {
  const hn::Rebind<std::uint16_t, D> d16;
  hn::Vec<decltype(d16)> x16, y16;
  hn::LoadInterleaved2(d16, &from->bits, x16, y16);
  x = widen(d, x16, Element());
  y = widen(d, y16, Element());
}

template <class D>
void store(D d, hn::Vec<D> value, float* to) {
  hn::StoreU(value, d, to);
}

// Rounds to the upper half of each 32-bit lane; the lower half is left undefined.
template <class D>
hn::Vec<hn::RebindToUnsigned<D>> round_to_bfloat(D /*d*/, hn::Vec<D> value) {
  const hn::RebindToUnsigned<D> d32;
  const auto bits = hn::BitCast(d32, value);
  // A NaN here comes from a bf16 input or is the processor's own: its low half is zero, so this does not carry into it.
#if HWY_TARGET <= HWY_AVX3
  const auto is_odd = hn::TestBit(bits, hn::Set(d32, 0x10000));
  return hn::Add(bits, hn::IfThenElse(is_odd, hn::Set(d32, 0x8000), hn::Set(d32, 0x7FFF)));
#else
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(d32, 1));
  return hn::Add(bits, hn::Add(odd, hn::Set(d32, 0x7FFF)));
#endif
}

template <class D>
void store(D d, hn::Vec<D> value, Bfloat* to) {
  const hn::Rebind<std::uint16_t, D> d16;
  hn::StoreU(hn::TruncateTo(d16, hn::ShiftRight<16>(round_to_bfloat(d, value))), d16, &to->bits);
}

// Two neighbours come in one 32-bit lane, which spares bf16 every shuffle.
template <class D>
void load_pairs(D d, const Bfloat* from, hn::Vec<D>& even, hn::Vec<D>& odd) {
  const hn::RebindToUnsigned<D> d32;
  const auto both = hn::BitCast(d32, hn::LoadU(hn::Repartition<std::uint16_t, D>(), &from->bits));
  even = hn::BitCast(d, hn::ShiftLeft<16>(both));
  odd = hn::BitCast(d, hn::And(both, hn::Set(d32, 0xFFFF0000U)));
}

template <class D>
void store_pairs(D d, hn::Vec<D> even, hn::Vec<D> odd, Bfloat* to) {
  const hn::Repartition<std::uint16_t, D> d16;
  const auto low = hn::ShiftRight<16>(round_to_bfloat(d, even));
  const auto high = round_to_bfloat(d, odd);
  hn::StoreU(hn::OddEven(hn::BitCast(d16, high), hn::BitCast(d16, low)), d16, &to->bits);
}

template <class D>
void store(D /*d*/, hn::Vec<D> value, Half* to) {
  const hn::Rebind<hwy::float16_t, D> df16;
  const hn::Rebind<std::uint16_t, D> d16;
  hn::StoreU(hn::BitCast(d16, hn::DemoteTo(df16, value)), d16, &to->bits);
}

// Elements from one being turned to the later head's that is fetched meanwhile; measured, it gains a fifth beyond L2.
constexpr std::int64_t kAhead = 512;

// May point past the tensor: nothing is read.
HWY_INLINE void prefetch(const void* address) {
  __builtin_prefetch(address);
}

// The three ways pairs lie. An operation turns lanes from index i on, in order; kMinLanes is the fewest it can turn.

template <typename Element>
struct Apart {  // x and y far from each other, index counts pairs
  static constexpr std::size_t kVectors = std::is_same_v<Element, Bfloat> ? 2 : 1, kMinLanes = 1;
  const float *cos, *sin;
  const Element* in;
  Element* out;
  std::int64_t ahead;
  std::int64_t half_in, half_out;  // from x to y

  template <class D>
  HWY_INLINE void turn(D d, std::int64_t i) const {
    prefetch(in + i + ahead);
    prefetch(in + half_in + i + ahead);
    const auto x = load(d, in + i);
    const auto y = load(d, in + half_in + i);
    const auto c = hn::LoadU(d, cos + i);
    const auto s = hn::LoadU(d, sin + i);
    store(d, hn::MulSub(x, c, hn::Mul(y, s)), out + i);
    store(d, hn::MulAdd(y, c, hn::Mul(x, s)), out + half_out + i);
  }

  // Two vectors of pairs, for bf16 with a row that unzip has been over.
  template <class D>
  HWY_INLINE void turn_twice(D d, std::int64_t i) const {
    hn::Vec<D> x0, x1, y0, y1;
    prefetch(in + i + ahead);
    prefetch(in + half_in + i + ahead);
    load_pairs(d, in + i, x0, x1);
    load_pairs(d, in + half_in + i, y0, y1);
    const auto c0 = hn::LoadU(d, cos + i);
    const auto c1 = hn::LoadU(d, cos + i + hn::Lanes(d));
    const auto s0 = hn::LoadU(d, sin + i);
    const auto s1 = hn::LoadU(d, sin + i + hn::Lanes(d));
    store_pairs(d, hn::MulSub(x0, c0, hn::Mul(y0, s0)), hn::MulSub(x1, c1, hn::Mul(y1, s1)), out + i);
    store_pairs(d, hn::MulAdd(y0, c0, hn::Mul(x0, s0)), hn::MulAdd(y1, c1, hn::Mul(x1, s1)), out + half_out + i);
  }
};

template <typename Element>
struct Adjacent {  // y after x, index counts elements
  static constexpr std::size_t kVectors = 1, kMinLanes = 2;
  const float *cos, *sin;
  const Element* in;
  Element* out;
  std::int64_t ahead;

  template <class D>
  HWY_INLINE void turn(D d, std::int64_t i) const {
    prefetch(in + i + ahead);
    const auto x = load(d, in + i);
    const auto c = hn::LoadU(d, cos + i);
    const auto s = hn::LoadU(d, sin + i);
    store(d, hn::MulAdd(x, c, hn::Mul(hn::Reverse2(d, x), s)), out + i);
  }
};

template <>
struct Adjacent<Bfloat> {  // index counts pairs
  static constexpr std::size_t kVectors = 1, kMinLanes = 1;
  const float *cos, *sin;
  const Bfloat* in;
  Bfloat* out;
  std::int64_t ahead;

  template <class D>
  HWY_INLINE void turn(D d, std::int64_t i) const {
    hn::Vec<D> x, y;
    prefetch(in + 2 * i + ahead);
    load_pairs(d, in + 2 * i, x, y);
    const auto c = hn::LoadU(d, cos + i);
    const auto s = hn::LoadU(d, sin + i);
    store_pairs(d, hn::MulSub(x, c, hn::Mul(y, s)), hn::MulAdd(y, c, hn::Mul(x, s)), out + 2 * i);
  }
};

template <typename Element>
struct Spread {  // y after x where read, apart where written, index counts pairs
  static constexpr std::size_t kVectors = 1, kMinLanes = 1;
  const float *cos, *sin;
  const Element* in;
  Element* out;
  std::int64_t ahead;
  std::int64_t half_out;

  template <class D>
  HWY_INLINE void turn(D d, std::int64_t i) const {
    hn::Vec<D> x, y;
    prefetch(in + 2 * i + ahead);
    load_pairs(d, in + 2 * i, x, y);
    const auto c = hn::LoadU(d, cos + i);
    const auto s = hn::LoadU(d, sin + i);
    store(d, hn::MulSub(x, c, hn::Mul(y, s)), out + i);
    store(d, hn::MulAdd(y, c, hn::Mul(x, s)), out + half_out + i);
  }
};

constexpr std::size_t kMaxLanes = HWY_MAX_BYTES / sizeof(float);

// Turns from i on in vectors of kLanes, after all longer ones that fit: where vectors have a fixed size, one at most.
template <std::size_t kLanes, class Operation>
HWY_INLINE std::int64_t turn_rest_by(const Operation& operation, std::int64_t i, std::int64_t end) {
  if constexpr (kLanes >= Operation::kMinLanes && kLanes < Operation::kVectors * kMaxLanes) {
    const hn::CappedTag<float, kLanes> d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
#if HWY_HAVE_SCALABLE
    for (; i + lanes <= end; i += lanes) operation.turn(d, i);
#else
    if ((end & lanes) != 0) {
      operation.turn(d, i);
      i += lanes;
    }
#endif
  }
  return i;
}

template <class Operation>
HWY_INLINE void turn_rest(const Operation& operation, std::int64_t i, std::int64_t end) {
  i = turn_rest_by<kMaxLanes>(operation, i, end);
  if constexpr (kMaxLanes > 8) i = turn_rest_by<8>(operation, i, end);
  i = turn_rest_by<4>(operation, i, end);
  i = turn_rest_by<2>(operation, i, end);
  turn_rest_by<1>(operation, i, end);
}

template <class Operation>
HWY_INLINE void turn_all(const Operation& operation, std::int64_t end) {
  const hn::CappedTag<float, kMaxLanes> d;
  const auto step = static_cast<std::int64_t>(Operation::kVectors * hn::Lanes(d));
  const std::int64_t whole = end - end % step;
  for (std::int64_t i = 0; i < whole; i += step) {
    if constexpr (Operation::kVectors == 2) {
      operation.turn_twice(d, i);
    } else {
      operation.turn(d, i);
    }
  }
  if (whole != end) turn_rest(operation, whole, end);
}

// Reorders a block's part of a row as turn_twice takes it: of each two vectors' pairs first the even, then the odd.
void unzip(float* row, std::int64_t end) {
  const hn::CappedTag<float, kMaxLanes> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (std::int64_t i = 0; i + 2 * lanes <= end; i += 2 * lanes) {
    hn::Vec<decltype(d)> even, odd;
    load_pairs(d, row + i, even, odd);
    hn::StoreU(even, d, row + i);
    hn::StoreU(odd, d, row + i + lanes);
  }
}

template <class Operation>
HWY_INLINE void turn_heads(Operation operation, std::int64_t end, const Heads& heads) {
  for (std::int64_t head = 0; head < heads.count; ++head) {
    turn_all(operation, end);
    operation.in += heads.in_stride;
    operation.out += heads.out_stride;
  }
}

// Whether the row has an entry for each element, which spares f32 and f16 a shuffle.
bool is_doubled(const HostCall& call) {
  return call.block_out == 2 && call.data_type != hiprope_bf16;
}

template <typename Element>
void rotate_heads(const HostCall& call, const Row& row, const Heads& heads) {
  const std::int64_t half_in = call.block_in / 2;
  const std::int64_t half_out = call.block_out / 2;
  const std::int64_t pairs = call.rotary_dim / 2;
  const std::int64_t ahead =
      std::max<std::int64_t>(kAhead / std::max<std::int64_t>(heads.in_stride, 1), 1) * heads.in_stride;
  const auto* in = static_cast<const Element*>(heads.in);
  auto* out = static_cast<Element*>(heads.out);
  if (half_out == 1) {
    turn_heads(Adjacent<Element>{row.cos, row.sin, in, out, ahead}, is_doubled(call) ? call.rotary_dim : pairs, heads);
  } else if (half_in == 1) {
    for (std::int64_t j = 0; j < pairs; j += half_out) {
      turn_heads(Spread<Element>{row.cos + j, row.sin + j, in + 2 * j, out + 2 * j, ahead, half_out}, half_out, heads);
    }
  } else {
    for (std::int64_t j = 0; j < pairs; j += half_in) {
      Element* write = out + first_element(j, call.block_out);
      turn_heads(Apart<Element>{row.cos + j, row.sin + j, in + 2 * j, write, ahead, half_in, half_out}, half_in, heads);
    }
  }
}

void rotate(const HostCall& call, const Row& row, const Heads& heads) {
  switch (call.data_type) {
    case hiprope_f16:
      return rotate_heads<Half>(call, row, heads);
    case hiprope_bf16:
      return rotate_heads<Bfloat>(call, row, heads);
    default:
      return rotate_heads<float>(call, row, heads);
  }
}

// Splits table entries into row.cos and row.sin.
struct Split {
  static constexpr std::size_t kVectors = 1, kMinLanes = 1;
  const float* entries;
  float sin_sign;
  float *cos, *sin;

  template <class D>
  HWY_INLINE void turn(D d, std::int64_t i) const {
    hn::Vec<D> c, s;
    hn::LoadInterleaved2(d, entries + 2 * i, c, s);
    hn::StoreU(c, d, cos + i);
    hn::StoreU(hn::Mul(s, hn::Set(d, sin_sign)), d, sin + i);
  }
};

// Doubles them instead: (c, c) and (-s, s).
struct Double {
  static constexpr std::size_t kVectors = 1, kMinLanes = 2;
  const float* entries;
  float sin_sign;
  float *cos, *sin;

  template <class D>
  HWY_INLINE void turn(D d, std::int64_t i) const {
    const auto entry = hn::LoadU(d, entries + i);
    const auto sign = hn::OddEven(hn::Set(d, sin_sign), hn::Set(d, -sin_sign));
    hn::StoreU(hn::DupEven(entry), d, cos + i);
    hn::StoreU(hn::Mul(hn::DupOdd(entry), sign), d, sin + i);
  }
};

void prepare(const HostCall& call, Row& row) {
  alignas(64) float gathered[kMaxVectorRotaryDim];
  const float* entries = table_entry(call, row, 0);
  if (call.axis_of_pair != nullptr) {
    for (std::int64_t j = 0; j < call.rotary_dim / 2; ++j) {
      std::memcpy(gathered + 2 * j, table_entry(call, row, j), 2 * sizeof(float));
    }
    entries = gathered;
  }
  if (is_doubled(call)) {
    turn_all(Double{entries, call.sin_sign, row.cos, row.sin}, call.rotary_dim);
  } else {
    turn_all(Split{entries, call.sin_sign, row.cos, row.sin}, call.rotary_dim / 2);
  }
  if (call.data_type == hiprope_bf16 && call.block_in != 2) {
    const std::int64_t half_in = call.block_in / 2;
    for (std::int64_t j = 0; j < call.rotary_dim / 2; j += half_in) {
      unzip(row.cos + j, half_in);
      unzip(row.sin + j, half_in);
    }
  }
}

Kernels kernels() {
  return {prepare, rotate};
}

#else

Kernels kernels() {
  return scalar_kernels();
}

#endif

}  // namespace hiprope::internal::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hiprope::internal {

HWY_EXPORT(kernels);

Kernels vector_kernels() {
  return HWY_DYNAMIC_DISPATCH(kernels)();
}

}  // namespace hiprope::internal
#endif
