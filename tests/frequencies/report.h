// hiprope_frequencies() with its arrays, for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "hiprope/hiprope.hpp"

namespace hiprope::test {

struct Report {
  hiprope_status status = hiprope_ok;
  std::string message;
  std::vector<double> inv_freq;
  std::vector<std::uint8_t> axis_of_pair;
  double attention_scaling = 0, softmax_scale = 0, effective_base = 0;
};

inline Report try_report(const hiprope_config& config) {
  Report result;
  const auto capacity = static_cast<std::size_t>(config.head_dim > 0 ? config.head_dim : 2);
  result.inv_freq.assign(capacity, -7.0);
  result.axis_of_pair.assign(capacity, 77);
  hiprope_frequency_report report{};
  report.size = sizeof(report);
  report.inv_freq = result.inv_freq.data();
  report.axis_of_pair = result.axis_of_pair.data();
  report.capacity = static_cast<std::int32_t>(capacity);
  result.status = hiprope_frequencies(&config, &report);
  if (result.status != hiprope_ok) {
    result.message = hiprope_last_error();
    return result;
  }
  result.inv_freq.resize(static_cast<std::size_t>(report.pairs));
  result.axis_of_pair.resize(static_cast<std::size_t>(report.pairs));
  result.attention_scaling = report.attention_scaling;
  result.softmax_scale = report.softmax_scale;
  result.effective_base = report.effective_base;
  return result;
}

inline Report try_report(const RopeConfig& config) {
  return try_report(config.to_c());
}

inline Report report(const RopeConfig& config) {
  Report result = try_report(config);
  EXPECT_EQ(result.status, hiprope_ok) << result.message;
  return result;
}

inline RopeConfig plain(std::int32_t head_dim, double base, std::int64_t max_positions) {
  RopeConfig config;
  config.head_dim = head_dim;
  config.base = base;
  config.max_positions = max_positions;
  return config;
}

// base^(-2j/dim), the law every variant starts from.
inline double power_law(double base, int j, int dim) {
  return std::exp(-2.0 * j / dim * std::log(base));
}

inline void expect_near_all(const std::vector<double>& actual, const std::vector<double>& expected, double relative) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t j = 0; j < actual.size(); ++j) {
    EXPECT_NEAR(actual[j], expected[j], relative * std::abs(expected[j])) << "pair " << j;
  }
}

}  // namespace hiprope::test
