// GGUF files: what they say equals what the same model's config.json says, and hostile ones are refused by name.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gguf_writer.h"
#include "hiprope/model_config.hpp"

namespace hiprope {
namespace {

using test::GgufWriter;

std::vector<double> inv_freq(const RopeConfig& config) {
  std::vector<double> values(static_cast<std::size_t>(config.rotary_dim / 2), -7.0);
  const hiprope_config c = config.to_c();
  hiprope_frequency_report report{};
  report.size = sizeof(report);
  report.inv_freq = values.data();
  report.capacity = static_cast<std::int32_t>(values.size());
  EXPECT_EQ(hiprope_frequencies(&c, &report), hiprope_ok) << hiprope_last_error();
  values.push_back(report.attention_scaling);
  values.push_back(report.softmax_scale);
  return values;
}

ModelConfig read(const std::string& bytes, bool strict = true) {
  const ModelConfigResult result = parse_model_config(bytes, {.strict = strict});
  EXPECT_TRUE(result) << result.error;
  return result.model;
}

void expect_refused(const std::string& bytes, const std::string& words) {
  const ModelConfigResult result = parse_model_config(bytes);
  EXPECT_FALSE(result);
  EXPECT_NE(result.error.find(words), std::string::npos) << "\"" << result.error << "\" lacks \"" << words << "\"";
  EXPECT_TRUE(result.model.layer_types.empty());
}

// Everything but the names, and the pairing, which the GGUF converter changes with the weights.
void expect_same_rotation(const ModelConfig& gguf, const ModelConfig& json) {
  EXPECT_EQ(gguf.layer_count, json.layer_count);
  ASSERT_EQ(gguf.layer_types.size(), json.layer_types.size());
  for (std::size_t i = 0; i < json.layer_types.size(); ++i) {
    const LayerRope& a = gguf.layer_types[i];
    const LayerRope& b = json.layer_types[i];
    SCOPED_TRACE(b.name);
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.rotates, b.rotates);
    EXPECT_EQ(a.layers, b.layers);
    if (!b.rotates) continue;
    EXPECT_EQ(a.heads, b.heads);
    EXPECT_EQ(a.kv_heads, b.kv_heads);
    EXPECT_EQ(a.config.head_dim, b.config.head_dim);
    EXPECT_EQ(a.config.rotary_dim, b.config.rotary_dim);
    EXPECT_EQ(a.config.base, b.config.base);
    EXPECT_EQ(a.config.max_positions, b.config.max_positions);
    EXPECT_EQ(a.config.axes, b.config.axes);
    EXPECT_EQ(a.config.sections, b.config.sections);
    EXPECT_EQ(a.config.axis_layout, b.config.axis_layout);
    EXPECT_EQ(inv_freq(a.config), inv_freq(b.config));
    EXPECT_EQ(a.q_norm.kind, b.q_norm.kind);
    EXPECT_NEAR(a.q_norm.epsilon, b.q_norm.epsilon, 1e-12);
  }
}

ModelConfig fixture(const std::string& name) {
  const ModelConfigResult result = read_model_config(HIPROPE_FIXTURES "/" + name + ".json");
  EXPECT_TRUE(result) << result.error;
  return result.model;
}

// The keys that llama.cpp's converter writes for a model of `layers` layers.
GgufWriter writer(const std::string& name, std::uint32_t layers, std::uint32_t width, std::uint32_t heads,
                  std::uint32_t kv_heads, std::uint32_t context, float base) {
  GgufWriter out;
  out.text("general.architecture", name)
      .u32(name + ".block_count", layers)
      .u32(name + ".context_length", context)
      .u32(name + ".embedding_length", width)
      .u32(name + ".attention.head_count", heads)
      .u32(name + ".attention.head_count_kv", kv_heads)
      .f32(name + ".rope.freq_base", base);
  return out;
}

GgufWriter small(const std::string& name) {
  return writer(name, 8, 512, 8, 4, 4096, 10000);
}

GgufWriter smollm2() {
  return writer("llama", 30, 576, 9, 3, 8192, 100000)
      .f32("llama.attention.layer_norm_rms_epsilon", 1e-5F)
      .u32("llama.rope.dimension_count", 64)
      .texts("tokenizer.ggml.tokens", {"a", "b", "\x1b[31m"})
      .list("tokenizer.ggml.scores", 6, std::vector<float>(100000, -1000.0F));
}

GgufWriter gemma3() {
  GgufWriter out = writer("gemma3", 18, 640, 4, 1, 32768, 1e6)
                       .f32("gemma3.attention.layer_norm_rms_epsilon", 1e-6F)
                       .u32("gemma3.attention.key_length", 256)
                       .u32("gemma3.attention.sliding_window", 512);
  for (const char* layer : {"0", "5"}) {
    for (const char* which : {"q", "k"}) {
      out.tensor("blk." + std::string(layer) + ".attn_" + which + "_norm.weight", {256}, std::vector<float>(256, 1.0F));
    }
  }
  return out;
}

TEST(gguf, of_smollm2_and_gemma3_says_what_config_json_says) {
  const ModelConfig llama = read(smollm2().bytes());
  expect_same_rotation(llama, fixture("smollm2-135m"));
  EXPECT_EQ(llama.layer_types[0].config.pairing, Pairing::interleaved);
  const ModelConfig gemma = read(gemma3().bytes());
  expect_same_rotation(gemma, fixture("gemma-3-270m"));
  EXPECT_EQ(gemma.layer_types[0].config.pairing, Pairing::half_split);
  // The converter adds the 1 of 1 + w.
  EXPECT_EQ(gemma.layer_types[0].q_norm.weight, HeadNorm::Weight::plain);
}

// Whole files of weights, where HIPROPE_GGUF_FILES names their folder.
TEST(gguf, whole_files_say_what_config_json_says) {
  const char* folder = std::getenv("HIPROPE_GGUF_FILES");
  if (folder == nullptr) GTEST_SKIP() << "HIPROPE_GGUF_FILES names no folder of GGUF files";
  for (const auto& [file, name] : {std::pair{"SmolLM2-135M-Instruct.Q4_1.gguf", "smollm2-135m"},
                                   std::pair{"gemma-3-270m-q4_k_m.gguf", "gemma-3-270m"}}) {
    SCOPED_TRACE(file);
    const ModelConfigResult result =
        read_model_config((std::filesystem::path(folder) / file).string(), {.strict = true});
    ASSERT_TRUE(result) << result.error;
    expect_same_rotation(result.model, fixture(name));
  }
}

TEST(gguf, a_file_is_mapped_whatever_its_size) {
  const auto path = std::filesystem::temp_directory_path() / "hiprope_gguf_test.gguf";
  std::ofstream(path, std::ios::binary) << smollm2().bytes();
  std::filesystem::resize_file(path, std::uintmax_t{1} << 34);  // sparse: a reader of the weights would need 16 GiB
  const ModelConfigResult result = read_model_config(path.string());
  EXPECT_TRUE(result) << result.error;
  std::filesystem::remove(path);
}

TEST(gguf, pairing_is_that_of_the_architecture) {
  for (const char* name :
       {"llama", "command-r", "internlm2", "granite", "smollm3", "deepseek2", "chatglm", "ernie4_5"}) {
    EXPECT_EQ(read(small(name).bytes()).layer_types[0].config.pairing, Pairing::interleaved) << name;
  }
  for (const char* name : {"qwen2", "qwen3", "phi3", "gptneox", "falcon", "gemma", "stablelm", "minicpm3", "olmo2"}) {
    EXPECT_EQ(read(small(name).bytes()).layer_types[0].config.pairing, Pairing::half_split) << name;
  }
  for (const char* name : {"gpt2", "mamba", "jamba", "nemotron_h", "kimi-linear"}) {
    EXPECT_FALSE(read(small(name).bytes()).layer_types[0].rotates) << name;
  }
}

TEST(gguf, layers_without_rope) {
  const ModelConfig smollm = read(small("smollm3").bytes());
  ASSERT_EQ(smollm.layer_types.size(), 2u);
  EXPECT_EQ(smollm.layer_types[1].name, "nope");
  EXPECT_EQ(smollm.layer_types[1].layers, (std::vector<std::int32_t>{3, 7}));
  const ModelConfig cohere = read(small("cohere2").u32("cohere2.attention.sliding_window", 4096).bytes());
  ASSERT_EQ(cohere.layer_types.size(), 2u);
  EXPECT_FALSE(cohere.layer_types[1].rotates);
  EXPECT_EQ(cohere.layer_types[1].layers, (std::vector<std::int32_t>{3, 7}));
  GgufWriter hybrid;
  hybrid.text("general.architecture", "lfm2").u32("lfm2.block_count", 3).u32("lfm2.context_length", 128);
  hybrid.u32("lfm2.embedding_length", 512).u32("lfm2.attention.head_count", 8);
  hybrid.list("lfm2.attention.head_count_kv", 5, std::vector<std::int32_t>{0, 4, 0});
  const ModelConfig lfm = read(hybrid.bytes());
  ASSERT_EQ(lfm.layer_types.size(), 2u);
  EXPECT_EQ(lfm.layer_types[0].name, "recurrent");
  EXPECT_EQ(lfm.layer_types[1].layers, (std::vector<std::int32_t>{1}));
  EXPECT_EQ(lfm.layer_types[1].kv_heads, 4);
}

TEST(gguf, windows_have_their_own_base) {
  const ModelConfig model =
      read(small("gemma3")
               .u32("gemma3.attention.sliding_window", 512)
               .f32("gemma3.rope.freq_base_swa", 5000)
               .list("gemma3.attention.sliding_window_pattern", 7, std::vector<std::uint8_t>{0, 1, 1, 1, 1, 1, 1, 0})
               .text("gemma3.rope.scaling.type", "linear")
               .f32("gemma3.rope.scaling.factor", 8)
               .bytes());
  ASSERT_EQ(model.layer_types.size(), 2u);
  EXPECT_EQ(model.layer_types[0].name, "full_attention");
  EXPECT_EQ(model.layer_types[0].layers, (std::vector<std::int32_t>{0, 7}));
  EXPECT_EQ(model.layer_types[0].config.scaling.factor, 8);
  EXPECT_EQ(model.layer_types[1].config.base, 5000);
  EXPECT_EQ(model.layer_types[1].config.scaling.type, ScalingType::none);
}

TEST(gguf, yarn_is_hugging_faces) {
  const ModelConfig model = read(writer("qwen2", 80, 8192, 64, 8, 32768, 1e6)
                                     .text("qwen2.rope.scaling.type", "yarn")
                                     .f32("qwen2.rope.scaling.factor", 4)
                                     .u32("qwen2.rope.scaling.original_context_length", 32768)
                                     .bytes());
  expect_same_rotation(model, fixture("qwen2.5-yarn-32768"));
}

TEST(gguf, deepseeks_log_multiplier_is_the_softmax_scale) {
  const ModelConfig model = read(writer("deepseek2", 61, 7168, 128, 1, 163840, 10000)
                                     .u32("deepseek2.attention.key_length", 576)
                                     .u32("deepseek2.attention.key_length_mla", 192)
                                     .u32("deepseek2.rope.dimension_count", 64)
                                     .text("deepseek2.rope.scaling.type", "yarn")
                                     .f32("deepseek2.rope.scaling.factor", 40)
                                     .u32("deepseek2.rope.scaling.original_context_length", 4096)
                                     .f32("deepseek2.rope.scaling.yarn_log_multiplier", 0.1F)
                                     .bytes());
  const std::vector<double> values = inv_freq(model.layer_types[0].config);
  const std::vector<double> wanted = inv_freq(fixture("deepseek-v3").layer_types[0].config);
  ASSERT_EQ(values.size(), wanted.size());
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], wanted[i], 1e-6 * wanted[i]) << i;
}

