// Launch planning: the divisors, the choice of a kernel by alignment, and grids that cover every item once.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

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

TEST(FactorRows, MakeThePositionAndAreNoMoreThanTheTablesHave) {
  Random random(run_seed());
  std::vector<std::uint32_t> positions{0, 7, 8, 2047, 2048, 2055, 4095, 131071, kEnd - 2048, kEnd - 1};
  for (int i = 0; i < 100000; ++i) positions.push_back(static_cast<std::uint32_t>(random.bits() >> 33));
  for (const std::uint32_t position : positions) {
    ASSERT_EQ(coarse_position(coarse_row(position)) + fine_position(fine_row(position)), position);
    ASSERT_LT(fine_row(position), fine_rows(position));
    ASSERT_LT(coarse_row(position), coarse_rows(position));
    ASSERT_LE(fine_rows(position), kFineRows);
    ASSERT_LE(coarse_rows(position), position / 256 + 8) << "include/hiprope/hiprope.h says how much memory they take";
  }
}

// The plan of a case; the Rope lives as long as it.
struct Planned {
  explicit Planned(const Case& given, const char* architecture = "cpu") : c(given), rope(c.config, Device::cpu()) {
    const_cast<hiprope_rope*>(rope.get())->tuning_rows = internal::find_tuning_rows(architecture);
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
        const std::int64_t wanted = bytes == 0 ? 16 : bytes & -bytes;
        EXPECT_EQ(Planned(build(draft)).variant().access_bytes, wanted) << bytes;
      }
    }
  }
}

