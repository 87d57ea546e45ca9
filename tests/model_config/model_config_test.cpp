// The config.json reader: old and new spellings agree, and what cannot be read is refused by the field's name.
#include "hiprope/model_config.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace hiprope {
namespace {

using Json = nlohmann::json;

Json llama() {
  return {{"model_type", "llama"},    {"hidden_size", 4096},    {"num_attention_heads", 32},
          {"num_key_value_heads", 8}, {"num_hidden_layers", 4}, {"max_position_embeddings", 8192},
          {"rope_theta", 500000.0}};
}

Json with_scaling(Json scaling, const char* key = "rope_scaling") {
  Json config = llama();
  config[key] = std::move(scaling);
  return config;
}

ModelConfig read(const Json& config) {
  ModelConfigResult result = parse_model_config(config.dump());
  EXPECT_TRUE(result) << result.error;
  EXPECT_FALSE(result.model.layer_types.empty());
  if (result.model.layer_types.empty()) result.model.layer_types.emplace_back();
  return result.model;
}

RopeConfig read_one(const Json& config) {
  return read(config).layer_types.at(0).config;
}

std::vector<double> inv_freq(const RopeConfig& config) {
  std::vector<double> values(static_cast<std::size_t>(config.rotary_dim / 2), -7.0);
  const hiprope_config c_config = config.to_c();
  hiprope_frequency_report report{};
  report.size = sizeof(report);
  report.inv_freq = values.data();
  report.capacity = static_cast<std::int32_t>(values.size());
  EXPECT_EQ(hiprope_frequencies(&c_config, &report), hiprope_ok) << hiprope_last_error();
  values.push_back(report.attention_scaling);
  values.push_back(report.softmax_scale);
  return values;
}

void expect_same(const Json& one, const Json& other) {
  const RopeConfig a = read_one(one), b = read_one(other);
  EXPECT_EQ(a.head_dim, b.head_dim);
  EXPECT_EQ(a.rotary_dim, b.rotary_dim);
  EXPECT_EQ(a.base, b.base);
  EXPECT_EQ(a.max_positions, b.max_positions);
  EXPECT_EQ(a.pairing, b.pairing);
  EXPECT_EQ(a.axes, b.axes);
  EXPECT_EQ(inv_freq(a), inv_freq(b));
}

void expect_refused(const std::string& text, const std::string& words) {
  const ModelConfigResult result = parse_model_config(text);
  EXPECT_FALSE(result) << text.substr(0, 400);
  EXPECT_NE(result.error.find(words), std::string::npos) << "\"" << result.error << "\" lacks \"" << words << "\"";
  EXPECT_TRUE(result.model.layer_types.empty());
}

void expect_refused(const Json& config, const std::string& words) {
  expect_refused(config.dump(), words);
}

bool has_note(const ModelConfig& model, const std::string& words) {
  return std::any_of(model.notes.begin(), model.notes.end(),
                     [&](const std::string& note) { return note.find(words) != std::string::npos; });
}

// `text`, an object, with the member `name` before the others.
std::string with_field(const std::string& text, const std::string& name) {
  const std::size_t start = text.find('{') + 1;
  return text.substr(0, start) + "\"" + name + "\": 1, " + text.substr(start);
}

const Json kYarn = {{"rope_type", "yarn"}, {"factor", 4.0}, {"original_max_position_embeddings", 2048}};
const Json kLlama3 = {{"rope_type", "llama3"},
                      {"factor", 8.0},
                      {"low_freq_factor", 1.0},
                      {"high_freq_factor", 4.0},
                      {"original_max_position_embeddings", 8192}};

Json longrope() {
  return {{"rope_type", "longrope"},
          {"short_factor", std::vector<double>(64, 1.0)},
          {"long_factor", std::vector<double>(64, 2.0)},
          {"original_max_position_embeddings", 4096}};
}

TEST(spellings, type_is_rope_type) {
  Json old = kYarn;
  old.erase("rope_type");
  old["type"] = "yarn";
  expect_same(with_scaling(kYarn), with_scaling(old));
  old["rope_type"] = "yarn";
  expect_same(with_scaling(kYarn), with_scaling(old));
}

TEST(spellings, rope_parameters_is_rope_scaling_with_the_base_inside) {
  Json parameters = kYarn;
  parameters["rope_theta"] = 500000.0;
  Json config = with_scaling(parameters, "rope_parameters");
  config.erase("rope_theta");
  expect_same(with_scaling(kYarn), config);
}

TEST(spellings, su_is_longrope) {
  Json su = longrope();
  su["rope_type"] = "su";
  expect_same(with_scaling(longrope()), with_scaling(su));
}

TEST(spellings, original_length_outside_the_object) {
  Json scaling = longrope();
  scaling.erase("original_max_position_embeddings");
  Json config = with_scaling(scaling);
  config["original_max_position_embeddings"] = 4096;
  expect_same(with_scaling(longrope()), config);
}

TEST(spellings, mrope_is_default_with_sections) {
  const std::vector<int> sections = {16, 24, 24};
  expect_same(with_scaling({{"type", "mrope"}, {"mrope_section", sections}}),
              with_scaling({{"rope_type", "default"}, {"mrope_section", sections}}));
  EXPECT_EQ(read_one(with_scaling({{"type", "mrope"}, {"mrope_section", sections}})).axes, 3);
}

TEST(spellings, rotary_pct_and_rotary_emb_base) {
  Json old = llama();
  old.erase("rope_theta");
  old["rotary_pct"] = 0.25;
  old["rotary_emb_base"] = 500000.0;
  Json current = llama();
  current["partial_rotary_factor"] = 0.25;
  expect_same(old, current);
  EXPECT_EQ(read_one(old).rotary_dim, 32);
}

TEST(spellings, rope_ratio_multiplies_10000) {
  Json ratio = llama();
  ratio.erase("rope_theta");
  ratio["rope_ratio"] = 50;
  expect_same(ratio, llama());
}

TEST(spellings, a_text_config_inside) {
  Json outer = {{"model_type", "llava"}, {"text_config", llama()}};
  expect_same(outer, llama());
  expect_same({{"model_type", "qwen2_5_omni"}, {"thinker_config", {{"text_config", llama()}}}}, llama());
}

TEST(spellings, mistral_yarn) {
  Json own = {{"beta", 32.0}, {"alpha", 1.0}, {"factor", 4.0}, {"original_max_position_embeddings", 2048}};
  expect_same(with_scaling(own), with_scaling(kYarn));
  own["apply_scale"] = false;
  EXPECT_EQ(inv_freq(read_one(with_scaling(own)))[64], 1);
}

TEST(spellings, null_is_absent) {
  Json config = llama();
  config["rope_scaling"] = nullptr;
  config["head_dim"] = nullptr;
  config["partial_rotary_factor"] = nullptr;
  expect_same(config, llama());
}

TEST(layer_types, nested_parameters_of_an_unlisted_family) {
  Json config = llama();
  config["model_type"] = "some_new_model";
  config.erase("rope_theta");
  config["layer_types"] = {"full_attention", "sliding_attention", "nothing", "full_attention"};
  config["rope_parameters"] = {{"full_attention", {{"rope_theta", 1e6}, {"partial_rotary_factor", 0.5}}},
                               {"sliding_attention", {{"rope_theta", 1e4}}},
                               {"nothing", nullptr}};
  const ModelConfig model = read(config);
  EXPECT_FALSE(model.known_family);
  EXPECT_TRUE(has_note(model, "model_type \"some_new_model\" is not known"));
  ASSERT_EQ(model.layer_types.size(), 3u);
  EXPECT_EQ(model.layer_types[0].layers, (std::vector<std::int32_t>{0, 3}));
  EXPECT_EQ(model.layer_types[0].config.rotary_dim, 64);
  EXPECT_EQ(model.layer_types[0].config.base, 1e6);
  EXPECT_EQ(model.layer_types[1].config.base, 1e4);
  EXPECT_EQ(model.layer_types[1].config.rotary_dim, 128);
  EXPECT_FALSE(model.layer_types[2].rotates);
  config["layer_types"][2] = "other";
  expect_refused(config, "rope_parameters.other is missing");
}

TEST(layer_types, a_base_of_zero_is_no_rope) {
  Json config = llama();
  config["rope_theta"] = 0;
  EXPECT_FALSE(read(config).layer_types[0].rotates);
}

TEST(notes, an_absent_base_is_the_familys_and_said) {
  Json config = llama();
  config.erase("rope_theta");
  const ModelConfig model = read(config);
  EXPECT_EQ(model.layer_types[0].config.base, 10000);
  EXPECT_TRUE(has_note(model, "rope_theta is absent: 10000 is the default of llama"));
}

TEST(notes, an_unused_parameter_is_said) {
  Json scaling = kYarn;
  scaling["low_freq_factor"] = 1;
  EXPECT_TRUE(has_note(read(with_scaling(scaling)), "rope_scaling.low_freq_factor is not used by type yarn"));
}

TEST(refusals, text_that_is_no_json_object) {
  expect_refused(std::string(), "not valid JSON");
  expect_refused(std::string("[]"), "not a JSON object");
  const std::string whole = with_scaling(kLlama3).dump();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(parse_model_config(whole.substr(0, length))) << length;
  }
}

