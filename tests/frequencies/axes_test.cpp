// Which position turns which pair, and with which frequency: every layout on its published or hand-written map.
#include "tests/frequencies/report.h"

namespace hiprope::test {
namespace {

using Map = std::vector<std::uint8_t>;

RopeConfig with_axes(std::int32_t rotary_dim, AxisLayout layout, std::vector<std::int32_t> sections,
                     FrequencyLayout frequencies = FrequencyLayout::continuous) {
  RopeConfig config = plain(rotary_dim, 10000, 4096);
  config.axes = static_cast<std::int32_t>(sections.size());
  config.axis_layout = layout;
  config.frequency_layout = frequencies;
  std::copy(sections.begin(), sections.end(), config.sections.begin());
  return config;
}

TEST(axes, chunked) {
  EXPECT_EQ(report(with_axes(12, AxisLayout::chunked, {1, 3, 2})).axis_of_pair, (Map{0, 1, 1, 1, 2, 2}));
  EXPECT_EQ(report(with_axes(12, AxisLayout::chunked, {2, 0, 3, 1})).axis_of_pair, (Map{0, 0, 2, 2, 2, 3}));
}

TEST(axes, interleaved) {
  // Values of axis a and pair j written 10 a + j come out as 0, 11, 22, 3, 4.
  EXPECT_EQ(report(with_axes(10, AxisLayout::interleaved, {3, 1, 1})).axis_of_pair, (Map{0, 1, 2, 0, 0}));
  const Map qwen3_vl = report(with_axes(128, AxisLayout::interleaved, {24, 20, 20})).axis_of_pair;
  for (std::size_t j = 0; j < 64; ++j) EXPECT_EQ(qwen3_vl[j], j < 60 ? j % 3 : 0) << "pair " << j;
  const Map qwen3_5 = report(with_axes(64, AxisLayout::interleaved, {11, 11, 10})).axis_of_pair;
  for (std::size_t j = 0; j < 32; ++j) EXPECT_EQ(qwen3_5[j], j % 3) << "pair " << j;
}

TEST(axes, ernie) {
  const Map ernie = report(with_axes(128, AxisLayout::ernie, {20, 22, 22})).axis_of_pair;
  for (std::size_t j = 0; j < 64; ++j) EXPECT_EQ(ernie[j], j < 44 ? 1 + j % 2 : 0) << "pair " << j;
}

TEST(axes, round_robin) {
  EXPECT_EQ(report(with_axes(12, AxisLayout::round_robin, {0, 0})).axis_of_pair, (Map{0, 1, 0, 1, 0, 1}));
  EXPECT_EQ(report(with_axes(14, AxisLayout::round_robin, {0, 0, 0})).axis_of_pair, (Map{0, 1, 2, 0, 1, 2, 0}));
}

TEST(axes, rarest_first) {
  EXPECT_EQ(report(with_axes(8, AxisLayout::rarest_first, {2, 2})).axis_of_pair, (Map{0, 1, 0, 1}));
  EXPECT_EQ(report(with_axes(16, AxisLayout::rarest_first, {2, 3, 3})).axis_of_pair, (Map{0, 1, 2, 1, 2, 1, 2, 0}));
  // No axis twice in a row while another is left, even if it is behind; then the rest.
  EXPECT_EQ(report(with_axes(16, AxisLayout::rarest_first, {2, 6})).axis_of_pair, (Map{0, 1, 0, 1, 1, 1, 1, 1}));
  EXPECT_EQ(report(with_axes(12, AxisLayout::rarest_first, {5, 1})).axis_of_pair, (Map{0, 1, 0, 0, 0, 0}));
}

TEST(axes, custom) {
  RopeConfig config = with_axes(8, AxisLayout::custom, {0, 0, 0});
  config.axis_of_pair = {2, 0, 1, 2};
  EXPECT_EQ(report(config).axis_of_pair, config.axis_of_pair);
}

TEST(axes, one_axis_reports_zeros) {
  EXPECT_EQ(report(plain(8, 1e4, 16)).axis_of_pair, (Map{0, 0, 0, 0}));
}

// With equal positions on every axis only frequencies matter, and those of a continuous layout are the one-axis ones.
TEST(axes, continuous_layouts_keep_the_one_axis_frequencies) {
  const auto one_axis = report(plain(128, 10000, 4096)).inv_freq;
  for (const AxisLayout layout : {AxisLayout::chunked, AxisLayout::interleaved, AxisLayout::rarest_first}) {
    EXPECT_EQ(report(with_axes(128, layout, {24, 20, 20})).inv_freq, one_axis);
  }
  EXPECT_EQ(report(with_axes(128, AxisLayout::ernie, {20, 22, 22})).inv_freq, one_axis);
  EXPECT_EQ(report(with_axes(128, AxisLayout::chunked, {16, 16, 16, 16})).inv_freq, one_axis);
}

TEST(axes, restart_gives_every_axis_the_frequencies_of_its_own_size) {
  // Qwen's vision tower: head 80, two axes of 20 pairs, frequencies over dimension 40.
  const auto vision = report(with_axes(80, AxisLayout::chunked, {20, 20}, FrequencyLayout::restart)).inv_freq;
  const auto half = report(plain(40, 10000, 4096)).inv_freq;
  for (std::size_t j = 0; j < 40; ++j) EXPECT_NEAR(vision[j], half[j % 20], 1e-15) << "pair " << j;
  // Kimi's: the axes alternate.
  const auto kimi = report(with_axes(72, AxisLayout::round_robin, {0, 0}, FrequencyLayout::restart)).inv_freq;
  const auto eighteen = report(plain(36, 10000, 4096)).inv_freq;
  for (std::size_t j = 0; j < 36; ++j) EXPECT_NEAR(kimi[j], eighteen[j / 2], 1e-15) << "pair " << j;
  // Axes of different size restart over their own.
  const auto uneven = report(with_axes(12, AxisLayout::chunked, {2, 4}, FrequencyLayout::restart)).inv_freq;
  for (std::size_t j = 0; j < 6; ++j) {
    const double expected =
        j < 2 ? power_law(10000, static_cast<int>(j), 4) : power_law(10000, static_cast<int>(j) - 2, 8);
    EXPECT_NEAR(uneven[j], expected, 1e-15) << "pair " << j;
  }
}

TEST(axes, strided_deals_the_frequencies_out) {
  // Pixtral: rows take f0, f2, f4, ... and columns f1, f3, f5, ...
  const auto pixtral = report(with_axes(64, AxisLayout::chunked, {16, 16}, FrequencyLayout::strided)).inv_freq;
  const auto one_axis = report(plain(64, 10000, 4096)).inv_freq;
  for (std::size_t i = 0; i < 16; ++i) {
    EXPECT_EQ(pixtral[i], one_axis[2 * i]);
    EXPECT_EQ(pixtral[16 + i], one_axis[2 * i + 1]);
  }
}

TEST(axes, scaling_applies_under_a_layout) {
  RopeConfig config = with_axes(128, AxisLayout::chunked, {16, 24, 24});
  config.scaling.type = ScalingType::yarn;
  config.scaling.factor = 4;
  config.scaling.original_max_positions = 1024;
  RopeConfig one_axis = plain(128, 10000, 4096);
  one_axis.scaling = config.scaling;
  EXPECT_EQ(report(config).inv_freq, report(one_axis).inv_freq);
}

}  // namespace
}  // namespace hiprope::test