TEST(LaunchPlan, PartsOfAHeadChooseTheWidth) {
  // half of rotary_dim is 24, 36, 34, 33 elements of 2 bytes
  EXPECT_EQ(Planned(build(draft_of(DataType::bf16, 128, 48))).variant().access_bytes, 16);
  EXPECT_EQ(Planned(build(draft_of(DataType::bf16, 128, 72))).variant().access_bytes, 8);
  EXPECT_EQ(Planned(build(draft_of(DataType::bf16, 128, 68))).variant().access_bytes, 4);
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

TEST(LaunchPlan, OnePositionForAllAxesTakesKernelsOfOneAxis) {
  Draft draft = draft_of(DataType::bf16);
  draft.config.axes = 3;
  draft.config.sections = {16, 24, 24};
  EXPECT_EQ(Planned(build(draft), "sm_90").variant().angles, AngleInput::of_1a) << "ids on one axis";
  draft.position_axes = 3;
  EXPECT_EQ(Planned(build(draft), "sm_90").variant().angles, AngleInput::of_3a) << "ids on three";
  draft.position_axes = 1;
  draft.ids_bytes = 0;
  EXPECT_EQ(Planned(build(draft), "sm_90").variant().angles, AngleInput::of_1a) << "positions from a start";
}

// Where a kernel multiplies them: not on AMD.
TEST(LaunchPlan, LargeLaunchesMultiplyFactorsOnOneAxisAndOnThree) {
  const auto has_kernel = [](AngleInput angles) {
    return std::any_of(internal::kVariants, internal::kVariants + internal::kVariantCount,
                       [&](const internal::VariantRow& row) { return row.angles == angles; });
  };
  for (const auto& [axes, factors, table] : {std::tuple{1, AngleInput::of_1f, AngleInput::of_1a},
                                             {3, AngleInput::of_3f, AngleInput::of_3a},
                                             {4, AngleInput::of_4a, AngleInput::of_4a}}) {
    Draft draft = draft_of(DataType::bf16);
    draft.config.axes = axes;
    draft.config.axis_layout = AxisLayout::round_robin;
    draft.position_axes = axes;
    draft.q_heads = draft.k_heads = 8;
    for (const Pairing pairing : {Pairing::half_split, Pairing::interleaved}) {
      draft.config.pairing = pairing;
      SCOPED_TRACE(fmt::format("{} axes, {}", axes, pairing == Pairing::half_split ? "half_split" : "interleaved"));
      draft.tokens = 65536;
      EXPECT_EQ(Planned(build(draft), "sm_90").variant().angles, has_kernel(factors) ? factors : table);
      EXPECT_EQ(Planned(build(draft), "sm_80").variant().angles, table) << "float64 is slow there, or not measured";
      Draft float32_angles = draft;
      float32_angles.config.angles = Angles::float32;
      EXPECT_EQ(Planned(build(float32_angles), "sm_90").variant().angles, table) << "they have no factors";
      draft.tokens = 1;
      EXPECT_EQ(Planned(build(draft), "sm_90").variant().angles, table);
    }
  }
}

TEST(LaunchPlan, NarrowAccessesOfFourAxesHaveAKernel) {
  for (const auto& [rotary_dim, bytes] : {std::pair{128, 16}, {72, 8}, {68, 4}, {66, 2}}) {
    Draft draft = draft_of(DataType::bf16, 128, rotary_dim);
    draft.q_heads = 8;
    draft.config.axes = 4;
    draft.config.axis_layout = AxisLayout::round_robin;
    draft.position_axes = 4;
    for (const Pairing pairing : {Pairing::half_split, Pairing::interleaved}) {
      draft.config.pairing = pairing;
      for (const char* architecture : {"sm_90", "cpu"}) {  // which take two accesses a thread, and four
        const internal::VariantRow& variant = Planned(build(draft), architecture).variant();
        EXPECT_EQ(variant.angles, AngleInput::of_4a);
        EXPECT_EQ(variant.access_bytes, pairing == Pairing::half_split ? bytes : std::min(16, 2 * bytes));
      }
    }
  }
}

// By as many as a kernel of them takes: four, on AMD two.
TEST(LaunchPlan, NarrowHeadsThatAreCopiedGoTogetherInLargeLaunches) {
  std::int32_t most = 0;
  for (int i = 0; i < internal::kVariantCount; ++i) {
    const internal::VariantRow& row = internal::kVariants[i];
    if (row.data_type == hiprope_bf16 && row.layout == internal::Layout::half_split && row.access_bytes == 8 &&
        row.angles == AngleInput::of_1a) {
      most = std::max(most, row.heads_per_thread);
    }
  }
  Draft draft = draft_of(DataType::bf16, 96, 24);
  draft.q_heads = draft.k_heads = 8;
  draft.tokens = 65536;
  EXPECT_EQ(Planned(build(draft), "sm_90").variant().heads_per_thread, 1);
  draft.out_of_place = true;
  EXPECT_EQ(Planned(build(draft), "sm_90").variant().heads_per_thread, most);
  draft.tokens = 1;
  EXPECT_EQ(Planned(build(draft), "sm_90").variant().heads_per_thread, 1);
}

// Every item below the grid's end is some thread's, and the index of the last thread stays below 2^31.
TEST(LaunchPlan, GridsCoverTheItemsWithin31Bits) {
  for (const std::int64_t tokens :
       {std::int64_t{1}, std::int64_t{1} << 20, std::int64_t{1} << 27, std::int64_t{1} << 33}) {
    for (const std::int64_t heads : {1, 33, 128}) {
      Case c = build(draft_of(DataType::bf16));
      const Rope rope(c.config, Device::cpu());
      internal::CheckedCall call;
      TensorView view = TensorView::thd(reinterpret_cast<void*>(std::uintptr_t{1} << 40), c.type, tokens, heads, 128);
      call.tensors = 1;
      call.in[0] = call.out[0] = view;
      internal::LaunchPlan plan{};
      ASSERT_EQ(internal::plan_launch(*rope.get(), call, plan), hiprope_ok) << hiprope_last_error();
      const KernelParams& p = plan.params;
      const std::int64_t threads = std::int64_t{plan.blocks} * p.block_threads;
      const std::int64_t items = p.chunk_tokens * p.head_groups * p.rotate_units;
      EXPECT_EQ(p.copy_units, 0) << "in place nothing is copied";
      EXPECT_GE(threads, items);
      EXPECT_LT(threads - items, p.block_threads);
      EXPECT_LE(threads, std::int64_t{1} << 31);
      EXPECT_GE(p.chunk_tokens, 1);
      EXPECT_LE(p.chunk_tokens, tokens);
      const std::int64_t most_items = (std::int64_t{1} << 31) - 1024;
      const bool fits = tokens * p.head_groups * p.rotate_units <= most_items;
      EXPECT_EQ(p.chunk_tokens == tokens, fits) << "as many tokens as fit go into one chunk";
      EXPECT_EQ(p.q_heads + p.k_heads, heads);
    }
  }
}

TEST(LaunchPlan, GridsOfCopyingLaunchesStayWithin31Bits) {
  Case c = build(draft_of(DataType::bf16, 128, 64));
  const Rope rope(c.config, Device::cpu());
  for (const std::int64_t tokens : {std::int64_t{1}, std::int64_t{1} << 20, std::int64_t{1} << 27}) {
    for (const std::int64_t heads : {1, 33, 128}) {
      internal::CheckedCall call;
      call.tensors = 1;
      call.in_place = false;
      call.in[0] = TensorView::thd(reinterpret_cast<void*>(std::uintptr_t{1} << 40), c.type, tokens, heads, 128);
      call.out[0] = TensorView::thd(reinterpret_cast<void*>(std::uintptr_t{1} << 50), c.type, tokens, heads, 128);
      internal::LaunchPlan plan{};
      ASSERT_EQ(internal::plan_launch(*rope.get(), call, plan), hiprope_ok) << hiprope_last_error();
      const KernelParams& p = plan.params;
      ASSERT_EQ(p.rotate_units, 4);
      ASSERT_EQ(p.copy_units, 4);
      const std::int64_t threads = std::int64_t{plan.blocks} * p.block_threads;
      EXPECT_GE(threads, p.chunk_tokens * p.head_groups * 8);
      EXPECT_LE(threads, std::int64_t{1} << 31);
      EXPECT_GE(plan.chunks * p.chunk_tokens, tokens);
    }
  }
}

// 24 of 96 elements turn, so pairs are 24 elements apart and allow 8 bytes: 3 units of two vectors, and 9 of what
// passes.
TEST(LaunchPlan, PassThroughElementsAreUnitsOutOfPlace) {
  Draft draft = draft_of(DataType::bf16, 96, 24);
  draft.out_of_place = true;
  const Planned planned(build(draft));
  const KernelParams& p = planned.launch.plan.params;
  EXPECT_EQ(planned.variant().access_bytes, 8);
  EXPECT_EQ(p.rotate_units, 3);
  EXPECT_EQ(p.copied_vectors, 18);
  EXPECT_EQ(p.copy_units, 9);
  const std::int64_t items = draft.tokens * p.head_groups * 12;
  EXPECT_EQ(planned.launch.plan.blocks, (items + p.block_threads - 1) / p.block_threads);
}

// What passes is 3 vectors of 16 bytes, units have two.
TEST(LaunchPlan, AnOddNumberOfCopiedVectorsTakesAUnitMore) {
  Draft draft = draft_of(DataType::bf16, 88, 64);
  draft.out_of_place = true;
  const Planned planned(build(draft));
  EXPECT_EQ(planned.variant().access_bytes, 16);
  EXPECT_EQ(planned.launch.plan.params.copied_vectors, 3);
  EXPECT_EQ(planned.launch.plan.params.copy_units, 2);
}

TEST(LaunchPlan, GroupsThatNoTensorFillsByMoreThanHalfAreSmaller) {
  const auto heads_per_thread = [](std::int32_t q_heads, std::int32_t k_heads, Pairing pairing) {
    Draft draft = draft_of(DataType::bf16);
    draft.config.pairing = pairing;
    draft.q_heads = q_heads;
    draft.k_heads = k_heads;
    return Planned(build(draft)).variant().heads_per_thread;
  };
  EXPECT_EQ(heads_per_thread(8, 1, Pairing::half_split), 2);
  EXPECT_EQ(heads_per_thread(2, 1, Pairing::half_split), 2);
  EXPECT_EQ(heads_per_thread(1, 1, Pairing::half_split), 1);
  EXPECT_EQ(heads_per_thread(8, 1, Pairing::interleaved), 4);
  EXPECT_EQ(heads_per_thread(3, 1, Pairing::interleaved), 4);
  EXPECT_EQ(heads_per_thread(1, 2, Pairing::interleaved), 2);
}

// Of heads of 192 bytes 64, 128 or all turn.
TEST(LaunchPlan, LinesUsedInPartHaveChoicesOfTheirOwn) {
  const auto plan = [](std::int32_t rotary_dim, std::int64_t tokens, Pairing pairing = Pairing::half_split) {
    Draft draft = draft_of(DataType::bf16, 96, rotary_dim);
    draft.config.pairing = pairing;
    draft.tokens = tokens;
    draft.q_heads = draft.k_heads = 64;
    return Planned(build(draft), "sm_90");
  };
  constexpr std::int64_t tokens = 8192;
  EXPECT_EQ(plan(32, tokens).variant().heads_per_thread, 1);
  EXPECT_EQ(plan(32, tokens, Pairing::interleaved).variant().heads_per_thread, 2) << "of one access each";
  EXPECT_EQ(plan(32, tokens).launch.plan.params.ahead, Ahead::angles) << "half of a line would be read in vain";
  EXPECT_EQ(plan(32, 1).launch.plan.params.ahead, Ahead::heads) << "short: latency counts, not bytes";
  EXPECT_EQ(plan(64, tokens).launch.plan.params.ahead, Ahead::angles) << "a line's 128 bytes lie in two";
  EXPECT_EQ(plan(64, tokens).variant().heads_per_thread, 2);
  EXPECT_EQ(plan(96, tokens).launch.plan.params.ahead, Ahead::lines) << "heads follow each other";
}

TEST(LaunchPlan, WhatGoesAheadIsAChoiceOfTheTuning) {
  const auto ahead = [](const char* architecture, std::int64_t tokens, bool out_of_place = false) {
    Draft draft = draft_of(DataType::bf16, 96, 24);
    draft.tokens = tokens;
    draft.q_heads = draft.k_heads = 64;
    draft.out_of_place = out_of_place;
    return Planned(build(draft), architecture).launch.plan.params.ahead;
  };
  EXPECT_EQ(ahead("sm_90", 1), Ahead::heads);
  EXPECT_EQ(ahead("sm_90", 8192), Ahead::nothing);
  EXPECT_EQ(ahead("sm_90", 1, true), Ahead::lines) << "all of a head is copied, and heads follow each other";
  EXPECT_EQ(ahead("sm_90", 8192, true), Ahead::nothing);
  EXPECT_EQ(ahead("gfx942", 1), Ahead::nothing);
  Draft one_axis = draft_of(DataType::bf16);
  one_axis.tokens = 512;
  one_axis.q_heads = 64;
  one_axis.k_heads = 8;
  EXPECT_EQ(Planned(build(one_axis), "sm_90").launch.plan.params.ahead, Ahead::angles)
      << "a launch a little larger than the card";
  const Environment angles("HIPROPE_TUNING", "ahead=angles");
  EXPECT_EQ(ahead("gfx942", 1), Ahead::angles);
  EXPECT_EQ(ahead("sm_90", 1), Ahead::angles);
  const Environment lines("HIPROPE_TUNING", "ahead=lines");
  EXPECT_EQ(ahead("gfx942", 1), Ahead::heads) << "heads end within lines";
  EXPECT_EQ(ahead("sm_90", 8192, true), Ahead::lines);
}

// A compute unit takes a block, so the blocks of a token are how many units it uses; bench/README.md has these figures.
TEST(LaunchPlan, ATokenSpreadsOverComputeUnitsOnAmd) {
  struct {
    const char* shape;
    std::int32_t head_dim, rotary_dim, q_heads, k_heads;
    Pairing pairing;
    std::uint32_t wave64, wave32;  // blocks
  } constexpr kShapes[] = {{"llama3-8b", 128, 128, 32, 8, Pairing::half_split, 5, 10},
                           {"llama3-70b", 128, 128, 64, 8, Pairing::half_split, 9, 18},
                           {"qwen3-0.6b", 128, 128, 16, 8, Pairing::half_split, 3, 6},
                           {"glm4", 128, 64, 32, 2, Pairing::interleaved, 3, 5},
                           {"neox-20b", 96, 24, 64, 64, Pairing::half_split, 6, 12},
                           {"dsv3-mla", 64, 64, 128, 1, Pairing::interleaved, 9, 17},
                           {"gemma", 256, 256, 8, 4, Pairing::half_split, 3, 6}};
  for (const auto& shape : kShapes) {
    Draft draft = draft_of(DataType::bf16, shape.head_dim, shape.rotary_dim);
    draft.config.pairing = shape.pairing;
    draft.tokens = 1;
    draft.q_heads = shape.q_heads;
    draft.k_heads = shape.k_heads;
    for (const auto& [architecture, blocks] : {std::pair{"gfx942", shape.wave64}, {"gfx1100", shape.wave32}}) {
      Planned planned(build(draft), architecture);
      EXPECT_EQ(planned.launch.plan.blocks, blocks) << shape.shape << " on " << architecture;
    }
  }
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
  EXPECT_EQ(internal::plan_launch(*rope.get(), call, plan), hiprope_error_too_large);
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
