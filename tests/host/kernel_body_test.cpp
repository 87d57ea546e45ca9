// The host-compiled kernel body: every kernel over the case table and over random cases, bit for bit with the CPU path.
#include "tests/host/kernel_body.h"

#include <gtest/gtest.h>

#include <cstdio>

#include <fmt/format.h>

#include "tests/support/cases.h"
#include "tests/support/oracle.h"
#include "tests/support/property.h"
#include "tests/support/relations.h"

namespace hiprope::test {

void PrintTo(const Group& group, std::ostream* stream) {
  *stream << group.name;
}

namespace {

class KernelBody : public testing::TestWithParam<Group> {};

TEST_P(KernelBody, EveryVariantHasTheCpuPathsBits) {
  for (const Case& c : GetParam().cases) EXPECT_EQ(body_mismatch(c), "") << describe(c);
}

TEST_P(KernelBody, PlannedKernelMatchesTheOracle) {
  for (const Case& c : GetParam().cases) {
    const Images before = make_images(c);
    Images after = before;
    const Rope rope(c.config, Device::cpu());
    ASSERT_EQ(run_body(c, rope, {}, after).status, hiprope_ok);
    EXPECT_EQ(oracle_mismatch(c, before, after), "") << describe(c);
  }
}

INSTANTIATE_TEST_SUITE_P(Table, KernelBody, testing::ValuesIn(case_groups()),
                         [](const auto& instance) { return instance.param.name; });

// Head sizes around every vector width, in every element type and pair layout.
TEST(KernelBodyEdges, SizesAroundTheVectorWidth) {
  for (const DataType type : {DataType::f32, DataType::f16, DataType::bf16}) {
    for (const Pairing pairing : {Pairing::half_split, Pairing::interleaved}) {
      for (std::int32_t half = 1; half <= 34; ++half) {
        for (std::int32_t rest = 0; rest <= 17; rest += half % 3 == 0 ? 1 : 4) {
          Draft draft;
          draft.name = "edge";
          draft.config.head_dim = 2 * half + rest;
          draft.config.rotary_dim = 2 * half;
          draft.config.rotary_offset = rest / 8 * 8;
          draft.config.pairing = pairing;
          draft.config.max_positions = 8;
          draft.type = type;
          draft.tokens = 2;
          draft.q_heads = 3;
          draft.k_heads = half % 2;
          draft.out_of_place = half % 2 == rest % 2;
          const Case c = build(draft);
          ASSERT_EQ(body_mismatch(c), "") << describe(c);
        }
      }
    }
  }
}

TEST(KernelBodyProperty, RandomCasesHaveTheCpuPathsBits) {
  const std::uint64_t seed = run_seed();
  const std::int64_t count = environment_number("HIPROPE_PROPERTY_CASES", 20000);
  std::printf("HIPROPE_SEED=%llu HIPROPE_PROPERTY_CASES=%lld\n", static_cast<unsigned long long>(seed),
              static_cast<long long>(count));
  EXPECT_EQ(check_property(body_mismatch, count, seed), "");
}

TEST(KernelBodyProperty, RandomCasesMatchTheOracleOnTheCpuPath) {
  const auto property = [](const Case& drawn) {
    Case c = drawn;
    if (!oracle_knows(c.config)) {
      c.config.scaling = {};
      c.config.angles = Angles::exact;
    }
    const Images before = make_images(c);
    Images after = before;
    const Outcome outcome = run_cpu(c, after);
    return outcome.status != hiprope_ok ? outcome.message : oracle_mismatch(c, before, after);
  };
  EXPECT_EQ(check_property(property, environment_number("HIPROPE_PROPERTY_CASES", 20000) / 4, run_seed() + 1), "");
}

// The kernels have the CPU path's bits in every case, so what holds between its calls holds between theirs.
std::string relation_mismatch(const Case& c) {
  const Images before = make_images(c);
  const Rope rope(c.config, Device::cpu());
  Images expected = before;
  if (const Outcome whole = run_cpu(c, rope, expected); whole.status != hiprope_ok) return whole.message;
  for (const auto& calls : {by_tensor(c), by_token(c)}) {
    Images images = before;
    for (const Case& one : calls) {
      if (const Outcome part = run_cpu(one, rope, images); part.status != hiprope_ok) return part.message;
    }
    if (const std::string fault = difference(c, expected, images); !fault.empty()) {
      return fmt::format("as {} calls: {}", calls.size(), fault);
    }
  }
  Moved moved = moved_apart(c, before);
  if (const Outcome apart = run_cpu(moved.c, rope, moved.before); apart.status != hiprope_ok) return apart.message;
  const std::string fault = difference(c, expected, moved_back(c, moved.before));
  return fault.empty() ? "" : "out of place: " + fault;
}

TEST(KernelBodyProperty, RandomCasesAreTheSameByTensorByTokenAndOutOfPlace) {
  EXPECT_EQ(check_property(relation_mismatch, environment_number("HIPROPE_PROPERTY_CASES", 20000), run_seed() + 2), "");
}

// A failure is reduced to a case that fails for the same reason and has nothing else in it.
TEST(KernelBodyProperty, ShrinkingKeepsTheCause) {
  const auto property = [](const Case& c) {
    return c.rotary_dim() >= 12 && c.tokens >= 2 ? std::string("rotary_dim and tokens are large") : std::string();
  };
  const std::string report = check_property(property, 10000, run_seed());
  EXPECT_NE(report.find("smallest that fails"), std::string::npos) << report;
  EXPECT_NE(report.find("2 tokens", report.find("smallest that fails")), std::string::npos) << report;
}

}  // namespace
}  // namespace hiprope::test
