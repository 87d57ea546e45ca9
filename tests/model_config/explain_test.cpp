// `hiprope explain`: the JSON has every promised key, the table every layer type, the plot its labels.
#include "tools/explain.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tools/tool_error.h"

namespace hiprope::tools {
namespace {

std::string explained(const std::string& fixture, bool json, const std::string& plot = "") {
  testing::internal::CaptureStdout();
  const int status = run_explain({.config = HIPROPE_FIXTURES "/" + fixture + ".json", .plot = plot, .json = json});
  const std::string text = testing::internal::GetCapturedStdout();
  EXPECT_EQ(status, 0);
  return text;
}

TEST(explain, json_has_the_promised_keys) {
  const auto json = nlohmann::json::parse(explained("deepseek-v3", true));
  const auto& layer = json.at("layer_types").at(0);
  for (const char* key : {"rope_type", "head_dim", "rotary_dim", "pairing", "base", "attention_scaling",
                          "softmax_scale", "inv_freq", "max_positions", "axes", "table_bytes"}) {
    EXPECT_TRUE(layer.contains(key)) << key;
  }
  EXPECT_EQ(layer.at("rope_type"), "yarn");
  EXPECT_EQ(layer.at("inv_freq").size(), 32u);
  EXPECT_NEAR(layer.at("inv_freq")[11].get<double>(), 3.900692657e-02, 4e-11);
  EXPECT_NEAR(layer.at("softmax_scale").get<double>(), 1.873854207093, 1e-12);
  EXPECT_EQ(layer.at("table_bytes"), 4 * 64 * 163840);
}

TEST(explain, table_names_every_layer_type_and_what_is_not_applied) {
  const std::string text = explained("llama-4-scout", false);
  for (const char* words : {"rope ", "nope ", "vision ", "no RoPE", "interleaved", "llama3", "not applied"}) {
    EXPECT_NE(text.find(words), std::string::npos) << words << "\n" << text;
  }
}

TEST(explain, shows_the_norms_beside_the_rotation) {
  const std::string text = explained("gemma-3-1b", false);
  for (const char* words : {"norm of", "1 + w", "after_weight", "before", "1e-06"}) {
    EXPECT_NE(text.find(words), std::string::npos) << words << "\n" << text;
  }
  EXPECT_NE(explained("llama-3-8b", false).find("not normalised"), std::string::npos);
  EXPECT_NE(explained("flux-dev-diffusers", false).find("is not known"), std::string::npos);
  const auto json = nlohmann::json::parse(explained("gemma-3-1b", true));
  const auto& norm = json.at("layer_types").at(0).at("q_norm");
  EXPECT_EQ(norm.at("kind"), "rms");
  EXPECT_EQ(norm.at("weight"), "1 + w");
  EXPECT_EQ(norm.at("span"), "head");
  EXPECT_EQ(norm.at("rotation"), "before");
  EXPECT_EQ(norm.at("epsilon"), 1e-6);
  EXPECT_EQ(json.at("layer_types").at(0).at("v_norm").at("kind"), "none");
}

TEST(explain, plot_shows_wavelengths_before_and_after) {
  const auto path = std::filesystem::temp_directory_path() / "hiprope_explain_test.svg";
  explained("gpt-oss-20b", true, path.string());
  std::ifstream stream(path);
  const std::string svg{std::istreambuf_iterator<char>(stream), {}};
  for (const char* words : {"<svg", "</svg>", "all unscaled", "all yarn", "wavelength", "pair"}) {
    EXPECT_NE(svg.find(words), std::string::npos) << words;
  }
  std::filesystem::remove(path);
}

TEST(explain, what_cannot_be_read_or_drawn_is_an_error) {
  EXPECT_THROW(run_explain({.config = "/nonexistent.json", .plot = "", .json = false}), ToolError);
  EXPECT_THROW(explained("whisper", true, "/tmp/never.svg"), ToolError);
  testing::internal::GetCapturedStdout();
}

}  // namespace
}  // namespace hiprope::tools
