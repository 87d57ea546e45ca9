// Every model fixture against its expected summary, and the page docs/variants.md against the fixtures.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "hiprope/model_config.hpp"

namespace {

using Json = nlohmann::json;

std::string read_text(const std::filesystem::path& path) {
  std::ifstream stream(path);
  EXPECT_TRUE(stream.is_open()) << path;
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::vector<std::string> fixture_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(HIPROPE_FIXTURES)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".json") && !name.ends_with(".expected.json")) names.push_back(name.substr(0, name.size() - 5));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string pairing_name(hiprope::Pairing pairing) {
  constexpr const char* kNames[] = {"half_split", "interleaved", "blocked"};
  return kNames[static_cast<int>(pairing)];
}

std::string axis_layout_name(hiprope::AxisLayout layout) {
  constexpr const char* kNames[] = {"chunked", "interleaved", "ernie", "round_robin", "rarest_first", "custom"};
  return kNames[static_cast<int>(layout)];
}

std::string frequency_layout_name(hiprope::FrequencyLayout layout) {
  constexpr const char* kNames[] = {"continuous", "restart", "strided"};
  return kNames[static_cast<int>(layout)];
}

struct Frequencies {
  std::vector<double> inv_freq;
  hiprope_frequency_report report{};
};

Frequencies frequencies(const hiprope::RopeConfig& config) {
  Frequencies result;
  result.inv_freq.assign(static_cast<std::size_t>(config.rotary_dim / 2), -7.0);
  const hiprope_config c = config.to_c();
  result.report.size = sizeof(result.report);
  result.report.inv_freq = result.inv_freq.data();
  result.report.capacity = static_cast<std::int32_t>(result.inv_freq.size());
  EXPECT_EQ(hiprope_frequencies(&c, &result.report), hiprope_ok) << hiprope_last_error();
  return result;
}

void expect_layer(const hiprope::LayerRope& layer, const Json& expected) {
  SCOPED_TRACE(layer.name);
  EXPECT_EQ(layer.name, expected.at("name").get<std::string>());
  EXPECT_EQ(layer.rotates, expected.at("rotates").get<bool>());
  if (expected.contains("layers")) {
    EXPECT_EQ(layer.layers.size(), expected.at("layers").get<std::size_t>());
  }
  if (!layer.rotates) return;
  const hiprope::RopeConfig& config = layer.config;
  EXPECT_EQ(layer.heads, expected.at("heads"));
  EXPECT_EQ(layer.kv_heads, expected.at("kv_heads"));
  EXPECT_EQ(layer.rope_type, expected.at("rope_type").get<std::string>());
  EXPECT_EQ(config.head_dim, expected.at("head_dim"));
  EXPECT_EQ(config.rotary_dim, expected.at("rotary_dim"));
  EXPECT_EQ(config.rotary_offset, expected.value("rotary_offset", 0));
  EXPECT_EQ(pairing_name(config.pairing), expected.at("pairing").get<std::string>());
  EXPECT_EQ(config.pair_block, expected.value("pair_block", 0));
  EXPECT_EQ(config.base, expected.at("base"));
  EXPECT_EQ(config.max_positions, expected.at("max_positions"));
  EXPECT_EQ(config.axes, expected.at("axes"));
  EXPECT_EQ(axis_layout_name(config.axis_layout), expected.value("axis_layout", "chunked"));
  EXPECT_EQ(frequency_layout_name(config.frequency_layout), expected.value("frequency_layout", "continuous"));
  auto sections = expected.value("sections", std::vector<std::int32_t>{});
  sections.resize(4);
  EXPECT_TRUE(std::equal(sections.begin(), sections.end(), config.sections.begin()));

  const Frequencies computed = frequencies(config);
  EXPECT_NEAR(computed.report.attention_scaling, expected.at("attention_scaling").get<double>(), 1e-12);
  EXPECT_NEAR(computed.report.softmax_scale, expected.at("softmax_scale").get<double>(), 1e-11);
  const auto& anchors = expected.value("inv_freq", Json::object());
  for (const auto& [index, value] : anchors.items()) {
    const auto want = value.get<double>();
    EXPECT_NEAR(computed.inv_freq.at(std::stoul(index)), want, 1e-9 * std::abs(want)) << "pair " << index;
  }
}

class Fixture : public testing::TestWithParam<std::string> {};

TEST_P(Fixture, is_read_as_expected) {
  const std::filesystem::path folder = HIPROPE_FIXTURES;
  const auto result = hiprope::read_model_config((folder / (GetParam() + ".json")).string());
  ASSERT_TRUE(result) << result.error;
  EXPECT_TRUE(result.model.known_family);
  const Json expected = Json::parse(read_text(folder / (GetParam() + ".expected.json")));
  const auto& layer_types = expected.at("layer_types");
  ASSERT_EQ(result.model.layer_types.size(), layer_types.size());
  for (std::size_t i = 0; i < layer_types.size(); ++i) expect_layer(result.model.layer_types[i], layer_types[i]);

  const auto& query_scale = result.model.query_scale;
  if (!expected.contains("query_scale")) {
    EXPECT_EQ(query_scale.beta, 0);
    EXPECT_EQ(query_scale.at(123456), 1);
    return;
  }
  EXPECT_EQ(query_scale.layers.size(), expected["query_scale"].at("layers").get<std::size_t>());
  for (const auto& [position, value] : expected["query_scale"].at("values").items()) {
    EXPECT_NEAR(query_scale.at(std::stoll(position)), value.get<double>(), 1e-12) << "position " << position;
  }
}

INSTANTIATE_TEST_SUITE_P(models, Fixture, testing::ValuesIn(fixture_names()), [](const auto& parameter) {
  std::string name = parameter.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
});

// The rows of the page's model table: model, then fixture names or "unsupported: reason".
std::map<std::string, std::string> documented_rows() {
  std::istringstream page(read_text(HIPROPE_VARIANTS_PAGE));
  std::map<std::string, std::string> rows;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("## ")) inside = line == "## Models";
    const std::size_t middle = line.find(" | ", 2);
    if (!inside || !line.starts_with("| ") || middle == std::string::npos) continue;
    rows[line.substr(2, middle - 2)] = line.substr(middle + 3, line.rfind(" |") - middle - 3);
  }
  return rows;
}

TEST(variants_page, covers_every_model_row_and_every_fixture) {
  const auto rows = documented_rows();
  std::set<std::string> named;
  std::istringstream wanted(read_text(HIPROPE_MODEL_ROWS));
  int count = 0;
  for (std::string row; std::getline(wanted, row); ++count) {
    const auto found = rows.find(row);
    ASSERT_NE(found, rows.end()) << "docs/variants.md has no row \"" << row << "\"";
    if (found->second.starts_with("unsupported: ")) continue;
    std::istringstream names(found->second);
    for (std::string name; std::getline(names, name, ',');) {
      name.erase(0, name.find_first_not_of(' '));
      EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(HIPROPE_FIXTURES) / (name + ".json"))) << name;
      named.insert(name);
    }
  }
  EXPECT_GE(count, 60);
  EXPECT_GE(named.size(), 40u);
  for (const std::string& name : fixture_names()) EXPECT_TRUE(named.contains(name)) << name << " is not in the page";
}

}  // namespace
