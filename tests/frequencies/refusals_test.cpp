// Every refusal of scaling and axes: the status, and that the sentence names the field.
#include <functional>
#include <limits>

#include "tests/frequencies/report.h"

namespace hiprope::test {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

RopeConfig valid(ScalingType type) {
  RopeConfig config = plain(64, 10000, 8192);
  Scaling& scaling = config.scaling;
  scaling.type = type;
  const bool lengths = type == ScalingType::yarn || type == ScalingType::longrope || type == ScalingType::llama3;
  if (type != ScalingType::none && type != ScalingType::custom) scaling.factor = 4;
  if (lengths) scaling.original_max_positions = 2048;
  if (type == ScalingType::llama3) scaling.low_freq_factor = 1;
  if (type == ScalingType::llama3) scaling.high_freq_factor = 4;
  if (type == ScalingType::longrope) scaling.short_factor = scaling.long_factor = std::vector<double>(32, 2.0);
  if (type == ScalingType::custom) scaling.inv_freq = std::vector<double>(32, 0.5);
  return config;
}

void expect_refused(const RopeConfig& config, hiprope_status status, const std::string& words) {
  const Report result = try_report(config);
  EXPECT_EQ(result.status, status) << words;
  EXPECT_NE(result.message.find(words), std::string::npos) << "\"" << result.message << "\" lacks \"" << words << "\"";
  EXPECT_EQ(result.inv_freq[0], -7.0) << "a refused call wrote";
}

const std::vector<ScalingType> kTypes = {ScalingType::none,   ScalingType::linear,       ScalingType::dynamic,
                                         ScalingType::ntk,    ScalingType::yarn,         ScalingType::longrope,
                                         ScalingType::llama3, ScalingType::proportional, ScalingType::custom};

TEST(refusals, the_starting_points_are_valid) {
  for (const ScalingType type : kTypes) {
    const Report result = try_report(valid(type));
    EXPECT_EQ(result.status, hiprope_ok) << result.message;
  }
}

struct Number {
  const char* name;
  double Scaling::* field;
  std::vector<ScalingType> used_by;
  bool required;
};

const std::vector<Number>& numbers() {
  using Type = ScalingType;
  static const std::vector<Number> kNumbers = {
      {"factor", &Scaling::factor, {Type::linear, Type::ntk, Type::llama3}, true},
      {"factor", &Scaling::factor, {Type::dynamic, Type::yarn, Type::longrope, Type::proportional}, false},
      {"alpha", &Scaling::alpha, {Type::dynamic}, false},
      {"mixed_b", &Scaling::mixed_b, {Type::ntk}, false},
      {"low_freq_factor", &Scaling::low_freq_factor, {Type::llama3}, true},
      {"high_freq_factor", &Scaling::high_freq_factor, {Type::llama3}, true},
      {"beta_fast", &Scaling::beta_fast, {Type::yarn}, false},
      {"beta_slow", &Scaling::beta_slow, {Type::yarn}, false},
      {"extrapolation_factor", &Scaling::extrapolation_factor, {Type::yarn}, false},
      {"attention_factor", &Scaling::attention_factor, {Type::yarn, Type::longrope}, false},
      {"attn_factor", &Scaling::attn_factor, {Type::yarn}, false},
      {"mscale", &Scaling::mscale, {Type::yarn}, false},
      {"mscale_all_dim", &Scaling::mscale_all_dim, {Type::yarn}, false},
      {"mscale_coefficient", &Scaling::mscale_coefficient, {Type::yarn}, false},
      {"short_mscale", &Scaling::short_mscale, {Type::longrope}, false},
      {"long_mscale", &Scaling::long_mscale, {Type::longrope}, false},
  };
  return kNumbers;
}

TEST(refusals, numbers_out_of_range) {
  for (const Number& number : numbers()) {
    for (const ScalingType type : number.used_by) {
      for (const double bad : {-1.0, kNan, kInfinity, -kInfinity}) {
        RopeConfig config = valid(type);
        config.scaling.*number.field = bad;
        expect_refused(config, hiprope_error_scaling, std::string("scaling.") + number.name + " is ");
      }
    }
  }
}

TEST(refusals, factors_below_one) {
  for (const ScalingType type : kTypes) {
    if (type == ScalingType::none || type == ScalingType::custom) continue;
    RopeConfig config = valid(type);
    config.scaling.factor = 0.5;
    expect_refused(config, hiprope_error_scaling, "scaling.factor is 0.5");
  }
}

TEST(refusals, required_numbers_missing) {
  for (const Number& number : numbers()) {
    for (const ScalingType type : number.used_by) {
      if (!number.required) continue;
      RopeConfig config = valid(type);
      config.scaling.*number.field = 0;
      expect_refused(config, hiprope_error_scaling, std::string("scaling.") + number.name + " is missing");
    }
  }
  RopeConfig dynamic = valid(ScalingType::dynamic);
  dynamic.scaling.factor = 0;
  expect_refused(dynamic, hiprope_error_scaling, "scaling.factor and scaling.alpha are missing");
}

TEST(refusals, numbers_of_another_type) {
  for (const Number& number : numbers()) {
    for (const ScalingType type : kTypes) {
      bool used = false;
      for (const Number& row : numbers()) {
        used |= row.field == number.field && std::count(row.used_by.begin(), row.used_by.end(), type) > 0;
      }
      if (used) continue;
      RopeConfig config = valid(type);
      config.scaling.*number.field = 2;
      expect_refused(config, hiprope_error_scaling, std::string("scaling.") + number.name + " is set");
    }
  }
}

TEST(refusals, lengths) {
  for (const ScalingType type : {ScalingType::yarn, ScalingType::longrope, ScalingType::llama3}) {
    RopeConfig config = valid(type);
    config.scaling.original_max_positions = 0;
    expect_refused(config, hiprope_error_scaling, "scaling.original_max_positions is missing");
    config.scaling.original_max_positions = -5;
    expect_refused(config, hiprope_error_scaling, "scaling.original_max_positions is -5");
  }
  RopeConfig dynamic = valid(ScalingType::dynamic);
  dynamic.scaling.sequence_length = -1;
  expect_refused(dynamic, hiprope_error_scaling, "scaling.sequence_length is -1");
  RopeConfig linear = valid(ScalingType::linear);
  linear.scaling.sequence_length = 9;
  expect_refused(linear, hiprope_error_scaling, "scaling.sequence_length is set");
  RopeConfig yarn = valid(ScalingType::yarn);
  yarn.scaling.factor = 0;
  yarn.scaling.original_max_positions = 16384;
  expect_refused(yarn, hiprope_error_scaling, "scaling.factor is missing, and max_positions 8192");
}

struct List {
  const char* name;
  std::vector<double> Scaling::* field;
  ScalingType type;
  bool required;
  bool positive;
};

TEST(refusals, lists) {
  const List lists[] = {
      {"short_factor", &Scaling::short_factor, ScalingType::longrope, true, true},
      {"long_factor", &Scaling::long_factor, ScalingType::longrope, true, true},
      {"inv_freq", &Scaling::inv_freq, ScalingType::custom, true, false},
      {"freq_factors", &Scaling::freq_factors, ScalingType::none, false, true},
  };
  for (const List& list : lists) {
    const std::string name = std::string("scaling.") + list.name;
    RopeConfig config = valid(list.type);
    std::vector<double>& values = config.scaling.*list.field;
    values.clear();
    if (list.required) expect_refused(config, hiprope_error_scaling, name + " is missing");
    if (list.type != ScalingType::longrope) {
      values.assign(31, 1.0);
      expect_refused(config, hiprope_error_scaling, name + " has 31 entries");
      values.assign(33, 1.0);
      expect_refused(config, hiprope_error_scaling, name + " has 33 entries");
    }
    for (const double bad : {kNan, kInfinity, -kInfinity}) {
      values.assign(32, 1.0);
      values[31] = bad;
      expect_refused(config, hiprope_error_scaling, name + "[31] is ");
    }
    values.assign(32, 1.0);
    values[3] = 0;
    if (list.positive) expect_refused(config, hiprope_error_scaling, name + "[3] is 0");
    values[3] = -1;
    if (list.positive) expect_refused(config, hiprope_error_scaling, name + "[3] is -1");
  }
  RopeConfig unequal = valid(ScalingType::longrope);
  unequal.scaling.long_factor.pop_back();
  expect_refused(unequal, hiprope_error_scaling, "entries");
  RopeConfig both_short = valid(ScalingType::longrope);
  both_short.scaling.short_factor.pop_back();
  both_short.scaling.long_factor.pop_back();
  expect_refused(both_short, hiprope_error_scaling, "scaling.short_factor has 31 entries");
  RopeConfig elsewhere = valid(ScalingType::yarn);
  elsewhere.scaling.inv_freq.assign(32, 1.0);
  expect_refused(elsewhere, hiprope_error_scaling, "scaling.inv_freq is set");
}

TEST(refusals, parameters_that_do_not_fit_together) {
  RopeConfig llama3 = valid(ScalingType::llama3);
  llama3.scaling.low_freq_factor = 5;
  expect_refused(llama3, hiprope_error_scaling, "scaling.high_freq_factor 4 is below scaling.low_freq_factor 5");
  RopeConfig yarn = valid(ScalingType::yarn);
  yarn.scaling.beta_slow = 40;
  expect_refused(yarn, hiprope_error_scaling, "scaling.beta_fast 32 is below scaling.beta_slow 40");
  yarn = valid(ScalingType::yarn);
  yarn.scaling.attention_factor = yarn.scaling.attn_factor = 2;
  expect_refused(yarn, hiprope_error_scaling, "scaling.attention_factor 2 overrides");
  yarn = valid(ScalingType::yarn);
  yarn.base = 1;
  expect_refused(yarn, hiprope_error_scaling, "base above 1");
  RopeConfig proportional = valid(ScalingType::proportional);
  for (const std::int32_t bad : {-1, 33}) {
    proportional.scaling.active_pairs = bad;
    expect_refused(proportional, hiprope_error_scaling, "scaling.active_pairs is " + std::to_string(bad));
  }
  RopeConfig linear = valid(ScalingType::linear);
  linear.scaling.active_pairs = 1;
  expect_refused(linear, hiprope_error_scaling, "scaling.active_pairs is 1");
  RopeConfig dynamic = valid(ScalingType::dynamic);
  dynamic.rotary_dim = 2;
  expect_refused(dynamic, hiprope_error_scaling, "rotary_dim above 2");
}

TEST(refusals, results_out_of_range) {
  RopeConfig underflow = valid(ScalingType::none);
  underflow.base = 1e300;
  underflow.scaling.freq_factors.assign(32, 1e300);
  expect_refused(underflow, hiprope_error_scaling, "gives inv_freq[");
  RopeConfig overflow = valid(ScalingType::dynamic);
  overflow.scaling.alpha = 1e300;
  overflow.base = 1e300;
  expect_refused(overflow, hiprope_error_scaling, "scaling gives base");
  RopeConfig attention = valid(ScalingType::longrope);
  attention.scaling.original_max_positions = 1;
  expect_refused(attention, hiprope_error_scaling, "attention scaling");
}

TEST(refusals, unknown_enum_values) {
  const RopeConfig config = valid(ScalingType::none);
  for (const std::int32_t bad : {-1, 99}) {
    hiprope_config c_config = config.to_c();
    c_config.scaling.type = bad;
    EXPECT_EQ(try_report(c_config).status, hiprope_error_enum_value);
    c_config = config.to_c();
    c_config.axis_layout = bad;
    EXPECT_EQ(try_report(c_config).status, hiprope_error_enum_value);
    c_config = config.to_c();
    c_config.frequency_layout = bad;
    EXPECT_EQ(try_report(c_config).status, hiprope_error_enum_value);
  }
}

RopeConfig axes_of(std::int32_t axes, AxisLayout layout, std::array<std::int32_t, 4> sections) {
  RopeConfig config = plain(64, 10000, 8192);
  config.axes = axes;
  config.axis_layout = layout;
  config.sections = sections;
  return config;
}

TEST(refusals, axes) {
  const auto refused = [](const RopeConfig& config, const std::string& words) {
    expect_refused(config, hiprope_error_axes, words);
  };
  refused(axes_of(3, AxisLayout::chunked, {10, 10, 10, 0}), "sections sum to 30; rotary_dim / 2 is 32");
  refused(axes_of(3, AxisLayout::chunked, {0, 0, 0, 0}), "sections sum to 0");
  refused(axes_of(3, AxisLayout::chunked, {33, -1, 0, 0}), "sections[1] is -1");
  refused(axes_of(2, AxisLayout::chunked, {10, 10, 12, 0}), "sections[2] is 12 with 2 axes");
  refused(axes_of(1, AxisLayout::chunked, {31, 0, 0, 0}), "sections sum to 31");
  refused(axes_of(2, AxisLayout::interleaved, {16, 16, 0, 0}), "needs 3 axes");
  refused(axes_of(4, AxisLayout::ernie, {8, 8, 8, 8}), "needs 3 axes");
  refused(axes_of(3, AxisLayout::interleaved, {2, 15, 15, 0}), "sections[0] is 2");
  refused(axes_of(3, AxisLayout::ernie, {10, 12, 10, 0}), "sections[1] is 12");
  refused(axes_of(2, AxisLayout::custom, {}), "axis_of_pair is null");
  RopeConfig custom = axes_of(2, AxisLayout::custom, {});
  custom.axis_of_pair.assign(32, 1);
  custom.axis_of_pair[30] = 2;
  refused(custom, "axis_of_pair[30] is 2; axes is 2");
  RopeConfig strided = axes_of(2, AxisLayout::chunked, {20, 12, 0, 0});
  strided.frequency_layout = FrequencyLayout::strided;
  refused(strided, "frequency_layout strided needs axes of equal size");
}

}  // namespace
}  // namespace hiprope::test