TEST(python_numbers, are_refused_where_they_matter_and_only_there) {
  const std::string rest =
      R"("model_type": "llama", "hidden_size": 512, "num_attention_heads": 8, "num_hidden_layers": 2,
         "max_position_embeddings": 64, "text": "NaN \" Infinity", "limit": [0.0, Infinity, -Infinity, NaN], )";
  EXPECT_TRUE(parse_model_config("{" + rest + R"("rope_theta": 1e4})"));
  for (const std::string bad : {"NaN", "Infinity", "-Infinity"}) {
    expect_refused("{" + rest + "\"rope_theta\": " + bad + "}", "rope_theta is \"" + bad + "\"");
  }
  expect_refused("{" + rest + R"("rope_theta": Infinit})", "not valid JSON");
}

TEST(refusals, what_is_nested_too_deep) {
  const std::string many(1'000'000, '[');
  expect_refused(R"({"model_type": "llama", "rope_theta": )" + many + std::string(many.size(), ']') + "}", "nested");
}

// Every fixture with one more field, which no rule knows, at its root and in its text config.
TEST(unused_fields, are_named_with_what_was_assumed_and_refused_when_strict) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(HIPROPE_FIXTURES)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".expected.json")) continue;
    SCOPED_TRACE(name);
    std::ifstream stream(entry.path());
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    const ModelConfigResult plain = parse_model_config(text, {.strict = true});
    EXPECT_TRUE(plain) << plain.error;
    for (const char* word : {"some_rope_thing", "rotaryKind", "x_nope_layers", "position_rule", "cross_attention_map",
                             "other_layer_types", "mrope_order", "axis_sections"}) {
      const std::string changed = with_field(text, word);
      const ModelConfigResult read = parse_model_config(changed);
      ASSERT_TRUE(read) << read.error;
      EXPECT_TRUE(has_note(read.model, "not used: " + std::string(word) + "; assumed without: "));
      const ModelConfigResult refused = parse_model_config(changed, {.strict = true});
      EXPECT_NE(refused.error.find(word), std::string::npos) << refused.error;
    }
    ++files;
  }
  EXPECT_GE(files, 130);
}

