// Configs that are refused: each with its own status and a sentence that names the field and its value.
#include "tests/host/refusals.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace hiprope::test {
namespace {

struct BadConfig {
  const char* name;
  hiprope_status status;
  const char* says[2];  // what the sentence contains
  void (*spoil)(hiprope_config&);
};

const BadConfig kBadConfigs[] = {
    {"size_zero", hiprope_error_struct_size, {"config.size", "0"}, [](hiprope_config& c) { c.size = 0; }},
    {"size_of_the_future",
     hiprope_error_struct_size,
     {"config.size", "set it to sizeof"},
     [](hiprope_config& c) { c.size += 8; }},
    {"pairing", hiprope_error_enum_value, {"config.pairing", "3"}, [](hiprope_config& c) { c.pairing = 3; }},
    {"pairing_negative", hiprope_error_enum_value, {"config.pairing", "-1"}, [](hiprope_config& c) { c.pairing = -1; }},
    {"output_pairing",
     hiprope_error_enum_value,
     {"config.output_pairing", "2"},
     [](hiprope_config& c) { c.output_pairing = 2; }},
    {"angles", hiprope_error_enum_value, {"config.angles", "7"}, [](hiprope_config& c) { c.angles = 7; }},
    {"scaling_type",
     hiprope_error_enum_value,
     {"config.scaling.type", "9"},
     [](hiprope_config& c) { c.scaling.type = 9; }},
    {"axis_layout",
     hiprope_error_enum_value,
     {"config.axis_layout", "6"},
     [](hiprope_config& c) { c.axis_layout = 6; }},
    {"frequency_layout",
     hiprope_error_enum_value,
     {"config.frequency_layout", "3"},
     [](hiprope_config& c) { c.frequency_layout = 3; }},
    {"head_dim_zero", hiprope_error_head_dim, {"config.head_dim", "0"}, [](hiprope_config& c) { c.head_dim = 0; }},
    {"head_dim_one", hiprope_error_head_dim, {"config.head_dim", "1"}, [](hiprope_config& c) { c.head_dim = 1; }},
    {"head_dim_huge",
     hiprope_error_head_dim,
     {"config.head_dim", "2147483647"},
     [](hiprope_config& c) { c.head_dim = 2147483647; }},
    {"rotary_dim_odd",
     hiprope_error_rotary_dim,
     {"config.rotary_dim", "33"},
     [](hiprope_config& c) { c.rotary_dim = 33; }},
    {"rotary_dim_negative",
     hiprope_error_rotary_dim,
     {"config.rotary_dim", "-2"},
     [](hiprope_config& c) { c.rotary_dim = -2; }},
    {"rotary_dim_too_large", hiprope_error_rotary_dim, {"66", "64"}, [](hiprope_config& c) { c.rotary_dim = 66; }},
    {"rotary_dim_past_the_end",
     hiprope_error_rotary_dim,
     {"rotary_offset 2", "64"},
     [](hiprope_config& c) {
       c.rotary_dim = 64;
       c.rotary_offset = 2;
     }},
    {"rotary_offset_negative",
     hiprope_error_rotary_dim,
     {"rotary_offset", "-2"},
     [](hiprope_config& c) { c.rotary_offset = -2; }},
    {"rotary_offset_leaves_an_odd_rest",
     hiprope_error_rotary_dim,
     {"63", "rotary_offset 1"},
     [](hiprope_config& c) { c.rotary_offset = 1; }},
    {"rotary_offset_huge",
     hiprope_error_rotary_dim,
     {"2147483647", "64"},
     [](hiprope_config& c) {
       c.rotary_offset = 2147483647;
       c.rotary_dim = 2;
     }},
    {"pair_block_zero",
     hiprope_error_pairing,
     {"pair_block", "0"},
     [](hiprope_config& c) { c.pairing = hiprope_blocked; }},
    {"pair_block_odd",
     hiprope_error_pairing,
     {"pair_block", "3"},
     [](hiprope_config& c) {
       c.pairing = hiprope_blocked;
       c.pair_block = 3;
     }},
    {"pair_block_does_not_divide",
     hiprope_error_pairing,
     {"pair_block 10", "64"},
     [](hiprope_config& c) {
       c.pairing = hiprope_blocked;
       c.pair_block = 10;
     }},
    {"pair_block_without_blocked",
     hiprope_error_pairing,
     {"pair_block", "8"},
     [](hiprope_config& c) { c.pair_block = 8; }},
    {"output_pairing_of_half_split",
     hiprope_error_pairing,
     {"output_pairing", "interleaved"},
     [](hiprope_config& c) { c.output_pairing = hiprope_output_half_split; }},
    {"base_negative", hiprope_error_base, {"config.base", "-1"}, [](hiprope_config& c) { c.base = -1; }},
    {"base_nan", hiprope_error_base, {"config.base", "nan"}, [](hiprope_config& c) { c.base = NAN; }},
    {"base_infinite", hiprope_error_base, {"config.base", "inf"}, [](hiprope_config& c) { c.base = INFINITY; }},
    {"max_positions_zero",
     hiprope_error_max_positions,
     {"max_positions", "0"},
     [](hiprope_config& c) { c.max_positions = 0; }},
    {"max_positions_negative",
     hiprope_error_max_positions,
     {"max_positions", "-5"},
     [](hiprope_config& c) { c.max_positions = -5; }},
    {"max_positions_past_addressing",
     hiprope_error_max_positions,
     {"max_positions", "9223372036854775807"},
     [](hiprope_config& c) { c.max_positions = std::numeric_limits<std::int64_t>::max(); }},
    {"scaling_factor_missing",
     hiprope_error_scaling,
     {"factor", "missing"},
     [](hiprope_config& c) { c.scaling.type = hiprope_scaling_linear; }},
    {"scaling_factor_below_one",
     hiprope_error_scaling,
     {"factor", "0.5"},
     [](hiprope_config& c) {
       c.scaling.type = hiprope_scaling_linear;
       c.scaling.factor = 0.5;
     }},
    {"axes_too_many", hiprope_error_axes, {"config.axes", "5"}, [](hiprope_config& c) { c.axes = 5; }},
    {"axes_negative", hiprope_error_axes, {"config.axes", "-1"}, [](hiprope_config& c) { c.axes = -1; }},
    {"sections_do_not_sum",
     hiprope_error_axes,
     {"sections", "31"},
     [](hiprope_config& c) {
       c.axes = 2;
       c.sections[0] = 15;
       c.sections[1] = 16;
     }},
    {"axis_map_missing",
     hiprope_error_axes,
     {"axis_of_pair", ""},
     [](hiprope_config& c) {
       c.axes = 2;
       c.axis_layout = hiprope_axes_custom;
     }},
};

void PrintTo(const BadConfig& bad, std::ostream* stream) {
  *stream << bad.name;
}

class BadConfigs : public testing::TestWithParam<BadConfig> {};

TEST_P(BadConfigs, AreRefusedWithASentence) {
  hiprope_config config = good_config();
  GetParam().spoil(config);
  auto* rope = reinterpret_cast<hiprope_rope*>(&config);
  EXPECT_EQ(hiprope_create(&config, hiprope_device_cpu, hiprope_fallback_allow, &rope), GetParam().status)
      << hiprope_last_error();
  EXPECT_EQ(rope, nullptr);
  for (const char* part : GetParam().says) {
    EXPECT_NE(std::string(hiprope_last_error()).find(part), std::string::npos) << hiprope_last_error();
  }
  hiprope_frequency_report report{};
  report.size = sizeof(report);
  const hiprope_status status = hiprope_frequencies(&config, &report);
  const bool of_the_table = GetParam().status == hiprope_error_max_positions;
  EXPECT_TRUE(of_the_table || status == GetParam().status) << hiprope_last_error();
}

INSTANTIATE_TEST_SUITE_P(Table, BadConfigs, testing::ValuesIn(kBadConfigs),
                         [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace

std::set<hiprope_status> statuses_of_bad_configs() {
  std::set<hiprope_status> statuses;
  for (const BadConfig& bad : kBadConfigs) statuses.insert(bad.status);
  return statuses;
}

}  // namespace hiprope::test
