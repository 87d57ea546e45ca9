// The C++ layer: views against strides worked out by hand, and how configs and options become C structs.
#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <vector>

#include "hiprope/hiprope.hpp"

namespace hiprope::test {
namespace {

struct Wanted {
  std::ptrdiff_t offset;  // bytes from the buffer's start
  std::int64_t tokens, heads, token_stride, head_stride;
  std::int32_t head_dim;
};

void expect_view(const TensorView& view, const void* buffer, const Wanted& wanted) {
  EXPECT_EQ(static_cast<const char*>(view.data) - static_cast<const char*>(buffer), wanted.offset);
  EXPECT_EQ(view.size, sizeof(hiprope_tensor));
  EXPECT_EQ(view.tokens, wanted.tokens);
  EXPECT_EQ(view.heads, wanted.heads);
  EXPECT_EQ(view.token_stride, wanted.token_stride);
  EXPECT_EQ(view.head_stride, wanted.head_stride);
  EXPECT_EQ(view.head_dim, wanted.head_dim);
}

TEST(Views, Factories) {
  std::array<char, 65536> buffer{};
  void* data = buffer.data();
  expect_view(TensorView::thd(data, DataType::f32, 5, 3, 64), data, {0, 5, 3, 192, 64, 64});
  expect_view(TensorView::htd(data, DataType::bf16, 5, 3, 64), data, {0, 5, 3, 64, 320, 64});
  // Rows of 8 + 2 + 2 heads of 64: K begins after 8 heads.
  expect_view(TensorView::packed(data, DataType::f16, 5, 12, 0, 8, 64), data, {0, 5, 8, 768, 64, 64});
  expect_view(TensorView::packed(data, DataType::f16, 5, 12, 8, 2, 64), data, {8 * 64 * 2, 5, 2, 768, 64, 64});
  expect_view(TensorView::packed(data, DataType::f32, 5, 12, 8, 2, 64), data, {8 * 64 * 4, 5, 2, 768, 64, 64});
  // DeepSeek's Q: heads of 128 + 64, the last 64 rotate.
  expect_view(TensorView::thd(data, DataType::bf16, 2, 4, 192).dim_range(128, 64), data, {128 * 2, 2, 4, 768, 192, 64});
  expect_view(TensorView::htd(data, DataType::f32, 2, 4, 192).head_range(1, 2), data,
              {2 * 192 * 4, 2, 2, 192, 384, 192});
}

TEST(Views, RangesOfNothingStayNull) {
  expect_view(TensorView::thd(nullptr, DataType::f32, 0, 4, 64).head_range(2, 1), nullptr, {0, 0, 1, 256, 64, 64});
}

TEST(Views, PositionsKeepTheirWidth) {
  const std::vector<std::int32_t> narrow{1, 2};
  const std::vector<std::int64_t> wide{1, 2};
  EXPECT_EQ(Positions(narrow.data()).type, hiprope_position_int32);
  EXPECT_EQ(Positions(wide.data()).type, hiprope_position_int64);
  EXPECT_EQ(Positions(wide.data(), 3, 7).axes, 3);
  EXPECT_EQ(Positions(wide.data(), 3, 7).axis_stride, 7);
  EXPECT_EQ(Positions::from(9).start, 9);
  EXPECT_EQ(Positions::from(9).ids, nullptr);
  EXPECT_EQ(Positions::from(9).size, sizeof(hiprope_positions));
}

TEST(Configs, ListsOfDifferentLengthsAreRefused) {
  RopeConfig config;
  config.head_dim = 8;
  config.max_positions = 4;
  config.scaling.type = ScalingType::custom;
  config.scaling.inv_freq = {1, 0.5, 0.25, 0.125};
  EXPECT_TRUE(Rope(config, Device::cpu()));
  config.scaling.freq_factors = {1, 2};
  const Rope refused(config, Device::cpu());
  EXPECT_EQ(refused.created().status(), hiprope_error_scaling) << refused.created().message();
  EXPECT_STREQ(refused.created().name(), "hiprope_error_scaling");
}

TEST(Ropes, MoveAndReport) {
  RopeConfig config;
  config.head_dim = 8;
  config.rotary_dim = 4;
  config.rotary_offset = 2;
  config.max_positions = 4;
  Rope first(config, Device::cpu());
  ASSERT_TRUE(first);
  Rope second(std::move(first));
  EXPECT_TRUE(second);
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): moved from is empty
  const hiprope_rope_info info = second.info();
  EXPECT_EQ(info.head_dim, 8);
  EXPECT_EQ(info.rotary_dim, 4);
  EXPECT_EQ(info.rotary_offset, 2);
  EXPECT_EQ(info.axes, 1);
  EXPECT_EQ(info.max_positions, 4);
  EXPECT_EQ(info.table_bytes, 4U * 4U * 4U);
  EXPECT_EQ(info.device, hiprope_device_cpu);
  EXPECT_EQ(info.path, hiprope_path_cpu);
  EXPECT_STREQ(info.architecture, "cpu");
  EXPECT_STREQ(info.fallback_reason, "");
  first = std::move(second);
  EXPECT_TRUE(first);
  EXPECT_STREQ(to_string(Path::cpu_fallback), "cpu_fallback");
}

// Nothing is said about the stride of a single head, not even that its multiples fit an int64.
TEST(Ropes, TheStrideOfOneHeadIsNotLookedAt) {
  RopeConfig config;
  config.head_dim = 8;
  config.max_positions = 4;
  const Rope rope(config, Device::cpu());
  std::vector<float> expected(3 * 8, 1);
  ASSERT_TRUE(apply_rope_cpu(rope, TensorView::thd(expected.data(), DataType::f32, 3, 1, 8), Positions::from(0)));
  for (const std::int64_t stride : {std::int64_t{0}, std::int64_t{1}, std::numeric_limits<std::int64_t>::max()}) {
    std::vector<float> memory(3 * 8, 1);
    auto x = TensorView::thd(memory.data(), DataType::f32, 3, 1, 8);
    x.head_stride = stride;
    const Result result = apply_rope_cpu(rope, x, Positions::from(0));
    ASSERT_TRUE(result) << stride << ": " << result.message();
    EXPECT_EQ(memory, expected) << stride;
  }
}

// A token out of range is counted in the handle until it is cleared, and the smallest index is kept.
TEST(Ropes, PositionErrorsAddUp) {
  RopeConfig config;
  config.head_dim = 8;
  config.max_positions = 4;
  const Rope rope(config, Device::cpu());
  std::vector<float> memory(64);
  const auto x = TensorView::thd(memory.data(), DataType::f32, 4, 2, 8);
  const std::vector<std::int64_t> late{0, 1, 2, 4};
  const std::vector<std::int64_t> early{0, -1, 9, 3};
  hiprope_position_errors errors{};
  for (const auto* ids : {&late, &early, &late}) ASSERT_TRUE(apply_rope_cpu(rope, x, Positions(ids->data())));
  ASSERT_TRUE(rope.read_position_errors(errors));
  EXPECT_EQ(errors.count, 4U);
  EXPECT_EQ(errors.first_token, 1);
  ASSERT_TRUE(rope.clear_position_errors());
  ASSERT_TRUE(rope.read_position_errors(errors));
  EXPECT_EQ(errors.count, 0U);
  EXPECT_EQ(errors.first_token, -1);
  EXPECT_EQ(rope.stats().cpu_calls, 3U);
}

}  // namespace
}  // namespace hiprope::test