TEST(gguf, factors_of_frequencies) {
  std::vector<float> factors(32, 1.0F);
  factors[31] = 8.0F;
  const ModelConfig model = read(small("llama").tensor("rope_freqs.weight", {32}, factors).bytes());
  const std::vector<double> values = inv_freq(model.layer_types[0].config);
  EXPECT_EQ(values[0], 1.0);
  EXPECT_NEAR(values[31], std::pow(10000.0, -62.0 / 64) / 8, 1e-15);

  std::vector<float> longer(32, 4.0F);
  const ModelConfig phi = read(small("phi3")
                                   .u32("phi3.rope.scaling.original_context_length", 1024)
                                   .f32("phi3.rope.scaling.attn_factor", 1.25F)
                                   .tensor("rope_factors_long.weight", {32}, longer)
                                   .tensor("rope_factors_short.weight", {32}, factors)
                                   .bytes());
  ASSERT_EQ(phi.layer_types.size(), 2u);
  EXPECT_EQ(phi.layer_types[0].name, "short");
  EXPECT_EQ(inv_freq(phi.layer_types[1].config)[0], 0.25);
  EXPECT_EQ(inv_freq(phi.layer_types[1].config)[32], 1.25);
}

TEST(gguf, sections_are_axes) {
  const std::vector<std::int32_t> sections{12, 10, 10, 0};
  const ModelConfig chunked = read(small("qwen2vl").list("qwen2vl.rope.dimension_sections", 5, sections).bytes());
  EXPECT_EQ(chunked.layer_types[0].config.axes, 3);
  EXPECT_EQ(chunked.layer_types[0].config.axis_layout, AxisLayout::chunked);
  const ModelConfig interleaved = read(small("qwen3vl").list("qwen3vl.rope.dimension_sections", 5, sections).bytes());
  EXPECT_EQ(interleaved.layer_types[0].config.axis_layout, AxisLayout::interleaved);
  expect_refused(small("qwen3vl").bytes(), "qwen3vl.rope.dimension_sections is missing");
  expect_refused(small("qwen3vl").list("qwen3vl.rope.dimension_sections", 5, std::vector<std::int32_t>{1, 2}).bytes(),
                 "qwen3vl.rope.dimension_sections must");
}

