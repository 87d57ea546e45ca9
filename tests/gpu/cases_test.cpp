// The case table on a GPU, eagerly and replayed from a graph: the CPU path's bits, the oracle's values, fences
// untouched.
#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/support/cases.h"
#include "tests/support/gpu.h"
#include "tests/support/oracle.h"
#include "tests/support/random.h"

namespace hiprope::test {

void PrintTo(const Group& group, std::ostream* stream) {
  *stream << group.name;
}

namespace {

constexpr std::int64_t kMostElements = 200000;

class GpuCases : public testing::TestWithParam<Group> {
 protected:
  static void run(Mode mode) {
    HIPROPE_NEEDS_GPU();
    for (const Case& c : GetParam().cases) {
      SCOPED_TRACE(describe(c));
      ASSERT_LE(c.element_count(), kMostElements);
      const Images before = make_images(c);
      Images on_cpu = before;
      const Outcome expected = run_cpu(c, on_cpu);
      ASSERT_EQ(expected.status, hiprope_ok) << expected.message;
      const Rope rope(c.config, Device::gpu(), Fallback::forbid);
      ASSERT_TRUE(rope) << rope.created().message();
      Images on_gpu = before;
      const Outcome actual = run_gpu(c, rope, mode, on_gpu);
      ASSERT_EQ(actual.status, hiprope_ok) << actual.message;
      const bool empty = expected.path == Path::none;
      EXPECT_EQ(actual.path, empty ? Path::none : Path::gpu);
      EXPECT_EQ(rope.stats().launches, empty ? 0U : 1U);
      EXPECT_EQ(rope.stats().fallbacks, 0U);
      EXPECT_EQ(difference(c, on_cpu, on_gpu), "");
      EXPECT_EQ(oracle_mismatch(c, before, on_gpu), "");
      EXPECT_EQ(actual.out_of_range, expected.out_of_range);
      EXPECT_EQ(actual.first_out_of_range, expected.first_out_of_range);
    }
  }
};

TEST_P(GpuCases, Eager) {
  run(Mode::eager);
}
INSTANTIATE_TEST_SUITE_P(Table, GpuCases, testing::ValuesIn(case_groups()),
                         [](const auto& instance) { return instance.param.name; });

class GpuCapturedCases : public GpuCases {};

TEST_P(GpuCapturedCases, Replayed) {
  run(Mode::captured);
}

// An empty call records nothing, so it leaves no graph to replay.
std::vector<Group> groups_with_work() {
  std::vector<Group> groups = case_groups();
  std::erase_if(groups, [](const Group& group) { return group.name == "zero_size"; });
  return groups;
}

INSTANTIATE_TEST_SUITE_P(Table, GpuCapturedCases, testing::ValuesIn(groups_with_work()),
                         [](const auto& instance) { return instance.param.name; });

const Case& first_case(const char* group_name) {
  for (const Group& group : case_groups()) {
    if (group.name == group_name) return group.cases.front();
  }
  throw std::out_of_range(group_name);
}

TEST(GpuRotation, ActuallyRotates) {
  HIPROPE_NEEDS_GPU();
  const Case& c = first_case("actually_rotates");
  const Images before = make_images(c);
  Images after = before;
  ASSERT_EQ(run_gpu(c, Rope(c.config, Device::gpu(), Fallback::forbid), Mode::eager, after).path, Path::gpu);
  for (std::int64_t element = 0; element < c.element_count(); ++element) {
    const std::size_t at = kGuardBytes + static_cast<std::size_t>(element) * 4;
    ASSERT_NE(load_bits(&before[0][at], c.type), load_bits(&after[0][at], c.type)) << "element " << element;
  }
}

TEST(GpuRotation, HeadsAreIndependent) {
  HIPROPE_NEEDS_GPU();
  const Case& c = first_case("multi_head_independent_rotation");
  ASSERT_EQ(c.q.heads, 8);
  ASSERT_EQ(c.config.head_dim, 8);
  ASSERT_EQ(c.tokens, 4);
  Images after = make_images(c);
  ASSERT_EQ(run_gpu(c, Rope(c.config, Device::gpu(), Fallback::forbid), Mode::eager, after).path, Path::gpu);
  for (std::int64_t token = 0; token < c.tokens; ++token) {
    for (std::int64_t dim = 0; dim < c.config.head_dim; ++dim) {
      EXPECT_NE(load_bits(&after[0][byte_of(c, c.q, token, 0, dim)], c.type),
                load_bits(&after[0][byte_of(c, c.q, token, 1, dim)], c.type));
    }
  }
}

}  // namespace
}  // namespace hiprope::test
