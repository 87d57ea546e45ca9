// Translates Mistral's, Meta's and DeepSeek's own files.
#include "formats.h"

#include <fmt/format.h>

#include "heads.h"

namespace hiprope::model_config_internal {
namespace {

bool has_any(const Fields& root, Names names) {
  for (const std::string_view name : names) {
    if (root.has(name)) return true;
  }
  return false;
}

// Meta's reference code scales by 8, from 8192 positions; the files of Llama 3.2 do not say that theirs is 32.
void translate_meta(const Fields& root, Json& out, std::vector<std::string>& notes) {
  out["model_type"] = "meta_native";
  const bool scaled = root.boolean("use_scaled_rope").value_or(false);
  if (scaled) {
    const auto stated = root.number({"rope_scale_factor", "rope_scaling_factor"});
    out["rope_scaling"] = {{"rope_type", "llama3"},
                           {"factor", stated.value_or(8)},
                           {"low_freq_factor", 1},
                           {"high_freq_factor", root.number({"high_freq_factor"}).value_or(4)},
                           {"original_max_position_embeddings", 8192}};
    if (!stated) notes.emplace_back("use_scaled_rope without a factor: 8, as in Meta's code; Llama 3.2 needs 32");
  } else {
    root.number({"rope_scale_factor", "rope_scaling_factor"});
  }
  if (root.boolean("use_hf_rope").value_or(false)) out["rotary_emb_interleaved"] = false;
  if (has_any(root, {"max_position_embeddings", "max_seq_len"})) return;
  const int positions = scaled ? 131072 : root.number({"rope_theta"}).value_or(1e4) > 1e4 ? 8192 : 4096;
  out["max_position_embeddings"] = positions;
  notes.push_back(fmt::format("the file states no length: the table has {} positions", positions));
}

void translate_deepseek(const Fields& root, Json& out, std::vector<std::string>& notes) {
  out["model_type"] = "deepseek_native";
  const double factor = root.number({"rope_factor"}).value_or(40);
  const auto original = root.integer({"original_seq_len"}, 1, kPositionLimit).value_or(4096);
  const double mscale = root.number({"mscale"}).value_or(1);
  out["rope_theta"] = root.number({"rope_theta"}).value_or(1e4);
  out["rope_scaling"] = {{"type", "yarn"},
                         {"factor", factor},
                         {"original_max_position_embeddings", original},
                         {"beta_fast", root.number({"beta_fast"}).value_or(32)},
                         {"beta_slow", root.number({"beta_slow"}).value_or(1)},
                         {"mscale", mscale},
                         {"mscale_all_dim", mscale}};
  // The length that is served is not the model's: rope_factor times the trained one is.
  out["max_position_embeddings"] = original;
  notes.emplace_back(
      "what the file leaves out of rope_theta, rope_factor, original_seq_len, beta_fast, beta_slow and mscale "
      "is the default of DeepSeek's own code");
}

}  // namespace

std::optional<Json> translate_native(const Fields& root, std::vector<std::string>& notes) {
  if (root.has("model_type") || !root.has("n_heads") || !root.has("dim")) return std::nullopt;
  Json out = root.object();
  if (root.has("qk_rope_head_dim") && has_any(root, {"inter_dim", "moe_inter_dim", "n_dense_layers"})) {
    translate_deepseek(root, out, notes);
  } else if (has_any(root, {"multiple_of", "ffn_dim_multiplier", "use_scaled_rope", "use_hf_rope"})) {
    translate_meta(root, out, notes);
  } else {
    out["model_type"] = "mistral_native";
  }
  return out;
}

}  // namespace hiprope::model_config_internal