TEST(gguf, norms_by_the_shape_of_their_weights) {
  const std::vector<float> row(512, 1.0F);
  const ModelConfig olmo = read(small("olmoe").tensor("blk.0.attn_q_norm.weight", {512}, row).bytes());
  EXPECT_EQ(olmo.layer_types[0].q_norm.span, HeadNorm::Span::row);
  const ModelConfig cohere = read(small("command-r").tensor("blk.0.attn_q_norm.weight", {64, 8}, row).bytes());
  EXPECT_EQ(cohere.layer_types[0].q_norm.kind, HeadNorm::Kind::layer);
  EXPECT_TRUE(cohere.layer_types[0].q_norm.weight_per_head);
  const ModelConfig hunyuan =
      read(small("hunyuan-dense").tensor("blk.0.attn_q_norm.weight", {64}, std::vector<float>(64, 1.0F)).bytes());
  EXPECT_EQ(hunyuan.layer_types[0].q_norm.order, HeadNorm::Order::after_rotation);
  EXPECT_EQ(read(small("llama4").bytes()).layer_types[0].q_norm.kind, HeadNorm::Kind::unknown);
  expect_refused(small("qwen3").tensor("blk.0.attn_q_norm.weight", {63}, std::vector<float>(63)).bytes(),
                 "tensor blk.0.attn_q_norm.weight has 63 elements");
}

