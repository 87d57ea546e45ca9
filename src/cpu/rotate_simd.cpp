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

// Rounds a pair to each 32-bit lane, x in the lower half.
template <class D>
hn::Vec<hn::RebindToUnsigned<D>> round_pairs(D /*d*/, hn::Vec<D> x, hn::Vec<D> y) {
  const hn::RebindToUnsigned<D> d32;
  const hn::Repartition<std::uint16_t, D> d16;
  const auto x_shifted = hn::ShiftRight<16>(hn::BitCast(d32, x));
  const auto y_shifted = hn::ShiftLeft<16>(hn::BitCast(d32, y));
  const auto high = hn::OddEven(hn::BitCast(d16, y), hn::BitCast(d16, x_shifted));
  const auto low = hn::OddEven(hn::BitCast(d16, y_shifted), hn::BitCast(d16, x));
  // What is cut off rounds up if above one half, or at one half if what stays is odd. A NaN here comes from a bf16
  // input or is the processor's own: what is cut off it is zero, so it stays one.
  const auto one = hn::Set(d16, 1);
  const auto up = hn::Gt(hn::Or(low, hn::And(high, one)), hn::Set(d16, 0x8000));
#if HWY_TARGET <= HWY_AVX3
  return hn::BitCast(d32, hn::IfThenElse(up, hn::Add(high, one), high));
#else
  return hn::BitCast(d32, hn::Sub(high, hn::VecFromMask(d16, up)));
#endif
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
  hn::StoreU(hn::BitCast(d16, round_pairs(d, even, odd)), d16, &to->bits);
}

template <class D>
void store(D /*d*/, hn::Vec<D> value, Half* to) {
  const hn::Rebind<hwy::float16_t, D> df16;
  const hn::Rebind<std::uint16_t, D> d16;
  hn::StoreU(hn::BitCast(d16, hn::DemoteTo(df16, value)), d16, &to->bits);
}

template <class D, typename Element>
void store_apart(D d, hn::Vec<D> x, hn::Vec<D> y, Element* to_x, Element* to_y) {
  store(d, x, to_x);
  store(d, y, to_y);
}

template <class D>
void store_apart(D d, hn::Vec<D> x, hn::Vec<D> y, Bfloat* to_x, Bfloat* to_y) {
  const hn::Rebind<std::uint16_t, D> d16;
  const auto both = round_pairs(d, x, y);
  hn::StoreU(hn::TruncateTo(d16, both), d16, &to_x->bits);
  hn::StoreU(hn::TruncateTo(d16, hn::ShiftRight<16>(both)), d16, &to_y->bits);
}

// Elements that turn while a head is fetched: 2048 of llama3-8b were too many for bf16 at 4096 tokens on x86-64 (0.85
// of touch, 1280 gave 0.95).
constexpr std::int64_t kAhead = 1280;
// Elements of heads that are turned together, vector after vector, for each lane of a vector: the first vector brings
// their memory to the nearest cache. bench/cpu/README.md has what fewer and more cost.
constexpr std::int64_t kGroup = 128;
constexpr std::int64_t kCacheLine = 64;  // bytes

// Some heads of one token. Strides in elements.
struct Walk {
  std::int64_t heads, in_stride, out_stride;
  std::int64_t ahead;  // from an element to the one of a later head that is fetched meanwhile
};

// The three ways pairs lie. An operation turns one vector of one head: the lanes of some indices, whose elements lie
// kIn apart where they are read and kOut where they are written. kMinLanes is the fewest it can turn; kZipped says that
// it takes two vectors at once.

template <typename Element>
struct Apart {  // x and y far from each other, index counts pairs
  using Type = Element;
  static constexpr std::int64_t kIn = 1, kOut = 1;
  static constexpr std::size_t kMinLanes = 1;
  static constexpr bool kZipped = std::is_same_v<Element, Bfloat>;
  const float *cos, *sin;
  const Element* in;
  Element* out;
  std::int64_t half_in, half_out;  // from x to y

  template <class D>
  HWY_INLINE void turn(D d, hn::Vec<D> c, hn::Vec<D> s, const Element* from, Element* to) const {
    const auto x = load(d, from);
    const auto y = load(d, from + half_in);
    store_apart(d, hn::MulSub(x, c, hn::Mul(y, s)), hn::MulAdd(y, c, hn::Mul(x, s)), to, to + half_out);
  }

  // Two vectors of pairs, whose cos and sin zip_angles has split.
  template <class D>
  HWY_INLINE void turn_zipped(D d, hn::Vec<D> c0, hn::Vec<D> c1, hn::Vec<D> s0, hn::Vec<D> s1, const Element* from,
                              Element* to) const {
    hn::Vec<D> x0, x1, y0, y1;
    load_pairs(d, from, x0, x1);
    load_pairs(d, from + half_in, y0, y1);
    store_pairs(d, hn::MulSub(x0, c0, hn::Mul(y0, s0)), hn::MulSub(x1, c1, hn::Mul(y1, s1)), to);
    store_pairs(d, hn::MulAdd(y0, c0, hn::Mul(x0, s0)), hn::MulAdd(y1, c1, hn::Mul(x1, s1)), to + half_out);
  }

