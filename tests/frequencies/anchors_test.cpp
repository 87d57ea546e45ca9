// Frequencies of real models at single pairs, to nine digits, and their scale factors.
#include <map>

#include "tests/frequencies/report.h"

namespace hiprope::test {
namespace {

RopeConfig scaled(std::int32_t head_dim, double base, ScalingType type, double factor, std::int64_t original) {
  RopeConfig config = plain(head_dim, base, 131072);
  config.scaling.type = type;
  config.scaling.factor = factor;
  config.scaling.original_max_positions = original;
  return config;
}

RopeConfig llama3(std::int32_t head_dim, double factor) {
  RopeConfig config = scaled(head_dim, 5e5, ScalingType::llama3, factor, 8192);
  config.scaling.low_freq_factor = 1;
  config.scaling.high_freq_factor = 4;
  return config;
}

RopeConfig yarn(std::int32_t head_dim, double base, double factor, std::int64_t original, bool truncate = true) {
  RopeConfig config = scaled(head_dim, base, ScalingType::yarn, factor, original);
  config.scaling.truncate = truncate;
  return config;
}

RopeConfig hunyuan() {
  RopeConfig config = plain(128, 1e4, 262144);
  config.scaling.type = ScalingType::dynamic;
  config.scaling.alpha = 1000;
  return config;
}

RopeConfig gemma4_global() {
  RopeConfig config = plain(512, 1e6, 131072);
  config.scaling.type = ScalingType::proportional;
  config.scaling.active_pairs = 64;
  return config;
}

struct Anchor {
  std::string name;
  RopeConfig config;
  std::map<std::size_t, double> inv_freq;
};

const std::vector<Anchor>& anchors() {
  static const std::vector<Anchor> kAnchors = {
      {"llama_3_1",
       llama3(128, 8),
       {{0, 1.0},
        {28, 3.211445995e-03},
        {29, 2.166570764e-03},
        {30, 1.371893568e-03},
        {34, 1.785078128e-04},
        {35, 9.556212354e-05},
        {63, 3.068925989e-07}}},
      {"llama_3_2_1b",
       llama3(64, 32),
       {{0, 1.0},
        {14, 3.211445995e-03},
        {15, 1.290547928e-03},
        {17, 9.708287803e-05},
        {18, 1.946163818e-05},
        {31, 9.418306725e-08}}},
      {"gpt_oss",
       yarn(64, 1.5e5, 32, 4096, false),
       {{0, 1.0},
        {8, 5.081327482e-02},
        {9, 3.170569618e-02},
        {12, 6.794959490e-03},
        {17, 1.293187012e-04},
        {18, 3.830881237e-05},
        {31, 3.023511428e-07}}},
      {"gpt_oss_truncated",
       yarn(64, 1.5e5, 32, 4096),
       {{0, 1.0},
        {8, 5.081327482e-02},
        {9, 3.162075228e-02},
        {12, 7.015713911e-03},
        {17, 2.279477958e-04},
        {18, 3.830881237e-05},
        {31, 3.023511428e-07}}},
      {"deepseek_v3",
       yarn(64, 1e4, 40, 4096),
       {{0, 1.0},
        {10, 5.623413252e-02},
        {11, 3.900692657e-02},
        {16, 5.5e-03},
        {22, 1.778279410e-04},
        {23, 3.333803580e-05},
        {31, 3.333803580e-06}}},
      {"kimi_k2_thinking",
       yarn(64, 5e4, 64, 4096),
       {{0, 1.0},
        {8, 6.687403050e-02},
        {9, 4.377665595e-02},
        {14, 4.465848749e-03},
        {19, 1.583749910e-04},
        {20, 1.807023387e-05},
        {31, 4.382206456e-07}}},
      {"qwen3_yarn",
       yarn(128, 1e6, 4, 32768),
       {{0, 1.0},
        {23, 6.978305849e-03},
        {24, 5.375321491e-03},
        {30, 1.064360981e-03},
        {39, 6.490394321e-05},
        {40, 4.445698525e-05},
        {63, 3.102344402e-07}}},
      {"ministral_3",
       yarn(128, 1e6, 16, 16384),
       {{0, 1.0}, {20, 1.333521432e-02}, {30, 6.907023389e-04}, {36, 4.961135334e-05}, {63, 7.755861005e-08}}},
      {"hunyuan", hunyuan(), {{0, 1.0}, {1, 7.760343630e-01}, {32, 2.993577295e-04}, {63, 1.154781985e-07}}},
      {"gemma_4_global",
       gemma4_global(),
       {{0, 1.0}, {1, 9.474635257e-01}, {63, 3.337624694e-02}, {64, 0.0}, {255, 0.0}}},
  };
  return kAnchors;
}

TEST(anchors, inv_freq) {
  for (const Anchor& anchor : anchors()) {
    SCOPED_TRACE(anchor.name);
    const auto inv_freq = report(anchor.config).inv_freq;
    for (const auto& [pair, value] : anchor.inv_freq) {
      // Ten printed digits: half a unit of the last is at most 5e-10 of the value.
      EXPECT_NEAR(inv_freq.at(pair), value, 1e-9 * value) << "pair " << pair;
    }
  }
}

TEST(anchors, alpha_gives_the_published_base) {
  EXPECT_NEAR(report(hunyuan()).effective_base, 11158839.925077, 5e-7);
}

TEST(anchors, yarn_attention_scaling) {
  const std::map<double, double> expected = {{4, 1.138629436112},  {8, 1.207944154168},  {16, 1.277258872224},
                                             {32, 1.346573590280}, {40, 1.368887945411}, {64, 1.415888308336},
                                             {128, 1.485203026392}};
  for (const auto& [factor, scaling] : expected) {
    EXPECT_NEAR(report(yarn(64, 1e4, factor, 4096)).attention_scaling, scaling, 1e-12);
  }
  RopeConfig telechat = yarn(64, 1e4, 40, 4096);
  telechat.scaling.mscale_coefficient = 0.07;
  EXPECT_NEAR(report(telechat).attention_scaling, 1.258221561788, 1e-12);
}

TEST(anchors, yarn_factor_defaults_to_the_ratio_of_lengths) {
  RopeConfig config = yarn(64, 1e4, 0, 4096);
  config.max_positions = 163840;
  EXPECT_NEAR(report(config).attention_scaling, 1.368887945411, 1e-12);
  expect_near_all(report(config).inv_freq, report(yarn(64, 1e4, 40, 4096)).inv_freq, 1e-15);
}

TEST(anchors, deepseek_softmax_multiplier) {
  RopeConfig config = yarn(64, 1e4, 40, 4096);
  EXPECT_EQ(report(config).softmax_scale, 1);
  config.scaling.mscale = config.scaling.mscale_all_dim = 1;
  EXPECT_NEAR(report(config).softmax_scale, 1.873854207093, 1e-12);
  EXPECT_EQ(report(config).attention_scaling, 1);
  config.scaling.mscale_all_dim = 0.707;
  const double g = 0.1 * 0.707 * std::log(40.0) + 1;
  EXPECT_NEAR(report(config).softmax_scale, g * g, 1e-12);
  EXPECT_NEAR(report(config).attention_scaling, 1.368887945411 / g, 1e-12);
  config.scaling.mscale = 0;  // alone, mscale_all_dim does not touch cos and sin
  EXPECT_NEAR(report(config).attention_scaling, 1.368887945411, 1e-12);
  config.scaling.attn_factor = 2;
  EXPECT_NEAR(report(config).attention_scaling, 2 * 1.368887945411, 1e-12);
}

TEST(anchors, longrope_attention_scaling) {
  RopeConfig config = scaled(96, 1e4, ScalingType::longrope, 0, 4096);
  config.scaling.short_factor.assign(48, 1.0);
  config.scaling.long_factor.assign(48, 3.0);
  EXPECT_NEAR(report(config).attention_scaling, 1.190238071424, 1e-12);
  EXPECT_NEAR(report(config).inv_freq[0], 1.0 / 3, 1e-16);  // max_positions is above the original length
  config.scaling.short_mscale = 1.1;
  config.scaling.long_mscale = 1.3;
  EXPECT_EQ(report(config).attention_scaling, 1.3);
  config.scaling.sequence_length = 4096;
  EXPECT_EQ(report(config).attention_scaling, 1.1);
  EXPECT_EQ(report(config).inv_freq[0], 1.0);
}

}  // namespace
}  // namespace hiprope::test