TEST(gguf, unknown_architectures_and_unused_keys_are_named) {
  const ModelConfig zebra = read(small("zebra").bytes(), false);
  EXPECT_FALSE(zebra.known_family);
  EXPECT_NE(zebra.notes[0].find("\"zebra\" is not known"), std::string::npos);
  EXPECT_FALSE(parse_model_config(small("zebra").bytes(), {.strict = true}));
  const std::string odd = small("llama").f32("llama.rope.twist", 2).bytes();
  const ModelConfig llama = read(odd, false);
  EXPECT_NE(llama.notes.back().find("not used: llama.rope.twist"), std::string::npos) << llama.notes.back();
  EXPECT_FALSE(parse_model_config(odd, {.strict = true}));
}

TEST(gguf, keys_are_refused_by_name) {
  expect_refused(small("deepseek4").bytes(), "\"deepseek4\"");
  expect_refused(GgufWriter().bytes(), "general.architecture is missing");
  GgufWriter bare;
  expect_refused(bare.text("general.architecture", "llama").bytes(), "llama.block_count is missing");
  GgufWriter headless;
  headless.text("general.architecture", "llama").u32("llama.block_count", 2).u32("llama.context_length", 64);
  expect_refused(headless.u32("llama.embedding_length", 64).bytes(), "llama.attention.head_count is missing");
  expect_refused(small("llama").text("llama.rope.dimension_count", "64").bytes(), "llama.rope.dimension_count is ");
  expect_refused(small("llama").u32("llama.rope.dimension_count", 63).bytes(), "llama.rope.dimension_count is 63");
  expect_refused(small("llama").u32("llama.rope.dimension_count", 128).bytes(), "llama.rope.dimension_count is 128");
  expect_refused(small("llama").f32("llama.rope.scaling.factor", NAN).bytes(),
                 "llama.rope.scaling.factor is not finite");
  expect_refused(small("llama").f32("llama.rope.scaling.factor", 0.5F).bytes(), "llama.rope.scaling.factor is 0.5");
  expect_refused(small("llama").text("llama.rope.scaling.type", "spiral").bytes(),
                 "llama.rope.scaling.type \"spiral\"");
  expect_refused(small("llama").u32("llama.block_count", 8).bytes(), "llama.block_count stands twice");
  expect_refused(small("llama").u32("general.alignment", 3).bytes(), "general.alignment must be a power of two");
  expect_refused(small("llama").scalar("x", 13, std::uint32_t{0}).bytes(), "x has the type 13");
  expect_refused(small("llama").scalar("x", 7, std::uint8_t{2}).bytes(), "x is a boolean of value 2");
  expect_refused(small("llama").list("x", 9, std::vector<std::uint32_t>{}).bytes(), "x is a list of type 9");
  expect_refused(small("llama").tensor("rope_freqs.weight", {31}, std::vector<float>(31, 1.0F)).bytes(),
                 "rope_freqs.weight has 31 entries");
  expect_refused(small("llama").tensor("rope_freqs.weight", {32}, std::vector<float>(32, 0.0F)).bytes(),
                 "rope_freqs.weight has 0 at 0");
  expect_refused(small("gemma3")
                     .u32("gemma3.attention.sliding_window", 512)
                     .list("gemma3.attention.sliding_window_pattern", 7, std::vector<std::uint8_t>{1})
                     .bytes(),
                 "gemma3.attention.sliding_window_pattern has 1 entries for 8 layers");
}

