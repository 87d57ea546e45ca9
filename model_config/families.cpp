// The table of model families.
#include "families.h"

#include <algorithm>

namespace hiprope::model_config_internal {
namespace {

constexpr Pairing kInterleaved = Pairing::interleaved;
constexpr Role kSliding = {.name = "sliding_attention", .base_key = "rope_local_base_freq", .base = 10000};
constexpr Role kGemmaGlobal = {.name = "full_attention", .base_key = "rope_theta", .base = 1e6, .scaled = true};

constexpr Role kGemma4Local = {
    .name = "sliding_attention", .base_key = "rope_local_base_freq", .base = 10000, .partial = 1, .whole_head = true};
constexpr Family kDeepseekV4 = {
    .model_type = "deepseek_v4",
    .pairing = kInterleaved,
    .heads = HeadRule::last_dims,
    .layers = LayerRule::local_global,
    .head_dim = 512,
    .local = {.name = "main", .base_key = "rope_theta", .base = 10000},
    .global = {.name = "compress", .base_key = "compress_rope_theta", .base = 160000, .scaled = true},
    .yarn_attention = 1,
    .indexer = true,
    .indexer_pairing = kInterleaved,
    .indexer_at_end = true};
constexpr Family kStep3 = {.model_type = "step3p5",
                           .layers = LayerRule::local_global,
                           .base = 0,
                           .local = {.name = "sliding_attention", .heads_object = "attention_other_setting"},
                           .global = {.name = "full_attention", .scaled = true}};
constexpr Family kExaone = {.model_type = "exaone4", .layers = LayerRule::nope_full, .interval = 4};

constexpr Family named(Family family, std::string_view model_type) {
  family.model_type = model_type;
  return family;
}

constexpr Family kFamilies[] = {
    {.model_type = "llama"},
    {.model_type = "llama4",
     .pairing = kInterleaved,
     .layers = LayerRule::nope_every,
     .base = 5e5,
     .head_dim = 128,
     .interval = 4},
    {.model_type = "mistral"},
    {.model_type = "mixtral", .base = 1e6},
    {.model_type = "mistral_native", .pairing = kInterleaved},
    {.model_type = "meta_native", .pairing = kInterleaved},
    {.model_type = "deepseek_native", .pairing = kInterleaved, .heads = HeadRule::mla, .softmax_mscale = true},
    {.model_type = "ministral3", .base = 1e6},
    {.model_type = "mistral4", .pairing = kInterleaved, .heads = HeadRule::mla},
    {.model_type = "qwen2"},
    {.model_type = "qwen2_moe"},
    {.model_type = "qwen3"},
    {.model_type = "qwen3_moe"},
    {.model_type = "qwen3_next", .partial = 0.25, .head_dim = 256, .interval = 4},
    {.model_type = "qwen3_5", .partial = 0.25, .head_dim = 256, .interval = 4, .axis_layout = AxisLayout::interleaved},
    {.model_type = "qwen3_5_moe",
     .partial = 0.25,
     .head_dim = 256,
     .interval = 4,
     .axis_layout = AxisLayout::interleaved},
    {.model_type = "qwen2_vl", .base = 1e6},
    {.model_type = "qwen2_5_vl", .base = 1e6},
    {.model_type = "qwen2_5_omni", .base = 1e6},
    {.model_type = "qwen3_vl",
     .base = 5e5,
     .head_dim = 128,
     .axis_layout = AxisLayout::interleaved,
     .sections = {24, 20, 20}},
    {.model_type = "qwen3_vl_moe", .base = 5e5, .axis_layout = AxisLayout::interleaved, .sections = {24, 20, 20}},
    {.model_type = "qwen3_omni_moe", .base = 1e6, .axis_layout = AxisLayout::interleaved},
    {.model_type = "paddleocr_vl", .base = 5e5},
    {.model_type = "gemma", .head_dim = 256},
    {.model_type = "gemma2", .head_dim = 256},
    {.model_type = "gemma3",
     .layers = LayerRule::local_global,
     .head_dim = 256,
     .head_count = 8,
     .kv_head_count = 4,
     .layer_count = 26,
     .max_positions = 131072,
     .interval = 6,
     .local = kSliding,
     .global = kGemmaGlobal},
    {.model_type = "gemma3n",
     .layers = LayerRule::local_global,
     .head_dim = 256,
     .head_count = 8,
     .kv_head_count = 2,
     .layer_count = 35,
     .max_positions = 32768,
     .interval = 5,
     .local = kSliding,
     .global = kGemmaGlobal},
    {.model_type = "gemma4",
     .layers = LayerRule::local_global,
     .head_dim = 256,
     .head_count = 8,
     .kv_head_count = 4,
     .layer_count = 30,
     .max_positions = 131072,
     .interval = 6,
     .local = kGemma4Local,
     .global = {.name = "full_attention",
                .base_key = "rope_theta",
                .base = 1e6,
                .scaled = true,
                .proportional = true,
                .partial = 0.25,
                .prefix = "global_",
                .kv_heads_key = "num_global_key_value_heads",
                .head_dim = 512}},
    {.model_type = "phi", .partial = 0.5},
    {.model_type = "phi3"},
    {.model_type = "phimoe", .base = 1e6},
    {.model_type = "gptj", .pairing = kInterleaved, .max_positions = 2048},
    {.model_type = "codegen", .pairing = kInterleaved, .max_positions = 2048},
    {.model_type = "gpt_neox", .partial = 0.25},
    {.model_type = "falcon", .heads = HeadRule::falcon, .max_positions = 2048},
    {.model_type = "RefinedWeb", .heads = HeadRule::falcon, .max_positions = 2048},
    {.model_type = "RefinedWebModel", .heads = HeadRule::falcon, .max_positions = 2048},
    {.model_type = "falcon_h1", .base = 1e5},
    {.model_type = "stablelm", .partial = 0.25},
    {.model_type = "stablelm_epoch", .partial = 0.25},
    {.model_type = "cohere", .pairing = kInterleaved},
    {.model_type = "cohere2", .pairing = kInterleaved, .layers = LayerRule::nope_full, .interval = 4},
    {.model_type = "olmo"},
    {.model_type = "olmo2"},
    {.model_type = "olmo3",
     .layers = LayerRule::local_global,
     .interval = 4,
     .local = {.name = "sliding_attention", .base_key = "rope_theta", .base = 10000},
     .global = {.name = "full_attention", .base_key = "rope_theta", .base = 10000, .scaled = true}},
    {.model_type = "granite"},
    {.model_type = "granitemoe"},
    {.model_type = "granitemoehybrid", .layers = LayerRule::if_rotary, .rotary_type = "rope"},
    {.model_type = "nemotron", .partial = 0.5},
    {.model_type = "nemotron_h", .layers = LayerRule::no_rope},
    {.model_type = "smollm3", .layers = LayerRule::nope_every, .base = 2e6, .interval = 4},
    {.model_type = "baichuan", .rope_hidden_size = 4096},
    {.model_type = "internlm2"},
    {.model_type = "internlm3"},
    {.model_type = "chatglm", .pairing = kInterleaved, .heads = HeadRule::chatglm},
    {.model_type = "glm", .pairing = kInterleaved, .partial = 0.5, .head_dim = 128},
    {.model_type = "glm4", .pairing = kInterleaved, .partial = 0.5, .head_dim = 128},
    {.model_type = "glm4_moe", .partial = 0.5, .head_dim = 128},
    {.model_type = "glm4_moe_lite", .pairing = kInterleaved, .heads = HeadRule::mla, .softmax_mscale = true},
    {.model_type = "glm_moe_dsa",
     .pairing = kInterleaved,
     .heads = HeadRule::mla,
     .softmax_mscale = true,
     .indexer = true,
     .indexer_pairing = kInterleaved},
    {.model_type = "glm4v", .pairing = kInterleaved, .partial = 0.5},
    {.model_type = "glm4v_moe", .partial = 0.5},
    {.model_type = "glm_ocr", .pairing = kInterleaved, .partial = 0.5},
    {.model_type = "deepseek_v2", .pairing = kInterleaved, .heads = HeadRule::mla, .softmax_mscale = true},
    {.model_type = "deepseek_v3", .pairing = kInterleaved, .heads = HeadRule::mla, .softmax_mscale = true},
    {.model_type = "deepseek_v32",
     .pairing = kInterleaved,
     .heads = HeadRule::mla,
     .softmax_mscale = true,
     .indexer = true},
    kDeepseekV4,
    named(kDeepseekV4, "deepseek_ref"),  // as SGLang converts it
    {.model_type = "kimi_k2", .pairing = kInterleaved, .heads = HeadRule::mla, .softmax_mscale = true},
    {.model_type = "longcat_flash",
     .pairing = kInterleaved,
     .heads = HeadRule::mla,
     .base = 1e7,
     .softmax_mscale = true},
    {.model_type = "gpt_oss", .base = 150000, .head_dim = 64},
    {.model_type = "minimax", .base = 1e6},
    {.model_type = "minimax_text_01", .base = 1e6},
    {.model_type = "minimax_m1", .base = 1e6},
    {.model_type = "minimax_m2", .base = 5e6},
    {.model_type = "minimax_m3_vl", .base = 5e6},
    {.model_type = "hunyuan"},
    {.model_type = "hunyuan_v1_dense"},
    {.model_type = "hunyuan_v1_moe"},
    {.model_type = "hunyuan_vl"},
    {.model_type = "hy_v3", .base = 11158840},
    {.model_type = "ernie4_5", .pairing = kInterleaved, .base = 5e5},
    {.model_type = "ernie4_5_moe", .pairing = kInterleaved, .base = 5e5},
    {.model_type = "ernie4_5_moe_vl", .pairing = kInterleaved, .base = 5e5, .axis_layout = AxisLayout::ernie},
    {.model_type = "ernie4_5_vl_moe", .pairing = kInterleaved, .base = 5e5, .axis_layout = AxisLayout::ernie},
    {.model_type = "seed_oss"},
    {.model_type = "mimo"},
    {.model_type = "mimo_v2_flash",
     .layers = LayerRule::local_global,
     .partial = 0.334,
     .head_dim = 192,
     .local = {.name = "sliding_attention", .base_key = "swa_rope_theta", .base = 10000, .prefix = "swa_"},
     .global = {.name = "full_attention", .base_key = "rope_theta", .base = 5e6, .scaled = true}},
    {.model_type = "apertus", .base = 12e6},
    {.model_type = "modernbert",
     .layers = LayerRule::local_global,
     .head_count = 12,
     .kv_head_count = 12,
     .layer_count = 22,
     .max_positions = 8192,
     .interval = 3,
     .first_is_full = true,
     .local = {.name = "sliding_attention", .base_key = "local_rope_theta", .base = 10000, .scaled = true},
     .global = {.name = "full_attention", .base_key = "global_rope_theta", .base = 160000, .scaled = true}},
    {.model_type = "nomic_bert", .base = 1000},
    {.model_type = "xlm-roberta", .layers = LayerRule::if_rotary},
    {.model_type = "esm", .layers = LayerRule::if_rotary},
    {.model_type = "moshi", .max_positions = 3000},
    {.model_type = "mimi", .max_positions = 8000},
    {.model_type = "whisper", .layers = LayerRule::no_rope},
    {.model_type = "persimmon", .partial = 0.5},
    {.model_type = "starcoder2"},
    {.model_type = "arcee"},
    {.model_type = "helium", .pairing = kInterleaved},
    kExaone,
    named(kExaone, "exaone4_5_text"),
    named(kExaone, "exaone4_5"),
    named(kExaone, "exaone_moe"),
    named(kExaone, "afmoe"),
    {.model_type = "mllama", .base = 5e5},
    {.model_type = "minicpm3", .heads = HeadRule::mla, .softmax_mscale = true},
    {.model_type = "nanochat", .negative = true},
    {.model_type = "cosmos3_edge",
     .base = 1e8,
     .head_dim = 128,
     .axis_layout = AxisLayout::interleaved,
     .sections = {24, 20, 20}},
    {.model_type = "hy_v4", .heads = HeadRule::mla, .softmax_mscale = true, .indexer = true, .indexer_at_end = true},
    {.model_type = "hy_v4_vl",
     .pairing = kInterleaved,
     .heads = HeadRule::mla,
     .softmax_mscale = true,
     .axis_layout = AxisLayout::interleaved,
     .sections = {12, 10, 10},
     .indexer = true,
     .indexer_pairing = kInterleaved,
     .indexer_at_end = true},
    {.model_type = "qwen"},
    {.model_type = "olmoe"},
    {.model_type = "flex_olmo", .base = 5e5},
    {.model_type = "dots1"},
    {.model_type = "lfm2", .base = 1e6},
    {.model_type = "lfm2_moe", .base = 1e6},
    {.model_type = "chameleon"},
    {.model_type = "bailing_moe_v2", .partial = 0.5},
    kStep3,
    named(kStep3, "step3p7"),
    {.model_type = "kimi_linear", .layers = LayerRule::no_rope},
    {.model_type = "jamba", .layers = LayerRule::no_rope},
    {.model_type = "zamba2", .layers = LayerRule::if_flag, .hidden_factor = 2, .rotary_flag = "use_mem_rope"},
    {.model_type = "dbrx"},
    {.model_type = "mpt", .layers = LayerRule::if_flag, .rotary_flag = "rope"},
    {.model_type = "phi3small", .base = 1e6},
    {.model_type = "dia", .encoder = "encoder_"},
    {.model_type = "moonshine",
     .pairing = kInterleaved,
     .partial = 0.9,
     .max_positions = 512,
     .shared = {.scaled = true, .prefix = "decoder_"},
     .encoder = "encoder_"},
    {.model_type = "roformer", .pairing = kInterleaved, .max_positions = 1536},
    {.model_type = "recurrent_gemma", .partial = 0.5, .max_positions = 8192},
};

constexpr std::string_view kLlama4Note =
    "vision: a patch's position is its coordinate + 1 on both axes; the class token has angle 0, so position 0";

constexpr VisionFamily kVisionFamilies[] = {
    {.model_type = "qwen2_vl"},
    {.model_type = "qwen2_5_vl"},
    {.model_type = "qwen2_5_omni"},
    {.model_type = "qwen3_vl"},
    {.model_type = "qwen3_vl_moe"},
    {.model_type = "qwen3_omni_moe"},
    {.model_type = "qwen3_5"},
    {.model_type = "qwen3_5_moe"},
    {.model_type = "paddleocr_vl"},
    {.model_type = "glm4v"},
    {.model_type = "glm4v_moe"},
    {.model_type = "glm_ocr"},
    {.model_type = "ernie4_5_moe_vl"},
    {.model_type = "ernie4_5_vl_moe"},
    {.model_type = "kimi_k25", .axis_layout = AxisLayout::round_robin},
    {.model_type = "pixtral", .frequency_layout = FrequencyLayout::strided, .grid_of_image_size = true},
    {.model_type = "llama4_vision_model",
     .pairing = Pairing::interleaved,
     .grid_of_image_size = true,
     .note = kLlama4Note},
    {.model_type = "gemma4_vision", .pairing = Pairing::blocked, .base = 100},
    {.model_type = "minimax_m3_vl", .axes = 3},
    {.model_type = "minimax_m3_vl_vision", .axes = 3},
};

// A count of 0: as many as the heads.
constexpr TextDefaults kTextDefaults[] = {
    {"llama", 4096, 32, 32, 0, 2048},   {"mistral", 4096, 32, 32, 8, 131072}, {"mixtral", 4096, 32, 32, 8, 131072},
    {"qwen2", 4096, 32, 32, 32, 32768}, {"qwen3", 4096, 32, 32, 32, 32768},   {"gemma", 3072, 28, 16, 16, 8192},
    {"gemma2", 2304, 26, 8, 4, 8192},   {"phi3", 3072, 32, 32, 0, 4096},
};

}  // namespace

std::span<const Family> families() {
  return kFamilies;
}
std::span<const VisionFamily> vision_families() {
  return kVisionFamilies;
}

const Family* find_family(std::string_view model_type) {
  constexpr std::string_view kSuffix = "_text";
  const auto* row = std::ranges::find(kFamilies, model_type, &Family::model_type);
  if (row == std::end(kFamilies) && model_type.ends_with(kSuffix)) {
    model_type.remove_suffix(kSuffix.size());
    row = std::ranges::find(kFamilies, model_type, &Family::model_type);
  }
  return row == std::end(kFamilies) ? nullptr : row;
}

const TextDefaults* find_text_defaults(std::string_view model_type) {
  const auto* row = std::ranges::find(kTextDefaults, model_type, &TextDefaults::model_type);
  return row == std::end(kTextDefaults) ? nullptr : row;
}

const VisionFamily* find_vision_family(std::string_view vision_type, std::string_view model_type) {
  for (const std::string_view wanted : {vision_type, model_type}) {
    const auto* row = std::ranges::find(kVisionFamilies, wanted, &VisionFamily::model_type);
    if (row != std::end(kVisionFamilies)) return row;
  }
  return nullptr;
}

}  // namespace hiprope::model_config_internal
