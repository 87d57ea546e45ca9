// The table of norms, read from each model's own code; what is not in it has none.
#include "norms.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace hiprope::model_config_internal {
namespace {

using enum HeadNorm::Kind;
using Weight = HeadNorm::Weight;
using Rounding = HeadNorm::Rounding;

// The layers that have the norm: of attention, and of these all, those that rotate, or those of cross attention.
enum class On { all, rotating, cross };

struct Row {
  std::string_view model_type = {};
  HeadNorm q = {};
  double epsilon = 1e-6;                          // where the file does not say
  std::string_view epsilon_key = "rms_norm_eps";  // empty: fixed in the code
  std::string_view flag = {};                     // a boolean that switches it
  bool on_by_default = true;
  On on = On::all;
  bool plain_v = false;  // V is normalised too, without a weight
  bool k_differs = false;
  HeadNorm k = {};  // when it differs from Q's
};

constexpr HeadNorm kEach = {.kind = rms};
constexpr HeadNorm kOnce = {.kind = rms, .rounding = Rounding::after_weight};
constexpr HeadNorm kOnePlus = {.kind = rms, .weight = Weight::one_plus, .rounding = Rounding::after_weight};
constexpr HeadNorm kRowOnce = {.kind = rms, .rounding = Rounding::after_weight, .span = HeadNorm::Span::row};
constexpr HeadNorm kRowEach = {.kind = rms, .span = HeadNorm::Span::row};
constexpr HeadNorm kEachAfter = {.kind = rms, .order = HeadNorm::Order::after_rotation};
constexpr HeadNorm kWeightlessAfter = {
    .kind = rms, .weight = Weight::none, .rounding = Rounding::after_weight, .order = HeadNorm::Order::after_rotation};
constexpr HeadNorm kWeightless = {.kind = rms, .weight = Weight::none, .rounding = Rounding::after_weight};
constexpr HeadNorm kLayerPerHead = {.kind = layer, .rounding = Rounding::after_weight, .weight_per_head = true};
constexpr HeadNorm kLayerBias = {.kind = layer, .rounding = Rounding::after_weight, .bias = true};
constexpr HeadNorm kRootFirst = {.kind = rms, .weight = Weight::none, .rounding = Rounding::after_root};

constexpr Row kRows[] = {
    {"qwen3", kEach},
    {"qwen3_moe", kEach},
    {"qwen3_vl", kEach},
    {"qwen3_vl_moe", kEach},
    {"qwen3_omni_moe", kEach},
    {"qwen3_next", kOnePlus},
    {"qwen3_5", kOnePlus},
    {"qwen3_5_moe", kOnePlus},
    {"gemma3", kOnePlus},
    {.model_type = "gemma3n", .q = kOnce, .plain_v = true},
    {.model_type = "gemma4", .q = kOnce, .plain_v = true},
    {"olmo2", kRowOnce, 1e-5},
    {"olmo3", kRowOnce, 1e-5},
    {"flex_olmo", kRowOnce, 1e-6},
    {"olmoe", kRowEach, 1e-5},
    {"minimax_m2", kRowEach, 1e-6, "rms_norm_eps", "use_qk_norm"},
    {"minimax_m3_vl", kOnePlus},
    {"bailing_moe_v2", kEach, 1e-6, "rms_norm_eps", "use_qk_norm", false},
    {"glm4_moe", kEach, 1e-5, "rms_norm_eps", "use_qk_norm", false},
    {"hy_v3", kEach, 1e-5, "rms_norm_eps", "qk_norm"},
    {"dots1", kEach},
    {"apertus", kEach, 1e-5, "rms_norm_eps", "qk_norm"},
    {"lfm2", kEach, 1e-5, "norm_eps"},
    {"lfm2_moe", kEach, 1e-5, "norm_eps"},
    {"exaone4", kEach, 1e-5},
    {"exaone4_5", kEach, 1e-5},
    {"exaone4_5_text", kEach, 1e-5},
    {"exaone_moe", kEach, 1e-5},
    {"afmoe", kOnce, 1e-5},
    {"step3p5", kOnePlus, 1e-5},
    {"step3p7", kOnePlus, 1e-5},
    {"hunyuan", kEachAfter, 1e-5, "rms_norm_eps", "use_qk_norm"},
    {"hunyuan_v1_dense", kEachAfter, 1e-5, "rms_norm_eps", "use_qk_norm"},
    {"hunyuan_v1_moe", kEachAfter, 1e-5, "rms_norm_eps", "use_qk_norm"},
    {"hunyuan_vl", kEachAfter, 1e-5, "rms_norm_eps", "use_qk_norm"},
    {"nanochat", kWeightlessAfter},
    {.model_type = "llama4", .q = kWeightlessAfter, .epsilon = 1e-5, .flag = "use_qk_norm", .on = On::rotating},
    {.model_type = "mllama", .q = kEach, .epsilon = 1e-5, .on = On::cross},
    {"cohere", kLayerPerHead, 1e-5, "layer_norm_eps", "use_qk_norm", false},
    {"stablelm", kLayerPerHead, 1e-5, "layer_norm_eps", "qk_layernorm", false},
    {.model_type = "chameleon",
     .q = {.kind = layer, .weight_per_head = true, .bias = true},
     .epsilon = 1e-5,
     .epsilon_key = {}},
    {"phi", kLayerBias, 1e-5, "layer_norm_eps", "qk_layernorm", false},
    {"persimmon", kLayerBias, 1e-5, "layer_norm_eps", "qk_layernorm", true},
    {.model_type = "deepseek_v4", .q = kRootFirst, .k_differs = true, .k = kOnce},
    {.model_type = "deepseek_ref", .q = kRootFirst, .k_differs = true, .k = kOnce},
};

constexpr double kIndexerEpsilon = 1e-6;

// Layers of these names have no attention heads to normalise.
constexpr std::string_view kNoHeads[] = {"linear_attention", "mamba", "mamba2", "conv", "recurrent", "lightning"};

void note_latents(const Family& family, const Fields& fields, ModelConfig& model) {
  if (family.heads != HeadRule::mla) return;
  const auto width = fields.count({"kv_lora_rank"});
  model.notes.push_back(fmt::format("the RMSNorm of Q and K is that of the latents{}, before they become heads",
                                    width ? fmt::format(" (K and V: {})", *width) : ""));
}

}  // namespace