TEST(gguf, other_versions_are_refused) {
  GgufWriter file = small("llama");
  file.version = 2;
  EXPECT_TRUE(parse_model_config(file.bytes()));
  for (const auto& [version, words] :
       {std::pair{1u, "version 1"}, std::pair{4u, "version 4"}, std::pair{0x03000000u, "big-endian"}}) {
    file.version = version;
    expect_refused(file.bytes(), words);
  }
}

// Cut anywhere, a file is refused; with any one byte of its head set to 255 it is read or refused, within its bounds.
TEST(gguf, cut_and_spoilt_files_stay_within_their_bytes) {
  GgufWriter file =
      small("llama").texts("tokens", {"a", "bc"}).tensor("rope_freqs.weight", {32}, std::vector<float>(32, 1.0F));
  const std::string whole = file.bytes();
  EXPECT_TRUE(parse_model_config(whole));
  for (std::size_t length = 4; length < whole.size(); ++length) {
    // A copy of its own, so that a reader past its end is seen.
    const std::vector<char> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_FALSE(parse_model_config({part.data(), part.size()})) << length;
  }
  for (std::size_t i = 4; i < whole.size(); ++i) {
    std::string spoilt = whole;
    spoilt[i] = '\xff';
    static_cast<void>(parse_model_config(spoilt));
  }
}

TEST(gguf, counts_that_no_file_can_hold_are_refused_at_once) {
  std::string file = small("llama").bytes();
  const std::uint64_t huge = ~std::uint64_t{0};
  for (const std::size_t at : {8u, 16u, 24u}) {
    std::string spoilt = file;
    spoilt.replace(at, sizeof(huge), reinterpret_cast<const char*>(&huge), sizeof(huge));
    EXPECT_FALSE(parse_model_config(spoilt)) << at;
  }
}

}  // namespace
}  // namespace hiprope
