// Launch planning: the divisors, the choice of a kernel by alignment, and grids that cover every item once.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/host/kernel_body.h"
#include "tests/support/cases.h"
#include "tests/support/environment.h"
#include "tests/support/property.h"

namespace hiprope::test {
namespace {

constexpr std::uint32_t kEnd = std::uint32_t{1} << 31;

TEST(Divisor, SmallDivisorsOfBoundariesAndRandomNumbers) {
  Random random(run_seed());
  for (std::uint32_t d = 1; d <= 70000; ++d) {
    const Divisor divisor = make_divisor(d);
    const std::uint32_t last = (kEnd - 1) / d * d;
    for (const std::uint32_t n : {0U, 1U, d - 1, d, d + 1, last - 1, last, kEnd - 1, kEnd - 2}) {
      if (n >= kEnd) continue;
      ASSERT_EQ(divide(n, divisor), n / d) << n << " / " << d;
    }
    for (int i = 0; i < 20; ++i) {
      const auto n = static_cast<std::uint32_t>(random.bits() >> 33);
      ASSERT_EQ(divide(n, divisor), n / d) << n << " / " << d;
      const std::uint32_t multiple = n / d * d;
      ASSERT_EQ(divide(multiple, divisor), multiple / d) << multiple << " / " << d;
      if (multiple == 0) continue;
      ASSERT_EQ(divide(multiple - 1, divisor), (multiple - 1) / d) << multiple - 1 << " / " << d;
    }
  }
}

TEST(Divisor, LargeDivisors) {
  Random random(run_seed());
  for (int i = 0; i < 300000; ++i) {
    const std::uint32_t d = i < 64 ? kEnd - 1 - static_cast<std::uint32_t>(i)
                                   : static_cast<std::uint32_t>(random.between(1, kEnd - 1)) >> random.between(0, 30);
    if (d == 0) continue;
    const Divisor divisor = make_divisor(d);
    const auto n = static_cast<std::uint32_t>(random.bits() >> 33);
    for (const std::uint32_t m : {n, n / d * d, kEnd - 1}) ASSERT_EQ(divide(m, divisor), m / d) << m << " / " << d;
  }
}

// The plan of a case; the Rope lives as long as it.
struct Planned {
  explicit Planned(const Case& given, std::int32_t compute_units = 132) : c(given), rope(c.config, Device::cpu()) {
    const_cast<hiprope_rope*>(rope.get())->compute_units = compute_units;
    // Made-up addresses: no memory is looked at.
    const auto address = [](std::size_t i) { return reinterpret_cast<std::byte*>((i + 1) << 44); };
    std::array<std::byte*, kBuffers> bases;
    for (std::size_t i = 0; i < bases.size(); ++i) bases[i] = address(i);
    EXPECT_EQ(plan_case(c, *rope.get(), bases, address(kBuffers), launch), hiprope_ok) << hiprope_last_error();
  }
  const internal::VariantRow& variant() const { return internal::kVariants[launch.plan.variant]; }
  Case c;
  Rope rope;
  BodyLaunch launch;
};

Draft draft_of(DataType type, std::int32_t head_dim = 128, std::int32_t rotary_dim = 0) {
  Draft draft;
  draft.config.head_dim = head_dim;
  draft.config.rotary_dim = rotary_dim;
  draft.config.max_positions = 16;
  draft.type = type;
  draft.k_heads = 1;
  return draft;
}

TEST(LaunchPlan, AlignmentChoosesTheWidth) {
  for (const DataType type : {DataType::f32, DataType::f16, DataType::bf16}) {
    const int element = format_of(type).bytes;
    for (const bool out_of_place : {false, true}) {
      for (std::int64_t shift = 0; shift < 16 / element; ++shift) {
        Draft draft = draft_of(type);
        draft.out_of_place = out_of_place;
        draft.shift = shift;
        const std::int64_t bytes = shift * element;
        const std::int64_t aligned = bytes == 0 ? 16 : bytes & -bytes;
        const std::int64_t least = type == DataType::f32 ? 16 : 8;  // wider than an element
        const std::int64_t wanted = aligned >= least ? aligned : element;
        EXPECT_EQ(Planned(build(draft)).variant().access_bytes, wanted) << bytes;
      }
    }
  }
}

TEST(LaunchPlan, PartsOfAHeadChooseTheWidth) {
  // half of rotary_dim is 24, 36, 34, 33 elements of 2 bytes
  EXPECT_EQ(Planned(build(draft_of(DataType::bf16, 128, 48))).variant().access_bytes, 16);
  EXPECT_EQ(Planned(build(draft_of(DataType::bf16, 128, 72))).variant().access_bytes, 8);
  EXPECT_EQ(Planned(build(draft_of(DataType::bf16, 128, 68))).variant().access_bytes, 2) << "there is none of 4 bytes";
  EXPECT_EQ(Planned(build(draft_of(DataType::bf16, 128, 66))).variant().access_bytes, 2);
  // What passes through matters only where it is copied.
  Draft odd = draft_of(DataType::f16, 133, 64);
  odd.q_heads = 1;
  odd.tokens = 1;
  EXPECT_EQ(Planned(build(odd)).variant().access_bytes, 16);
  odd.out_of_place = true;
  EXPECT_EQ(Planned(build(odd)).variant().access_bytes, 2);
}

TEST(LaunchPlan, AStrideOrAPointerOfOneTensorIsEnough) {
  Case c = build(draft_of(DataType::bf16));
  EXPECT_EQ(Planned(c).variant().access_bytes, 16);
  Case shifted = c;
  shifted.k->offset += 1;
  EXPECT_EQ(Planned(shifted).variant().access_bytes, 2);
  Case strided = c;
  strided.q.token_stride += 4;
  EXPECT_EQ(Planned(strided).variant().access_bytes, 8);
  strided.tokens = 1;
  EXPECT_EQ(Planned(strided).variant().access_bytes, 16) << "the stride of a single token is never taken";
}

TEST(LaunchPlan, OnePositionForAllAxesIsReadOnce) {
  Draft draft = draft_of(DataType::bf16);
  draft.config.axes = 3;
  draft.config.sections = {16, 24, 24};
  EXPECT_EQ(Planned(build(draft)).launch.plan.params.axes, 1) << "ids on one axis";
  draft.position_axes = 3;
  EXPECT_EQ(Planned(build(draft)).launch.plan.params.axes, 3) << "ids on three";
  draft.position_axes = 1;
  draft.ids_bytes = 0;
  EXPECT_EQ(Planned(build(draft)).launch.plan.params.axes, 1) << "positions from a start";
}

// One rule for every card: what a compute unit has to do decides, not the name of the card.
TEST(LaunchPlan, LargeLaunchesTakeTwoHeadsAThread) {
  for (const Pairing pairing : {Pairing::half_split, Pairing::interleaved}) {
    Draft draft = draft_of(DataType::bf16);
    draft.config.pairing = pairing;
    draft.q_heads = 32;
    draft.k_heads = 8;
    draft.tokens = 1;
    EXPECT_EQ(Planned(build(draft)).variant().heads, 1);
    draft.tokens = 16384;
    EXPECT_EQ(Planned(build(draft)).variant().heads, 2);
    EXPECT_EQ(Planned(build(draft), 100000).variant().heads, 1) << "a card that no launch fills";
  }
}

TEST(LaunchPlan, TheEnvironmentOverridesTheRule) {
  Draft draft = draft_of(DataType::bf16);
  draft.q_heads = 32;
  const Environment tuning("HIPROPE_TUNING", "accesses=4,block=96");
  const Planned planned(build(draft));
  EXPECT_EQ(planned.variant().heads, 2);
  EXPECT_EQ(planned.launch.plan.params.block_items * planned.launch.plan.params.block_tokens, 96);
}

// Every item of every token is some thread's, and the index of the last thread stays below 2^31.
TEST(LaunchPlan, GridsCoverTheItemsWithin31Bits) {
  for (const std::int64_t tokens :
       {std::int64_t{1}, std::int64_t{1} << 20, std::int64_t{1} << 27, std::int64_t{1} << 33}) {
    for (const std::int64_t heads : {1, 33, 128}) {
      for (const bool in_place : {true, false}) {
        const Case c = build(draft_of(DataType::bf16, 128, 64));
        const Rope rope(c.config, Device::cpu());
        internal::CheckedCall call;
        call.tensors = 1;
        call.in_place = in_place;
        const auto view = [&](std::uintptr_t at) {
          return TensorView::thd(reinterpret_cast<void*>(at << 40), c.type, tokens, heads, 128);
        };
        call.in[0] = view(1);
        call.out[0] = view(in_place ? 1 : 1024);
        internal::LaunchPlan plan{};
        std::int64_t first = 0;
        for (plan.tokens_left = tokens; plan.tokens_left > 0; first = tokens - plan.tokens_left) {
          ASSERT_EQ(internal::plan_launch(*rope.get(), call, first, plan), hiprope_ok) << hiprope_last_error();
          const KernelParams& p = plan.params;
          EXPECT_EQ(p.tiles, in_place ? 4U : 8U) << "in place nothing is copied";
          EXPECT_EQ(p.q.data - static_cast<char*>(call.in[0].data), first * heads * 128 * 2);
          EXPECT_GE(std::int64_t{p.item_blocks} * p.block_items, p.items);
          EXPECT_EQ(plan.blocks % p.item_blocks, 0U);
          EXPECT_GE(std::int64_t{plan.blocks} / p.item_blocks * p.block_tokens, p.tokens);
          EXPECT_LE(std::int64_t{plan.blocks} * p.block_items * p.block_tokens, std::int64_t{1} << 31);
          EXPECT_EQ(p.tokens + plan.tokens_left, tokens - first);
        }
      }
    }
  }
}

// 24 of 96 elements turn, so pairs are 12 elements apart and allow 8 bytes: 3 tiles of two vectors, and 9 of what
// passes.
TEST(LaunchPlan, PassThroughElementsAreTilesOutOfPlace) {
  Draft draft = draft_of(DataType::bf16, 96, 24);
  draft.out_of_place = true;
  const Planned planned(build(draft));
  const KernelParams& p = planned.launch.plan.params;
  EXPECT_EQ(planned.variant().access_bytes, 8);
  EXPECT_EQ(p.rotate_tiles, 3);
  EXPECT_EQ(p.passed, 72);
  EXPECT_EQ(p.tiles, 12);
}

// What passes is 3 vectors of 16 bytes, tiles have two.
TEST(LaunchPlan, AnOddNumberOfCopiedVectorsTakesATileMore) {
  Draft draft = draft_of(DataType::bf16, 88, 64);
  draft.out_of_place = true;
  const Planned planned(build(draft));
  EXPECT_EQ(planned.variant().access_bytes, 16);
  EXPECT_EQ(planned.launch.plan.params.tiles - planned.launch.plan.params.rotate_tiles, 2);
}

TEST(LaunchPlan, ATokenTooLargeForALaunchIsRefused) {
  Case c = build(draft_of(DataType::f32, 128));
  const Rope rope(c.config, Device::cpu());
  internal::CheckedCall call;
  call.tensors = 1;
  call.in[0] =
      TensorView::thd(reinterpret_cast<void*>(std::uintptr_t{1} << 40), c.type, 1, (std::int64_t{1} << 31) - 1, 128);
  call.out[0] = call.in[0];
  internal::LaunchPlan plan{};
  EXPECT_EQ(internal::plan_launch(*rope.get(), call, 0, plan), hiprope_error_too_large);
  EXPECT_NE(std::string(hiprope_last_error()).find("2147483647 heads"), std::string::npos) << hiprope_last_error();
}

// Each fits the interface; their sum is what a kernel counts. No memory is looked at.
TEST(LaunchPlan, HeadsOfQAndKTogetherPast31BitsAreRefused) {
  const Case c = build(draft_of(DataType::bf16, 2));
  const Rope rope(c.config, Device::cpu());
  const std::int64_t heads = (std::int64_t{1} << 31) - 2000;
  const auto q = TensorView::thd(reinterpret_cast<void*>(std::uintptr_t{1} << 40), c.type, 1, heads, 2);
  const auto k = TensorView::thd(reinterpret_cast<void*>(std::uintptr_t{1} << 50), c.type, 1, heads, 2);
  const Result result = apply_position_embeddings_cpu(rope, q, k, Positions::from(0));
  EXPECT_EQ(result.status(), hiprope_error_too_large);
  EXPECT_NE(result.message().find("q.heads and k.heads together exceed 2147483647"), std::string::npos)
      << result.message();
}

}  // namespace
}  // namespace hiprope::test