  HWY_INLINE void fetch(const Element* ahead) const {
    __builtin_prefetch(ahead);
    __builtin_prefetch(ahead + half_in);
  }
};

template <typename Element>
struct Adjacent {  // y after x, index counts elements
  using Type = Element;
  static constexpr std::int64_t kIn = 1, kOut = 1;
  static constexpr std::size_t kMinLanes = 2;
  static constexpr bool kZipped = false;
  const float *cos, *sin;
  const Element* in;
  Element* out;

  template <class D>
  HWY_INLINE void turn(D d, hn::Vec<D> c, hn::Vec<D> s, const Element* from, Element* to) const {
    const auto x = load(d, from);
    store(d, hn::MulAdd(x, c, hn::Mul(hn::Reverse2(d, x), s)), to);
  }

  HWY_INLINE void fetch(const Element* ahead) const { __builtin_prefetch(ahead); }
};

template <>
struct Adjacent<Bfloat> {  // index counts pairs
  using Type = Bfloat;
  static constexpr std::int64_t kIn = 2, kOut = 2;
  static constexpr std::size_t kMinLanes = 1;
  static constexpr bool kZipped = false;
  const float *cos, *sin;
  const Bfloat* in;
  Bfloat* out;

  template <class D>
  HWY_INLINE void turn(D d, hn::Vec<D> c, hn::Vec<D> s, const Bfloat* from, Bfloat* to) const {
    hn::Vec<D> x, y;
    load_pairs(d, from, x, y);
    store_pairs(d, hn::MulSub(x, c, hn::Mul(y, s)), hn::MulAdd(y, c, hn::Mul(x, s)), to);
  }

  HWY_INLINE void fetch(const Bfloat* ahead) const { __builtin_prefetch(ahead); }
};

template <typename Element>
struct Spread {  // y after x where read, apart where written, index counts pairs
  using Type = Element;
  static constexpr std::int64_t kIn = 2, kOut = 1;
  static constexpr std::size_t kMinLanes = 1;
  static constexpr bool kZipped = false;
  const float *cos, *sin;
  const Element* in;
  Element* out;
  std::int64_t half_out;

  template <class D>
  HWY_INLINE void turn(D d, hn::Vec<D> c, hn::Vec<D> s, const Element* from, Element* to) const {
    hn::Vec<D> x, y;
    load_pairs(d, from, x, y);
    store_apart(d, hn::MulSub(x, c, hn::Mul(y, s)), hn::MulAdd(y, c, hn::Mul(x, s)), to, to + half_out);
  }

  HWY_INLINE void fetch(const Element* ahead) const { __builtin_prefetch(ahead); }
};

// Two vectors of one head; what they read is fetched `ahead` elements further, which may lie past the tensor.
template <class Operation, class D>
HWY_INLINE void turn_two(const Operation& operation, D d, hn::Vec<D> c0, hn::Vec<D> c1, hn::Vec<D> s0, hn::Vec<D> s1,
                         const typename Operation::Type* from, typename Operation::Type* to, std::int64_t ahead) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  constexpr std::int64_t kLine = kCacheLine / sizeof(*from);
  for (std::int64_t i = 0; i < 2 * lanes * Operation::kIn; i += kLine) operation.fetch(from + ahead + i);
  if constexpr (Operation::kZipped) {
    operation.turn_zipped(d, c0, c1, s0, s1, from, to);
  } else {
    operation.turn(d, c0, s0, from, to);
    operation.turn(d, c1, s1, from + lanes * Operation::kIn, to + lanes * Operation::kOut);
  }
}

// Turn vectors of every head, whose cos and sin are read once. They have names because vectors of a scalable size
// cannot lie in an array.
template <class Operation, class D>
HWY_INLINE void turn_by_four(const Operation& operation, D d, std::int64_t i, const Walk& walk) {
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const float* cos = operation.cos + i;
  const float* sin = operation.sin + i;
  const auto c0 = hn::LoadU(d, cos);
  const auto c1 = hn::LoadU(d, cos + lanes);
  const auto c2 = hn::LoadU(d, cos + 2 * lanes);
  const auto c3 = hn::LoadU(d, cos + 3 * lanes);
  const auto s0 = hn::LoadU(d, sin);
  const auto s1 = hn::LoadU(d, sin + lanes);
  const auto s2 = hn::LoadU(d, sin + 2 * lanes);
  const auto s3 = hn::LoadU(d, sin + 3 * lanes);
  const auto* from = operation.in + i * Operation::kIn;
  auto* to = operation.out + i * Operation::kOut;
  for (std::int64_t head = 0; head < walk.heads; ++head, from += walk.in_stride, to += walk.out_stride) {
    turn_two(operation, d, c0, c1, s0, s1, from, to, walk.ahead);
    turn_two(operation, d, c2, c3, s2, s3, from + 2 * lanes * Operation::kIn, to + 2 * lanes * Operation::kOut,
             walk.ahead);
  }
}