TEST(unused_fields, of_a_nested_object_have_its_name) {
  Json config = llama();
  config["text_config"] = {{"model_type", "llama"}, {"rope_speed", 2}};
  config["text_config"].update(llama());
  EXPECT_TRUE(has_note(read(config), "text_config.rope_speed"));
  config = llama();
  config["audio_config"] = {{"max_position_embeddings", 1500}};
  EXPECT_TRUE(has_note(read(config), "audio_config.max_position_embeddings"));
}

TEST(strict, refuses_an_unknown_family) {
  Json config = llama();
  config["model_type"] = "zebra";
  EXPECT_TRUE(parse_model_config(config.dump()));
  const ModelConfigResult refused = parse_model_config(config.dump(), {.strict = true});
  EXPECT_NE(refused.error.find("zebra"), std::string::npos) << refused.error;
}

// The note on the pairing says what is done.
TEST(notes, an_unknown_model_with_latent_attention_is_read_interleaved) {
  Json config = llama();
  config["model_type"] = "zebra";
  config["qk_rope_head_dim"] = 64;
  const ModelConfig model = read(config);
  EXPECT_EQ(model.layer_types[0].config.pairing, Pairing::interleaved);
  EXPECT_TRUE(has_note(model, "interleaved pairs, as DeepSeek-V3"));
  EXPECT_FALSE(has_note(model, "half_split"));
}

TEST(files, of_models_whose_rope_fields_are_missing_name_what_is_missing) {
  expect_refused(Json{{"model_type", "step3p7"},
                      {"num_hidden_layers", 2},
                      {"hidden_size", 4096},
                      {"num_attention_heads", 64},
                      {"max_position_embeddings", 65536},
                      {"layer_types", {"full_attention", "sliding_attention"}}},
                 "rope_theta is missing");
  expect_refused(Json{{"_class_name", "LTXVideoTransformer3DModel"}, {"num_layers", 2}}, "no whole numbers");
  expect_refused(Json{{"_class_name", "UNet2DConditionModel"}}, "_class_name \"UNet2DConditionModel\" is not known");
}

