// The CPU path over the case table: against the float64 oracle, with fences, counters and statuses.
#include <gtest/gtest.h>

#include "tests/support/cases.h"
#include "tests/support/oracle.h"

namespace hiprope::test {
namespace {

class CpuCases : public testing::TestWithParam<Group> {};

TEST_P(CpuCases, MatchTheOracle) {
  for (const Case& c : GetParam().cases) {
    SCOPED_TRACE(describe(c));
    const Images before = make_images(c);
    Images after = before;
    const Outcome outcome = run_cpu(c, after);
    ASSERT_EQ(outcome.status, hiprope_ok) << outcome.message;
    const bool empty = c.tokens == 0 || c.q.heads + (c.k ? c.k->heads : 0) == 0;
    EXPECT_EQ(outcome.path, empty ? Path::none : Path::cpu);
    EXPECT_EQ(oracle_mismatch(c, before, after), "");
    std::uint64_t outside = 0;
    std::int64_t first = -1;
    for (std::int64_t token = c.tokens - 1; token >= 0 && !empty; --token) {
      if (!is_out_of_range(c, token)) continue;
      ++outside;
      first = token;
    }
    EXPECT_EQ(outcome.out_of_range, outside);
    EXPECT_EQ(outcome.first_out_of_range, first);
  }
}

// Groups that are about tokens out of range, or that mix them with others, have some.
TEST(CaseTable, HasRefusedTokens) {
  for (const char* const name : {"half_in_place", "positions_out_of_range", "axes", "pair_layouts", "wild_values"}) {
    bool some = false;
    for (const Group& group : case_groups()) {
      if (group.name != name) continue;
      for (const Case& c : group.cases) {
        for (std::int64_t token = 0; token < c.tokens; ++token) some = some || is_out_of_range(c, token);
      }
    }
    EXPECT_TRUE(some) << name;
  }
}

// A rotation turns what it should turn: no element of a token past position 0 keeps its value.
TEST(CpuRotation, ActuallyRotates) {
  for (const Group& group : case_groups()) {
    if (group.name != "actually_rotates") continue;
    for (const Case& c : group.cases) {
      const Images before = make_images(c);
      Images after = before;
      ASSERT_EQ(run_cpu(c, after).status, hiprope_ok);
      for (std::int64_t element = 0; element < c.element_count(); ++element) {
        const std::size_t at = kGuardBytes + static_cast<std::size_t>(element) * 4;
        ASSERT_NE(load_bits(&before[0][at], c.type), load_bits(&after[0][at], c.type)) << "element " << element;
      }
    }
    return;
  }
  FAIL() << "the case table has no group actually_rotates";
}

// Position 0 is the identity, exactly.
TEST(CpuRotation, PositionZeroChangesNothing) {
  Draft draft;
  draft.config.head_dim = 64;
  draft.config.max_positions = 4;
  draft.tokens = 5;
  draft.k_heads = 2;
  draft.ids = {0, 0, 0, 0, 0};
  const Case c = build(draft);
  const Images before = make_images(c);
  Images after = before;
  ASSERT_EQ(run_cpu(c, after).status, hiprope_ok);
  EXPECT_EQ(difference(c, before, after), "");
}

// Each head's values are its own: head 0 of the result differs from head 1.
TEST(CpuRotation, HeadsAreIndependent) {
  for (const Group& group : case_groups()) {
    if (group.name != "multi_head_independent_rotation") continue;
    const Case& c = group.cases.front();
    Images after = make_images(c);
    ASSERT_EQ(run_cpu(c, after).status, hiprope_ok);
    for (std::int64_t token = 0; token < c.tokens; ++token) {
      for (std::int64_t dim = 0; dim < c.config.head_dim; ++dim) {
        EXPECT_NE(load_bits(&after[0][byte_of(c, c.q, token, 0, dim)], c.type),
                  load_bits(&after[0][byte_of(c, c.q, token, 1, dim)], c.type));
      }
    }
    return;
  }
  FAIL() << "the case table has no group multi_head_independent_rotation";
}

INSTANTIATE_TEST_SUITE_P(Table, CpuCases, testing::ValuesIn(case_groups()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace

// Keeps GoogleTest from printing a group as bytes.
void PrintTo(const Group& group, std::ostream* stream) {
  *stream << group.name;
}

}  // namespace hiprope::test