template <class Operation, class D>
HWY_INLINE void turn_by_two(const Operation& operation, D d, std::int64_t i, const Walk& walk) {
  const auto c0 = hn::LoadU(d, operation.cos + i);
  const auto c1 = hn::LoadU(d, operation.cos + i + hn::Lanes(d));
  const auto s0 = hn::LoadU(d, operation.sin + i);
  const auto s1 = hn::LoadU(d, operation.sin + i + hn::Lanes(d));
  const auto* from = operation.in + i * Operation::kIn;
  auto* to = operation.out + i * Operation::kOut;
  for (std::int64_t head = 0; head < walk.heads; ++head, from += walk.in_stride, to += walk.out_stride) {
    turn_two(operation, d, c0, c1, s0, s1, from, to, walk.ahead);
  }
}

template <class Operation, class D>
HWY_INLINE void turn_by_one(const Operation& operation, D d, std::int64_t i, const Walk& walk) {
  const auto c = hn::LoadU(d, operation.cos + i);
  const auto s = hn::LoadU(d, operation.sin + i);
  const auto* from = operation.in + i * Operation::kIn;
  auto* to = operation.out + i * Operation::kOut;
  for (std::int64_t head = 0; head < walk.heads; ++head, from += walk.in_stride, to += walk.out_stride) {
    operation.fetch(from + walk.ahead);
    operation.turn(d, c, s, from, to);
  }
}

constexpr std::size_t kMaxLanes = HWY_MAX_BYTES / sizeof(float);

// Calls function(d, i) for a vector of kLanes from i on, after all longer ones that fit: where vectors have a fixed
// size, for one at most.
template <std::size_t kLanes, class Function>
HWY_INLINE std::int64_t for_shorter_vectors(std::int64_t i, std::int64_t end, const Function& function) {
  if constexpr (kLanes < kMaxLanes) {
    const hn::CappedTag<float, kLanes> d;
    const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
#if HWY_HAVE_SCALABLE
    for (; i + lanes <= end; i += lanes) function(d, i);
#else
    if ((end & lanes) != 0) {
      function(d, i);
      i += lanes;
    }
#endif
  }
  return i;
}

// Calls function(d, i) for all lanes from i to end, in vectors of kMinLanes or more.
template <std::size_t kMinLanes, class Function>
HWY_INLINE void for_each_vector(std::int64_t i, std::int64_t end, const Function& function) {
  const hn::CappedTag<float, kMaxLanes> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  for (; i + lanes <= end; i += lanes) function(d, i);
  if (i == end) return;
  i = for_shorter_vectors<8>(i, end, function);
  i = for_shorter_vectors<4>(i, end, function);
  i = for_shorter_vectors<2>(i, end, function);
  if constexpr (kMinLanes == 1) for_shorter_vectors<1>(i, end, function);
}

template <class Operation>
HWY_NOINLINE void turn_rest(const Operation& operation, std::int64_t i, std::int64_t end, const Walk& walk) {
  for_each_vector<Operation::kMinLanes>(i, end,
                                        [&](auto d, std::int64_t j) HWY_ATTR { turn_by_one(operation, d, j, walk); });
}

template <class Operation>
HWY_INLINE void turn_all(const Operation& operation, std::int64_t end, const Walk& walk) {
  const hn::CappedTag<float, kMaxLanes> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + 4 * lanes <= end; i += 4 * lanes) turn_by_four(operation, d, i, walk);
  if (i + 2 * lanes <= end) {
    turn_by_two(operation, d, i, walk);
    i += 2 * lanes;
  }
  if (i < end) turn_rest(operation, i, end, walk);
}

// Whether the row has an entry for each element, which spares f32 and f16 a shuffle.
bool is_doubled(const HostCall& call) {
  return call.block_out == 2 && call.data_type != hiprope_bf16;
}

// Whether the row is as turn_zipped takes it.
bool is_zipped(const HostCall& call) {
  return call.block_in != 2 && call.data_type == hiprope_bf16;
}