void read_norms(const Family& family, const Fields& fields, ModelConfig& model) {
  if (!model.known_family) return;
  const auto* row = std::ranges::find(kRows, family.model_type, &Row::model_type);
  const bool listed = row != std::end(kRows);
  bool on = listed;
  double epsilon = 0;
  if (listed) {
    if (!row->flag.empty()) on = fields.boolean(row->flag).value_or(row->on_by_default);
    epsilon = row->epsilon;
    if (!row->epsilon_key.empty()) epsilon = fields.number({row->epsilon_key}).value_or(epsilon);
    if (on && !(epsilon >= 0)) {
      refuse(fmt::format("{} is {}; it must not be below 0", fields.name(row->epsilon_key), epsilon));
    }
  }
  for (LayerRope& layer : model.layer_types) {
    if (layer.name == "vision" || layer.name == "encoder") continue;
    if (layer.name == "indexer") {
      if (family.model_type != "deepseek_v32" && family.model_type != "glm_moe_dsa") continue;
      layer.q_norm.kind = layer.v_norm.kind = none;
      layer.k_norm = kLayerBias;
      layer.k_norm.epsilon = kIndexerEpsilon;
      continue;
    }
    layer.q_norm.kind = layer.k_norm.kind = layer.v_norm.kind = none;
    const bool attention = std::ranges::find(kNoHeads, layer.name) == std::end(kNoHeads);
    const bool cross = layer.name == "cross_attention";
    if (!on || !attention || (row->on == On::rotating && !layer.rotates) || (row->on == On::cross && !cross)) continue;
    layer.q_norm = row->q;
    layer.k_norm = row->k_differs ? row->k : row->q;
    if (row->plain_v) layer.v_norm = kWeightless;
    layer.q_norm.epsilon = layer.k_norm.epsilon = layer.v_norm.epsilon = epsilon;
  }
  note_latents(family, fields, model);
  if (family.model_type == "gemma4" && fields.boolean("attention_k_eq_v").value_or(false)) {
    model.notes.emplace_back("attention_k_eq_v is true: on full_attention layers V is what K is before its norm");
  }
}

}  // namespace hiprope::model_config_internal
