// The published frequency arrays of head dimensions 128 and 256, and what is asserted beside them.
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/frequencies/report.h"

namespace hiprope::test {
namespace {

std::vector<double> published(const std::string& name) {
  std::ifstream stream(HIPROPE_PUBLISHED_INV_FREQ);
  return nlohmann::json::parse(stream).at(name).get<std::vector<double>>();
}

// The two shapes the arrays were published for.
struct Shape {
  std::int32_t head_dim;
  std::int64_t max_positions;
  std::int64_t dynamic_length;
};

class Published : public testing::TestWithParam<Shape> {
 protected:
  RopeConfig config() const { return plain(GetParam().head_dim, 10000, GetParam().max_positions); }
  RopeConfig config(ScalingType type, double factor) const {
    RopeConfig scaled = config();
    scaled.scaling.type = type;
    scaled.scaling.factor = factor;
    return scaled;
  }
  RopeConfig yarn(double factor) const {
    RopeConfig scaled = config(ScalingType::yarn, factor);
    scaled.scaling.original_max_positions = GetParam().max_positions;
    return scaled;
  }
  RopeConfig llama3(double high) const {
    RopeConfig scaled = config(ScalingType::llama3, 10);
    scaled.scaling.original_max_positions = 2048;
    scaled.scaling.low_freq_factor = 1;
    scaled.scaling.high_freq_factor = high;
    return scaled;
  }
  RopeConfig longrope(double factor, std::int64_t length) const {
    RopeConfig scaled = config(ScalingType::longrope, factor);
    scaled.scaling.original_max_positions = GetParam().max_positions;
    scaled.scaling.sequence_length = length;
    scaled.scaling.short_factor.assign(pairs(), 2.0);
    for (std::size_t j = 0; j < pairs(); ++j) scaled.scaling.long_factor.push_back(static_cast<double>(j + 1));
    return scaled;
  }
  std::size_t pairs() const { return static_cast<std::size_t>(GetParam().head_dim / 2); }