template <typename Element>
void rotate_heads(const HostCall& call, const Row& row, const Heads& heads) {
  const std::int64_t half_in = call.block_in / 2;
  const std::int64_t half_out = call.block_out / 2;
  const std::int64_t pairs = call.rotary_dim / 2;
  const auto* in = static_cast<const Element*>(heads.in);
  auto* out = static_cast<Element*>(heads.out);
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(hn::CappedTag<float, kMaxLanes>()));
  const std::int64_t count = std::max<std::int64_t>(heads.count, 1);
  const std::int64_t stride = std::max<std::int64_t>(heads.in_stride, 1);
  const std::int64_t group = std::clamp<std::int64_t>(kGroup * lanes / stride, 1, count);
  const std::int64_t ahead = std::clamp<std::int64_t>(kAhead / call.rotary_dim, 1, count) * heads.in_stride;
  for (std::int64_t head = 0; head < heads.count; head += group) {
    const Walk walk = {std::min(heads.count - head, group), heads.in_stride, heads.out_stride, ahead};
    if (half_out == 1) {
      turn_all(Adjacent<Element>{row.cos, row.sin, in, out}, is_doubled(call) ? call.rotary_dim : pairs, walk);
    } else if (half_in == 1) {
      for (std::int64_t j = 0; j < pairs; j += half_out) {
        turn_all(Spread<Element>{row.cos + j, row.sin + j, in + 2 * j, out + 2 * j, half_out}, half_out, walk);
      }
    } else {
      for (std::int64_t first = 0; first < pairs; first += half_out) {
        for (std::int64_t j = first; j < first + half_out; j += half_in) {
          turn_all(Apart<Element>{row.cos + j, row.sin + j, in + 2 * j, out + first + j, half_in, half_out}, half_in,
                   walk);
        }
      }
    }
    in += group * heads.in_stride;
    out += group * heads.out_stride;
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

// (c, c) and (-s, s) of each pair.
void double_angles(const float* cos, const float* sin, std::int64_t pairs, float sin_sign, Row& row) {
  for_each_vector<1>(0, pairs, [&](auto d, std::int64_t i) HWY_ATTR {
    const auto c = hn::LoadU(d, cos + i);
    const auto s = hn::Mul(hn::LoadU(d, sin + i), hn::Set(d, sin_sign));
    hn::StoreInterleaved2(c, c, d, row.cos + 2 * i);
    hn::StoreInterleaved2(hn::Neg(s), s, d, row.sin + 2 * i);
  });
}

void copy_angles(const float* cos, const float* sin, std::int64_t pairs, float sin_sign, float* to_cos, float* to_sin) {
  for_each_vector<1>(0, pairs, [&](auto d, std::int64_t i) HWY_ATTR {
    hn::StoreU(hn::LoadU(d, cos + i), d, to_cos + i);
    hn::StoreU(hn::Mul(hn::LoadU(d, sin + i), hn::Set(d, sin_sign)), d, to_sin + i);
  });
}

// Of each two vectors' pairs first the even, then the odd.
void zip_angles(const float* cos, const float* sin, std::int64_t pairs, float sin_sign, float* to_cos, float* to_sin) {
  const hn::CappedTag<float, kMaxLanes> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  const auto sign = hn::Set(d, sin_sign);
  std::int64_t i = 0;
  for (; i + 2 * lanes <= pairs; i += 2 * lanes) {
    hn::Vec<decltype(d)> even, odd;
    hn::LoadInterleaved2(d, cos + i, even, odd);
    hn::StoreU(even, d, to_cos + i);
    hn::StoreU(odd, d, to_cos + i + lanes);
    hn::LoadInterleaved2(d, sin + i, even, odd);
    hn::StoreU(hn::Mul(even, sign), d, to_sin + i);
    hn::StoreU(hn::Mul(odd, sign), d, to_sin + i + lanes);
  }
  copy_angles(cos + i, sin + i, pairs - i, sin_sign, to_cos + i, to_sin + i);
}

void prepare(const HostCall& call, Row& row) {
  alignas(64) float gathered[kMaxVectorRotaryDim];
  const std::int64_t pairs = call.rotary_dim / 2;
  const float* cos = table_entry(call, row, 0);
  if (call.axis_of_pair != nullptr) {
    const float* rows[kMaxAxes];
    for (int axis = 0; axis < call.axes; ++axis) rows[axis] = call.table + row.position[axis] * call.rotary_dim;
    for (std::int64_t j = 0; j < pairs; ++j) {
      const float* const entry = rows[call.axis_of_pair[j]] + j;
      gathered[j] = entry[0];
      gathered[pairs + j] = entry[pairs];
    }
    cos = gathered;
  }
  const float* const sin = cos + pairs;
  if (is_doubled(call)) return double_angles(cos, sin, pairs, call.sin_sign, row);
  if (!is_zipped(call)) return copy_angles(cos, sin, pairs, call.sin_sign, row.cos, row.sin);
  const std::int64_t block = call.block_in / 2;
  for (std::int64_t j = 0; j < pairs; j += block) {
    zip_angles(cos + j, sin + j, block, call.sin_sign, row.cos + j, row.sin + j);
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