TEST(vision, a_tower_that_cannot_be_read_is_a_note) {
  Json config = llama();
  config["model_type"] = "kimi_k25";
  config["text_config"] = llama();
  config["vision_config"] = {{"model_type", "kimi_k25_vision"}, {"hidden_size", 1152}};
  const ModelConfig model = read(config);
  EXPECT_EQ(model.layer_types.size(), 1u);
  EXPECT_TRUE(has_note(model, "vision_config.num_attention_heads is missing"));
}

TEST(refusals, a_key_that_stands_twice) {
  const std::string rest =
      R"("hidden_size": 512, "num_attention_heads": 8, "num_hidden_layers": 2, "max_position_embeddings": 64)";
  const std::string once = R"({"model_type": "llama", "rope_theta": 1e4, )" + rest + "}";
  EXPECT_TRUE(parse_model_config(once)) << parse_model_config(once).error;
  expect_refused(R"({"model_type": "llama", "rope_theta": 1e4, "rope_theta": 1e6, )" + rest + "}",
                 "rope_theta stands twice");
  expect_refused(
      R"({"model_type": "llama", "rope_scaling": {"factor": 2, "type": "linear", "factor": 4}, )" + rest + "}",
      "factor stands twice");
}

TEST(refusals, unknown_rope_type) {
  expect_refused(with_scaling({{"rope_type", "spiral"}, {"factor", 2}}), "rope_scaling.rope_type \"spiral\"");
  expect_refused(with_scaling({{"type", "spiral"}}), "rope_scaling.type \"spiral\"");
  expect_refused(with_scaling({{"type", "linear"}, {"rope_type", "yarn"}, {"factor", 2}}), "rope_scaling.rope_type");
  expect_refused(with_scaling({{"factor", 2}}), "rope_scaling.rope_type is missing");
}

TEST(refusals, unknown_model_without_rope_fields) {
  Json config = llama();
  config["model_type"] = "gpt2";
  config.erase("rope_theta");
  expect_refused(config, "model_type \"gpt2\" is not known");
  config.erase("model_type");
  expect_refused(config, "model_type is missing");
}

TEST(refusals, missing_fields) {
  for (const char* field : {"num_attention_heads", "max_position_embeddings", "hidden_size"}) {
    Json config = llama();
    config.erase(field);
    expect_refused(config, std::string(field) + " is missing");
  }
  for (const Json& scaling : {kYarn, kLlama3, longrope()}) {
    for (const auto& [field, value] : scaling.items()) {
      if (field == "rope_type" || (field == "factor" && scaling["rope_type"] == "yarn")) continue;
      Json part = scaling;
      part.erase(field);
      expect_refused(with_scaling(part), "rope_scaling." + field + " is missing");
    }
  }
  expect_refused(with_scaling({{"rope_type", "linear"}}), "rope_scaling.factor is missing");
  expect_refused(with_scaling({{"rope_type", "dynamic"}}), "rope_scaling.factor is missing");
}

TEST(refusals, wrong_kinds_of_value) {
  for (const Json& bad : {Json("8"), Json(true), Json::array({8}), Json::object()}) {
    for (const char* field : {"num_attention_heads", "num_hidden_layers", "max_position_embeddings", "rope_theta",
                              "hidden_size", "num_key_value_heads", "partial_rotary_factor", "head_dim"}) {
      Json config = llama();
      config[field] = bad;
      expect_refused(config, std::string(field) + " is ");
    }
    for (const char* field : {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}) {
      Json scaling = kLlama3;
      scaling[field] = bad;
      expect_refused(with_scaling(scaling), std::string("rope_scaling.") + field + " is ");
    }
  }
  Json config = llama();
  config["rope_scaling"] = "yarn";
  expect_refused(config, "rope_scaling is \"yarn\"; it must be an object");
  Json truncate = kYarn;
  truncate["truncate"] = "false";
  expect_refused(with_scaling(truncate), "rope_scaling.truncate is ");
}

