// What must hold between variants, checked on random configs without any reference figure.
#include <random>

#include "tests/frequencies/report.h"

namespace hiprope::test {
namespace {

constexpr int kRounds = 200;

class Properties : public testing::Test {
 protected:
  void SetUp() override { RecordProperty("seed", std::to_string(kSeed)); }
  double uniform(double low, double high) { return std::uniform_real_distribution<double>(low, high)(random_); }
  std::int64_t whole(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
  }
  RopeConfig random_config() {
    RopeConfig config =
        plain(static_cast<std::int32_t>(2 * whole(2, 256)), std::exp(uniform(1, 25.3)), whole(64, 1 << 22));
    config.rotary_dim = static_cast<std::int32_t>(2 * whole(2, config.head_dim / 2));
    return config;
  }
  std::vector<double> random_factors(std::int32_t rotary_dim, double low, double high) {
    std::vector<double> factors(static_cast<std::size_t>(rotary_dim / 2));
    for (double& factor : factors) factor = uniform(low, high);
    return factors;
  }

  static constexpr unsigned kSeed = 20240917;
  std::mt19937_64 random_{kSeed};
};

TEST_F(Properties, default_is_the_power_law_of_rotary_dim) {
  for (int round = 0; round < kRounds; ++round) {
    const RopeConfig config = random_config();
    const Report result = report(config);
    ASSERT_EQ(result.inv_freq.size(), static_cast<std::size_t>(config.rotary_dim / 2));
    for (std::size_t j = 0; j < result.inv_freq.size(); ++j) {
      const double expected = power_law(config.base, static_cast<int>(j), config.rotary_dim);
      ASSERT_NEAR(result.inv_freq[j], expected, 1e-13 * expected) << "pair " << j << ", round " << round;
    }
    EXPECT_EQ(result.effective_base, config.base);
    EXPECT_EQ(result.softmax_scale, 1);
  }
}

TEST_F(Properties, a_factor_of_one_is_default) {
  for (int round = 0; round < kRounds; ++round) {
    RopeConfig config = random_config();
    const auto expected = report(config).inv_freq;
    config.scaling.factor = 1;
    for (const ScalingType type :
         {ScalingType::linear, ScalingType::dynamic, ScalingType::ntk, ScalingType::yarn, ScalingType::llama3}) {
      const bool lengths = type == ScalingType::yarn || type == ScalingType::llama3;
      config.scaling.type = type;
      config.scaling.original_max_positions = lengths ? whole(16, 1 << 20) : 0;
      config.scaling.low_freq_factor = type == ScalingType::llama3 ? 1 : 0;
      config.scaling.high_freq_factor = type == ScalingType::llama3 ? 4 : 0;
      const Report result = report(config);
      expect_near_all(result.inv_freq, expected, 1e-13);
      EXPECT_EQ(result.attention_scaling, 1);
    }
  }
}

TEST_F(Properties, every_pair_active_at_head_dim_is_default) {
  for (int round = 0; round < kRounds; ++round) {
    RopeConfig config = random_config();
    config.rotary_dim = config.head_dim;
    const auto expected = report(config).inv_freq;
    config.scaling.type = ScalingType::proportional;
    config.scaling.active_pairs = config.head_dim / 2;
    expect_near_all(report(config).inv_freq, expected, 1e-15);
    config.scaling.active_pairs = 0;
    expect_near_all(report(config).inv_freq, expected, 1e-15);
  }
}

// Position p at factor s turns as position p/s does without scaling.
TEST_F(Properties, linear_is_position_over_factor) {
  for (int round = 0; round < kRounds; ++round) {
    RopeConfig config = random_config();
    const auto base = report(config).inv_freq;
    config.scaling.type = ScalingType::linear;
    config.scaling.factor = uniform(1, 64);
    const auto linear = report(config).inv_freq;
    const auto position = static_cast<double>(whole(0, 1 << 24));
    for (std::size_t j = 0; j < base.size(); ++j) {
      const double expected = position / config.scaling.factor * base[j];
      EXPECT_NEAR(position * linear[j], expected, 1e-13 * expected);
    }
  }
}

TEST_F(Properties, fixed_ntk_keeps_the_fastest_pair_scaled_by_its_power) {
  for (int round = 0; round < kRounds; ++round) {
    RopeConfig config = random_config();
    const auto base = report(config).inv_freq;
    config.scaling.type = ScalingType::ntk;
    config.scaling.factor = uniform(1, 64);
    const Report fixed = report(config);
    EXPECT_NEAR(fixed.effective_base, config.base * config.scaling.factor, 1e-12 * fixed.effective_base);
    // Over a head the slowdown grows from s^(2/R) to s.
    const double s = config.scaling.factor;
    EXPECT_NEAR(base.front() / fixed.inv_freq.front(), std::pow(s, 2.0 / config.rotary_dim), 1e-12 * s);
    EXPECT_NEAR(base.back() / fixed.inv_freq.back(), s, 1e-12 * s);
    config.scaling.mixed_b = uniform(0.3, 1.2);
    const Report mixed = report(config);
    EXPECT_EQ(mixed.effective_base, config.base);
    EXPECT_NEAR(base.back() / mixed.inv_freq.back(), s, 1e-12 * s);
    const double a = std::log(s) / std::pow(config.rotary_dim / 2, config.scaling.mixed_b);
    EXPECT_NEAR(base.front() / mixed.inv_freq.front(), std::exp(a), 1e-12 * s);
  }
}

TEST_F(Properties, dynamic_by_alpha_is_dynamic_of_that_stretch) {
  for (int round = 0; round < kRounds; ++round) {
    RopeConfig config = random_config();
    config.scaling.type = ScalingType::dynamic;
    config.scaling.factor = uniform(1, 16);
    config.scaling.original_max_positions = whole(64, 4096);
    config.scaling.sequence_length = whole(64, 1 << 20);
    const double length =
        static_cast<double>(std::max(config.scaling.sequence_length, config.scaling.original_max_positions));
    const double stretch = config.scaling.factor * length / static_cast<double>(config.scaling.original_max_positions) -
                           (config.scaling.factor - 1);
    const Report by_length = report(config);
    config.scaling = {};
    config.scaling.type = ScalingType::dynamic;
    config.scaling.alpha = stretch;
    const Report by_alpha = report(config);
    expect_near_all(by_length.inv_freq, by_alpha.inv_freq, 1e-12);
    EXPECT_NEAR(by_length.effective_base, by_alpha.effective_base, 1e-12 * by_alpha.effective_base);
  }
}

TEST_F(Properties, freq_factors_divide_any_type) {
  for (int round = 0; round < kRounds; ++round) {
    RopeConfig config = random_config();
    if (round % 2 == 1) {
      config.scaling.type = ScalingType::linear;
      config.scaling.factor = uniform(1, 8);
    }
    auto expected = report(config).inv_freq;
    config.scaling.freq_factors = random_factors(config.rotary_dim, 0.5, 40);
    for (std::size_t j = 0; j < expected.size(); ++j) expected[j] /= config.scaling.freq_factors[j];
    expect_near_all(report(config).inv_freq, expected, 1e-15);
  }
}

TEST_F(Properties, longrope_divides_by_the_chosen_list) {
  for (int round = 0; round < kRounds; ++round) {
    RopeConfig config = random_config();
    const auto base = report(config).inv_freq;
    config.scaling.type = ScalingType::longrope;
    config.scaling.original_max_positions = whole(16, 4096);
    config.scaling.short_factor = random_factors(config.rotary_dim, 0.5, 4);
    config.scaling.long_factor = random_factors(config.rotary_dim, 4, 64);
    for (const bool is_long : {false, true}) {
      config.scaling.sequence_length = config.scaling.original_max_positions + (is_long ? 1 : 0);
      const auto& factors = is_long ? config.scaling.long_factor : config.scaling.short_factor;
      auto expected = base;
      for (std::size_t j = 0; j < expected.size(); ++j) expected[j] /= factors[j];
      expect_near_all(report(config).inv_freq, expected, 1e-15);
    }
  }
}

TEST_F(Properties, custom_frequencies_are_returned_as_given) {
  RopeConfig config = random_config();
  config.scaling.type = ScalingType::custom;
  config.scaling.inv_freq = random_factors(config.rotary_dim, -2, 2);
  config.scaling.inv_freq[0] = 0;
  EXPECT_EQ(report(config).inv_freq, config.scaling.inv_freq);
}

TEST_F(Properties, llama3_with_equal_factors_switches_at_one_wavelength) {
  RopeConfig config = plain(128, 5e5, 131072);
  const auto base = report(config).inv_freq;
  config.scaling.type = ScalingType::llama3;
  config.scaling.factor = 8;
  config.scaling.low_freq_factor = config.scaling.high_freq_factor = 2;
  config.scaling.original_max_positions = 8192;
  const auto scaled = report(config).inv_freq;
  for (std::size_t j = 0; j < base.size(); ++j) {
    const bool kept = 2 * 3.14159265358979323846 / base[j] < 4096;
    EXPECT_NEAR(scaled[j], kept ? base[j] : base[j] / 8, 1e-15 * base[j]) << "pair " << j;
  }
}

// Where a wavelength is exactly the switching one, the ramp's formula would be 0/0.
TEST_F(Properties, llama3_with_equal_factors_is_finite_at_the_switch) {
  RopeConfig config = plain(4, 5e5, 131072);
  config.scaling.type = ScalingType::llama3;
  config.scaling.factor = 8;
  const double wavelength = 2 * 3.14159265358979323846;  // of pair 0
  int exact = 0;
  for (std::int64_t original = 1000; original < 1200; ++original) {
    config.scaling.original_max_positions = original;
    config.scaling.low_freq_factor = config.scaling.high_freq_factor = static_cast<double>(original) / wavelength;
    if (static_cast<double>(original) / config.scaling.low_freq_factor != wavelength) continue;
    ++exact;
    ASSERT_EQ(report(config).inv_freq[0], 0.125);
  }
  EXPECT_GT(exact, 0);
}

TEST_F(Properties, yarn_with_equal_betas_switches_between_two_pairs) {
  RopeConfig config = plain(64, 1e4, 131072);
  const auto base = report(config).inv_freq;
  config.scaling.type = ScalingType::yarn;
  config.scaling.factor = 8;
  config.scaling.original_max_positions = 4096;
  config.scaling.beta_fast = config.scaling.beta_slow = 3;
  config.scaling.truncate = false;
  const double range = 64 * std::log(4096 / (2 * 3.14159265358979323846 * 3)) / (2 * std::log(1e4));
  const auto scaled = report(config).inv_freq;
  for (std::size_t j = 0; j < base.size(); ++j) {
    EXPECT_NEAR(scaled[j], static_cast<double>(j) < range ? base[j] : base[j] / 8, 1e-15 * base[j]) << "pair " << j;
  }
}

TEST_F(Properties, proportional_counts_exponents_over_head_dim) {
  RopeConfig config = plain(128, 1e6, 1024);
  config.rotary_dim = 64;
  config.scaling.type = ScalingType::proportional;
  config.scaling.active_pairs = 20;
  const auto inv_freq = report(config).inv_freq;
  for (int j = 0; j < 32; ++j) {
    const double expected = j < 20 ? power_law(1e6, j, 128) : 0;
    EXPECT_NEAR(inv_freq[static_cast<std::size_t>(j)], expected, 1e-13 * expected) << "pair " << j;
  }
}

TEST_F(Properties, the_largest_bases_in_use_stay_finite_and_falling) {
  for (const double base : {100.0, 1e4, 1e6, 1e11}) {
    const auto inv_freq = report(plain(512, base, 1 << 20)).inv_freq;
    for (std::size_t j = 1; j < inv_freq.size(); ++j) EXPECT_LT(inv_freq[j], inv_freq[j - 1]);
    EXPECT_NEAR(inv_freq.back(), std::pow(base, -510.0 / 512), 1e-13 * inv_freq.back());
  }
}

TEST_F(Properties, a_report_needs_no_arrays) {
  const RopeConfig config = random_config();
  const hiprope_config c_config = config.to_c();
  hiprope_frequency_report only_facts{};
  only_facts.size = sizeof(only_facts);
  ASSERT_EQ(hiprope_frequencies(&c_config, &only_facts), hiprope_ok) << hiprope_last_error();
  EXPECT_EQ(only_facts.pairs, config.rotary_dim / 2);
}

}  // namespace
}  // namespace hiprope::test
