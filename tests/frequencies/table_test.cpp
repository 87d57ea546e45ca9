// The cos/sin table against MPFR at positions up to 2^24: the error is what rounding to float32 leaves.
#include <gtest/gtest.h>
#include <mpfr.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "hiprope/hiprope.hpp"

namespace hiprope::test {
namespace {

constexpr std::int64_t kRows = (std::int64_t{1} << 24) + 1;
constexpr double kTolerance = 4e-8;

// cos and sin of position * inv_freq in 200 bits.
struct Exact {
  Exact() {
    mpfr_init2(angle_, 200);
    mpfr_init2(value_, 200);
  }
  ~Exact() {
    mpfr_clear(angle_);
    mpfr_clear(value_);
  }
  Exact(const Exact&) = delete;
  Exact& operator=(const Exact&) = delete;

  double cos(std::int64_t position, double inv_freq) { return of(mpfr_cos, position, inv_freq); }
  double sin(std::int64_t position, double inv_freq) { return of(mpfr_sin, position, inv_freq); }

 private:
  using Function = int (*)(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t);
  double of(Function function, std::int64_t position, double inv_freq) {
    mpfr_set_d(angle_, inv_freq, MPFR_RNDN);
    mpfr_mul_si(angle_, angle_, position, MPFR_RNDN);
    function(value_, angle_, MPFR_RNDN);
    return mpfr_get_d(value_, MPFR_RNDN);
  }
  mpfr_t angle_, value_;
};

// One pair keeps a table of 2^24 rows at 128 MiB.
RopeConfig one_pair(double inv_freq, std::int64_t rows) {
  RopeConfig config;
  config.head_dim = 2;
  config.max_positions = rows;
  config.scaling.type = ScalingType::custom;
  config.scaling.inv_freq = {inv_freq};
  return config;
}

struct Row {
  double cos, sin;
};

// The table's rows at `positions`: in float32, (1, 0) turns into exactly (cos, sin).
std::vector<Row> table_rows(const RopeConfig& config, const std::vector<std::int64_t>& positions) {
  std::vector<float> values(positions.size() * 2, 0.0F);
  for (std::size_t i = 0; i < values.size(); i += 2) values[i] = 1.0F;
  const auto tokens = static_cast<std::int64_t>(positions.size());
  const Rope rope(config, Device::cpu());
  EXPECT_TRUE(rope) << rope.created().message();
  const TensorView view = TensorView::thd(values.data(), DataType::f32, tokens, 1, 2);
  const Result result = apply_rope_cpu(rope, view, Positions(positions.data()));
  EXPECT_TRUE(result) << result.message();
  std::vector<Row> rows;
  for (std::size_t i = 0; i < values.size(); i += 2) {
    rows.push_back({static_cast<double>(values[i]), static_cast<double>(values[i + 1])});
  }
  return rows;
}

std::vector<std::int64_t> first_positions(std::int64_t count) {
  std::vector<std::int64_t> positions(static_cast<std::size_t>(count));
  std::iota(positions.begin(), positions.end(), 0);
  return positions;
}

class TableError : public testing::TestWithParam<double> {};

TEST_P(TableError, stays_below_4e_8_up_to_2_to_the_24) {
  const double inv_freq = GetParam();
  constexpr unsigned kSeed = 7;
  std::mt19937_64 random(kSeed);
  std::uniform_int_distribution<std::int64_t> any_row(0, kRows - 1);
  std::vector<std::int64_t> positions = {0, 1, 2, 2047, 4095, 131071, 1048576, kRows - 2, kRows - 1};
  for (int i = 0; i < 20000; ++i) positions.push_back(any_row(random));
  const std::vector<Row> rows = table_rows(one_pair(inv_freq, kRows), positions);
  Exact exact;
  for (std::size_t i = 0; i < positions.size(); ++i) {
    ASSERT_NEAR(rows[i].cos, exact.cos(positions[i], inv_freq), kTolerance) << "position " << positions[i];
    ASSERT_NEAR(rows[i].sin, exact.sin(positions[i], inv_freq), kTolerance) << "position " << positions[i];
  }
}

// The fastest pair, a middle one, and the slowest of base 1e4, 5e5 and 1e11.
INSTANTIATE_TEST_SUITE_P(frequencies, TableError,
                         testing::Values(1.0, 0.8659643233600653, 0.01, 1.1547819846894581e-4, 2.455140791131609e-6,
                                         1.4855024163e-11));

TEST(table, folds_attention_scaling_in) {
  constexpr double kScaling = 1.346573590280;
  RopeConfig config;
  config.head_dim = 2;
  config.max_positions = 5000;
  config.scaling.type = ScalingType::longrope;
  config.scaling.original_max_positions = 4096;
  config.scaling.short_factor = config.scaling.long_factor = {20.0};
  config.scaling.attention_factor = kScaling;
  const std::vector<Row> rows = table_rows(config, first_positions(5000));
  Exact exact;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto position = static_cast<std::int64_t>(i);
    ASSERT_NEAR(rows[i].cos, kScaling * exact.cos(position, 0.05), 2 * kTolerance) << position;
    ASSERT_NEAR(rows[i].sin, kScaling * exact.sin(position, 0.05), 2 * kTolerance) << position;
  }
}

// The compatibility mode differs from the exact one by the noise of a float32 product, and by no more.
TEST(table, float32_angles_are_the_float32_product) {
  constexpr double kInvFreq = 0.8659643233600653;
  RopeConfig config = one_pair(kInvFreq, 40000);
  config.angles = Angles::float32;
  const std::vector<Row> rows = table_rows(config, first_positions(40000));
  double largest = 0;
  Exact exact;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto angle = static_cast<double>(static_cast<float>(i) * static_cast<float>(kInvFreq));
    ASSERT_NEAR(rows[i].cos, std::cos(angle), 1.2e-7) << i;
    ASSERT_NEAR(rows[i].sin, std::sin(angle), 1.2e-7) << i;
    largest = std::max(largest, std::abs(rows[i].cos - exact.cos(static_cast<std::int64_t>(i), kInvFreq)));
  }
  EXPECT_GT(largest, 1e-4);
  EXPECT_LT(largest, 4e-3);
}

}  // namespace
}  // namespace hiprope::test