TEST(refusals, numbers_out_of_range) {
  const std::vector<std::pair<const char*, Json>> cases = {
      {"num_attention_heads", 0},
      {"num_attention_heads", -1},
      {"num_attention_heads", 1.5},
      {"num_hidden_layers", 1e9},
      {"max_position_embeddings", 0},
      {"max_position_embeddings", 1e300},
      {"head_dim", 1000000},
      {"partial_rotary_factor", 1.5},
      {"partial_rotary_factor", -0.5},
      {"partial_rotary_factor", 1e-3},
      {"rope_theta", -1},
      {"rotary_dim", 7},
  };
  for (const auto& [field, value] : cases) {
    Json config = llama();
    config[field] = value;
    expect_refused(config, field);
  }
  for (const char* field : {"factor", "low_freq_factor", "high_freq_factor"}) {
    for (const double bad : {0.0, -2.0}) {
      Json scaling = kLlama3;
      scaling[field] = bad;
      expect_refused(with_scaling(scaling), std::string("rope_scaling.") + field + " is ");
    }
  }
  Json below = kYarn;
  below["factor"] = 0.5;
  expect_refused(with_scaling(below), "rope_scaling.factor is 0.5");
}

TEST(refusals, lists_of_the_wrong_length_or_content) {
  for (const char* field : {"short_factor", "long_factor"}) {
    Json scaling = longrope();
    scaling[field] = std::vector<double>(63, 1.0);
    expect_refused(with_scaling(scaling), std::string("rope_scaling.") + field + " has 63 entries");
    scaling[field] = std::vector<double>(64, 1.0);
    scaling[field][9] = "x";
    expect_refused(with_scaling(scaling), std::string("rope_scaling.") + field + "[9]");
    scaling[field][9] = 0;
    expect_refused(with_scaling(scaling), std::string("rope_scaling.") + field + "[9] is 0");
  }
  expect_refused(with_scaling({{"type", "mrope"}, {"mrope_section", {16, 24}}}),
                 "rope_scaling.mrope_section sums to 40");
  expect_refused(with_scaling({{"type", "mrope"}, {"mrope_section", {64}}}),
                 "rope_scaling.mrope_section has 1 entries");
  expect_refused(with_scaling({{"type", "mrope"}, {"mrope_section", {64, -1, 1}}}), "rope_scaling.mrope_section[1]");
  expect_refused(with_scaling({{"type", "default"}, {"mrope_interleaved", true}}), "mrope_section is missing");
  Json config = llama();
  config["layer_types"] = {"full_attention"};
  expect_refused(config, "layer_types has 1 entries for 4 layers");
}

TEST(refusals, two_spellings_that_disagree) {
  Json config = llama();
  config["rotary_pct"] = 0.25;
  config["partial_rotary_factor"] = 0.5;
  expect_refused(config, "partial_rotary_factor is 0.5, but rotary_pct is 0.25");
}

TEST(refusals, unsupported_methods) {
  Json config = llama();
  config["use_fope"] = true;
  expect_refused(config, "use_fope");
  config = llama();
  config["dual_chunk_attention_config"] = {{"chunk_size", 262144}};
  expect_refused(config, "dual_chunk_attention_config");
}

TEST(files, missing_and_directory) {
  const ModelConfigResult missing = read_model_config("/nonexistent/config.json");
  EXPECT_NE(missing.error.find("/nonexistent/config.json cannot be read"), std::string::npos) << missing.error;
  const auto folder = std::filesystem::temp_directory_path() / "hiprope_model_config_test";
  std::filesystem::create_directories(folder);
  EXPECT_FALSE(read_model_config(folder.string()));
  std::ofstream(folder / "config.json") << llama().dump();
  EXPECT_TRUE(read_model_config(folder.string()));
  std::filesystem::remove_all(folder);
}

// The file is sparse: a reader that read it would need a gigabyte.
TEST(files, a_gigabyte_is_refused_unread) {
  const auto path = std::filesystem::temp_directory_path() / "hiprope_model_config_huge.json";
  std::ofstream(path) << llama().dump();
  std::filesystem::resize_file(path, std::uintmax_t{1} << 30);
  const ModelConfigResult huge = read_model_config(path.string());
  EXPECT_NE(huge.error.find("has 1073741824 bytes; the limit is 16777216"), std::string::npos) << huge.error;
  std::filesystem::remove(path);
  EXPECT_FALSE(parse_model_config(std::string(kModelConfigSizeLimit + 1, ' ')));
}

TEST(families, are_listed_once) {
  auto names = model_config_families();
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  EXPECT_GE(names.size(), 60u);
}

}  // namespace
}  // namespace hiprope