  // Five printed digits, four where the array says so; zeros exactly.
  void expect_published(const RopeConfig& actual, const std::string& name, double relative = 5.1e-5) const {
    expect_near_all(report(actual).inv_freq, published(name + "_" + std::to_string(GetParam().head_dim)), relative);
  }
  void expect_between_scaled_and_default(const std::vector<double>& inv_freq) const {
    const auto base = report(config()).inv_freq;
    for (std::size_t j = 0; j < pairs(); ++j) {
      EXPECT_GE(inv_freq[j], base[j] / 10 * (1 - 1e-12)) << "pair " << j;
      EXPECT_LE(inv_freq[j], base[j] * (1 + 1e-12)) << "pair " << j;
    }
  }
};

TEST_P(Published, default_array) {
  expect_published(config(), "default");
  EXPECT_EQ(report(config()).attention_scaling, 1);
}

TEST_P(Published, linear_divides_by_factor) {
  for (const double factor : {2.0, 10.0, 20.0}) {
    auto expected = report(config()).inv_freq;
    for (double& value : expected) value /= factor;
    const Report linear = report(config(ScalingType::linear, factor));
    expect_near_all(linear.inv_freq, expected, 1e-15);
    EXPECT_EQ(linear.attention_scaling, 1);
  }
}

TEST_P(Published, dynamic_array) {
  RopeConfig dynamic = config(ScalingType::dynamic, 10);
  dynamic.scaling.sequence_length = GetParam().dynamic_length;
  expect_published(dynamic, "dynamic");
  EXPECT_EQ(report(dynamic).attention_scaling, 1);
}

TEST_P(Published, dynamic_up_to_the_trained_length_is_default) {
  for (const std::int64_t length : {std::int64_t{0}, std::int64_t{1}, GetParam().max_positions}) {
    RopeConfig dynamic = config(ScalingType::dynamic, 10);
    dynamic.scaling.sequence_length = length;
    expect_near_all(report(dynamic).inv_freq, report(config()).inv_freq, 1e-15);
  }
}

TEST_P(Published, yarn_array) {
  expect_published(yarn(10), "yarn");
  expect_between_scaled_and_default(report(yarn(10)).inv_freq);
}

TEST_P(Published, yarn_attention_scaling) {
  for (const double factor : {2.0, 10.0, 20.0}) {
    EXPECT_NEAR(report(yarn(factor)).attention_scaling, 0.1 * std::log(factor) + 1, 1e-15);
  }
  RopeConfig given = yarn(10);
  given.scaling.attention_factor = 0.5;
  EXPECT_EQ(report(given).attention_scaling, 0.5);
}

TEST_P(Published, yarn_of_a_high_beta_fast_scales_the_last_pairs_whole) {
  RopeConfig fast = yarn(10);
  fast.scaling.beta_fast = 1000;
  const auto inv_freq = report(fast).inv_freq;
  const auto base = report(config()).inv_freq;
  expect_between_scaled_and_default(inv_freq);
  EXPECT_EQ(inv_freq[0], base[0]) << "the range starts at pair 0, not before it";
  // Head dimension 128 has its correction range inside the pairs; at 256 and this length it ends past them.
  if (GetParam().head_dim != 128) return;
  for (std::size_t j = pairs() - 20; j < pairs(); ++j) EXPECT_NEAR(inv_freq[j], base[j] / 10, 1e-15 * base[j]);
}

TEST_P(Published, longrope) {
  const double original = static_cast<double>(GetParam().max_positions);
  for (const double factor : {2.0, 10.0, 20.0}) {
    EXPECT_NEAR(report(longrope(factor, 1)).attention_scaling, std::sqrt(1 + std::log(factor) / std::log(original)),
                1e-15);
  }
  RopeConfig given = longrope(10, 1);
  given.scaling.attention_factor = 0.5;
  EXPECT_EQ(report(given).attention_scaling, 0.5);

  auto expected_short = report(config()).inv_freq;
  auto expected_long = expected_short;
  for (std::size_t j = 0; j < pairs(); ++j) {
    expected_short[j] /= 2;
    expected_long[j] /= static_cast<double>(j + 1);
  }
  expect_near_all(report(longrope(10, GetParam().max_positions)).inv_freq, expected_short, 1e-15);
  expect_near_all(report(longrope(10, GetParam().max_positions + 1)).inv_freq, expected_long, 1e-15);
}

TEST_P(Published, llama3_array) {
  expect_published(llama3(4), "llama3");
  EXPECT_EQ(report(llama3(4)).attention_scaling, 1);
  expect_between_scaled_and_default(report(llama3(4)).inv_freq);
}

TEST_P(Published, llama3_of_a_high_high_freq_factor_scales_every_pair) {
  const auto inv_freq = report(llama3(1000)).inv_freq;
  const auto base = report(config()).inv_freq;
  for (std::size_t j = 0; j < pairs(); ++j) EXPECT_LT(inv_freq[j], base[j] * (1 - 1e-6)) << "pair " << j;
}

TEST_P(Published, proportional_array) {
  RopeConfig quarter = config(ScalingType::proportional, 0);
  quarter.scaling.active_pairs = GetParam().head_dim / 8;
  expect_published(quarter, "proportional", GetParam().head_dim == 256 ? 5.1e-4 : 5.1e-5);
  EXPECT_EQ(report(quarter).attention_scaling, 1);
  const auto inv_freq = report(quarter).inv_freq;
  for (std::size_t j = pairs() / 4; j < pairs(); ++j) EXPECT_EQ(inv_freq[j], 0) << "pair " << j;
}

TEST_P(Published, proportional_of_all_pairs_is_linear) {
  for (const double factor : {1.0, 2.0, 10.0}) {
    const auto proportional = report(config(ScalingType::proportional, factor));
    expect_near_all(proportional.inv_freq, report(config(ScalingType::linear, factor)).inv_freq, 1e-15);
  }
}

INSTANTIATE_TEST_SUITE_P(shapes, Published, testing::Values(Shape{128, 2048, 16384}, Shape{256, 131072, 200000}),
                         [](const auto& parameter) { return "head_dim_" + std::to_string(parameter.param.head_dim); });

}  // namespace
}  // namespace hiprope::test
