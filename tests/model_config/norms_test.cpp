// What the reader says of the norms of Q, K and V, for every form that a family has.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "hiprope/model_config.h"
#include "hiprope/model_config.hpp"

namespace hiprope {
namespace {

using Json = nlohmann::json;

std::string text(const HeadNorm& norm) {
  constexpr const char* kKinds[] = {"unknown", "none", "rms", "layer"};
  constexpr const char* kWeights[] = {"no weight", "w", "1+w"};
  constexpr const char* kRoundings[] = {"never", "G", "L", "root"};
  std::ostringstream out;
  out << kKinds[static_cast<int>(norm.kind)];
  if (norm.kind == HeadNorm::Kind::unknown || norm.kind == HeadNorm::Kind::none) return out.str();
  out << ' ' << kWeights[static_cast<int>(norm.weight)] << (norm.weight_per_head ? " a head" : "")
      << (norm.bias ? " bias" : "") << ' ' << kRoundings[static_cast<int>(norm.rounding)] << ' '
      << (norm.span == HeadNorm::Span::head ? "head" : "row") << ' '
      << (norm.order == HeadNorm::Order::before_rotation ? "before" : "after") << ' ' << norm.epsilon;
  return out.str();
}

// The norms of each layer type of a fixture: "name: Q | K | V".
std::string norms_of(const ModelConfigResult& read) {
  EXPECT_TRUE(read) << read.error;
  std::string all;
  for (const LayerRope& layer : read.model.layer_types) {
    all += layer.name + ": " + text(layer.q_norm) + " | " + text(layer.k_norm) + " | " + text(layer.v_norm) + "\n";
  }
  return all;
}

std::string both(const std::string& name, const std::string& norm, const std::string& v = "none") {
  return name + ": " + norm + " | " + norm + " | " + v + "\n";
}

std::string of_fixture(const std::string& name) {
  return norms_of(read_model_config(HIPROPE_FIXTURES "/" + name + ".json"));
}

TEST(norms, of_the_fixtures) {
  EXPECT_EQ(of_fixture("llama-3-8b"), both("all", "none"));
  EXPECT_EQ(of_fixture("qwen2.5-7b"), both("all", "none"));
  EXPECT_EQ(of_fixture("qwen3-8b"), both("all", "rms w L head before 1e-06"));
  EXPECT_EQ(of_fixture("qwen3-30b-a3b"), both("all", "rms w L head before 1e-06"));
  EXPECT_EQ(of_fixture("qwen3-next-80b"),
            both("linear_attention", "none") + both("full_attention", "rms 1+w G head before 1e-06"));
  EXPECT_EQ(of_fixture("gemma-2-9b"), both("all", "none"));
  EXPECT_EQ(of_fixture("gemma-3-1b"), both("sliding_attention", "rms 1+w G head before 1e-06") +
                                          both("full_attention", "rms 1+w G head before 1e-06"));
  EXPECT_EQ(of_fixture("gemma-3n-e2b"),
            both("sliding_attention", "rms w G head before 1e-06", "rms no weight G head before 1e-06") +
                both("full_attention", "rms w G head before 1e-06", "rms no weight G head before 1e-06"));
  EXPECT_EQ(of_fixture("olmo-2-7b"), both("all", "rms w G row before 1e-05"));
  EXPECT_EQ(of_fixture("minimax-m2"), both("all", "rms w L row before 1e-06"));
  EXPECT_EQ(of_fixture("hunyuan-a13b"), both("all", "rms w L head after 1e-05"));
  EXPECT_EQ(of_fixture("nanochat-d12"), both("all", "rms no weight G head after 1e-06"));
  EXPECT_EQ(of_fixture("apertus-8b"), both("all", "rms w L head before 1e-05"));
  EXPECT_EQ(of_fixture("deepseek-v4-fp8-sglang-deepseek_ref"),
            "main: rms no weight root head before 1e-06 | rms w G head before 1e-06 | none\n"
            "compress: rms no weight root head before 1e-06 | rms w G head before 1e-06 | none\n"
            "indexer: unknown | unknown | unknown\n");
  EXPECT_EQ(of_fixture("deepseek-v3.2"),
            both("all", "none") + "indexer: none | layer w bias G head before 1e-06 | none\n");
}

TEST(norms, follow_the_layers) {
  // Llama 4 normalises where it rotates, Llama 3.2 Vision in cross attention alone, EXAONE on every layer.
  EXPECT_EQ(of_fixture("llama-4-scout"), both("rope", "rms no weight G head after 1e-05") + both("nope", "none") +
                                             both("vision", "unknown", "unknown"));
  EXPECT_EQ(of_fixture("llama-3.2-90b-vision-mllama"),
            both("full_attention", "none") + both("cross_attention", "rms w L head before 1e-05"));
  EXPECT_EQ(of_fixture("k-exaone-exaone_moe"), both("sliding_attention", "rms w L head before 1e-05") +
                                                   both("full_attention", "rms w L head before 1e-05"));
  EXPECT_EQ(of_fixture("trinity-nano-afmoe"), both("sliding_attention", "rms w G head before 1e-05") +
                                                  both("full_attention", "rms w G head before 1e-05"));
}

Json small(const char* model_type) {
  return {{"model_type", model_type}, {"hidden_size", 512},  {"num_attention_heads", 8},
          {"num_hidden_layers", 2},   {"rope_theta", 10000}, {"max_position_embeddings", 64}};
}

std::string of(const Json& config) {
  return norms_of(parse_model_config(config.dump()));
}

TEST(norms, by_flag) {
  const std::vector<std::tuple<const char*, const char*, bool, std::string>> cases = {
      {"cohere", "use_qk_norm", false, "layer w a head G head before 1e-05"},
      {"stablelm", "qk_layernorm", false, "layer w a head G head before 1e-05"},
      {"phi", "qk_layernorm", false, "layer w bias G head before 1e-05"},
      {"persimmon", "qk_layernorm", true, "layer w bias G head before 1e-05"},
      {"glm4_moe", "use_qk_norm", false, "rms w L head before 1e-05"},
      {"bailing_moe_v2", "use_qk_norm", false, "rms w L head before 1e-06"},
      {"minimax_m2", "use_qk_norm", true, "rms w L row before 1e-06"},
      {"hunyuan_v1_dense", "use_qk_norm", true, "rms w L head after 1e-05"},
      {"hy_v3", "qk_norm", true, "rms w L head before 1e-05"},
  };
  for (const auto& [family, flag, by_default, norm] : cases) {
    SCOPED_TRACE(family);
    Json config = small(family);
    EXPECT_EQ(of(config), both("all", by_default ? norm : "none"));
    config[flag] = true;
    EXPECT_EQ(of(config), both("all", norm));
    config[flag] = false;
    EXPECT_EQ(of(config), both("all", "none"));
  }
}

TEST(norms, without_a_flag) {
  const std::vector<std::pair<const char*, std::string>> cases = {
      {"flex_olmo", "rms w G row before 1e-06"},
      {"olmoe", "rms w L row before 1e-05"},
      {"dots1", "rms w L head before 1e-06"},
      {"lfm2", "rms w L head before 1e-05"},
      {"chameleon", "layer w a head bias L head before 1e-05"},
      {"minimax_m3_vl", "rms 1+w G head before 1e-06"},
      {"qwen3_vl", "rms w L head before 1e-06"},
      {"internlm2", "none"},
      {"gpt_oss", "none"},
  };
  for (const auto& [family, norm] : cases) EXPECT_EQ(of(small(family)), both("all", norm)) << family;
  EXPECT_EQ(of(small("zebra")), both("all", "unknown", "unknown"));
}

TEST(norms, take_the_files_epsilon) {
  Json config = small("qwen3");
  config["rms_norm_eps"] = 0.25;
  EXPECT_EQ(of(config), both("all", "rms w L head before 0.25"));
  config["rms_norm_eps"] = -1;
  EXPECT_NE(parse_model_config(config.dump()).error.find("rms_norm_eps is -1"), std::string::npos);
}

TEST(c_interface, says_what_cpp_says) {
  for (const char* name : {"gemma-3n-e2b", "llama-4-scout", "deepseek-v3.2", "whisper"}) {
    SCOPED_TRACE(name);
    const std::string path = HIPROPE_FIXTURES "/" + std::string(name) + ".json";
    const ModelConfigResult read = read_model_config(path);
    ASSERT_TRUE(read) << read.error;
    const hiprope_model_config* c = hiprope_read_model_config(path.c_str(), 0);
    ASSERT_NE(c, nullptr);
    ASSERT_EQ(c->error, nullptr);
    EXPECT_EQ(c->model_type, read.model.model_type);
    EXPECT_EQ(c->layer_count, read.model.layer_count);
    ASSERT_EQ(static_cast<std::size_t>(c->note_count), read.model.notes.size());
    for (std::size_t i = 0; i < read.model.notes.size(); ++i) EXPECT_EQ(c->notes[i], read.model.notes[i]);
    EXPECT_EQ(c->query_scale_beta, read.model.query_scale.beta);
    EXPECT_EQ(c->query_scale_period, read.model.query_scale.period);
    EXPECT_EQ(c->query_scale_offset, read.model.query_scale.offset);
    EXPECT_EQ(c->query_scale_layer_count, static_cast<std::int32_t>(read.model.query_scale.layers.size()));
    ASSERT_EQ(static_cast<std::size_t>(c->layer_type_count), read.model.layer_types.size());
    for (std::size_t i = 0; i < read.model.layer_types.size(); ++i) {
      const LayerRope& layer = read.model.layer_types[i];
      const hiprope_layer_type& type = *c->layer_types[i];
      EXPECT_EQ(type.name, layer.name);
      EXPECT_EQ(type.rope_type, layer.rope_type);
      EXPECT_EQ(type.used_for, layer.used_for);
      EXPECT_EQ(std::vector<std::int32_t>(type.layers, type.layers + type.layer_count), layer.layers);
      EXPECT_EQ(type.config != nullptr, layer.rotates);
      EXPECT_EQ(type.q_norm->kind, static_cast<std::int32_t>(layer.q_norm.kind));
      EXPECT_EQ(type.v_norm->weight, static_cast<std::int32_t>(layer.v_norm.weight));
      EXPECT_EQ(type.k_norm->rounding, static_cast<std::int32_t>(layer.k_norm.rounding));
      EXPECT_EQ(type.k_norm->epsilon, layer.k_norm.epsilon);
      if (type.config == nullptr) continue;
      EXPECT_EQ(type.config->base, layer.config.base);
      EXPECT_EQ(type.config->head_dim, layer.config.head_dim);
    }
    hiprope_free_model_config(c);
  }
}

TEST(c_interface, gives_the_sentence_of_a_refusal) {
  const hiprope_model_config* c = hiprope_read_model_config(nullptr, 0);
  ASSERT_NE(c, nullptr);
  EXPECT_STREQ(c->error, "path is null");
  EXPECT_EQ(c->layer_type_count, 0);
  hiprope_free_model_config(c);
  hiprope_free_model_config(nullptr);
}

}  // namespace
}  // namespace hiprope
