// Reads the shape of a head by the family's rule.
#include "heads.h"

#include <fmt/format.h>

#include <cmath>

namespace hiprope::model_config_internal {
namespace {

std::int32_t require_even(double value, const std::string& what) {
  const double whole = std::floor(value);
  if (whole < 2 || whole > kHeadDimLimit || std::fmod(whole, 2) != 0) {
    refuse(fmt::format("{} gives a rotary dimension of {}; it must be even, at least 2 and at most the head's", what,
                       whole));
  }
  return static_cast<std::int32_t>(whole);
}

// Defaults for the text part of a multimodal file, which leaves out what is the default of its class.
const TextDefaults* text_defaults(const Family& family, const Fields& fields) {
  return fields.path().empty() ? nullptr : find_text_defaults(family.model_type);
}

std::int32_t read_kv_heads(const Family& family, const Fields& fields, const Role& role, std::int32_t heads) {
  if (family.heads == HeadRule::mla) return 1;
  if (family.heads == HeadRule::falcon) {
    const auto stated = fields.count({"num_kv_heads", "n_head_kv"});
    if (fields.boolean("new_decoder_architecture").value_or(false) || fields.has("n_head_kv")) {
      return stated.value_or(heads);
    }
    return fields.boolean("multi_query").value_or(true) ? 1 : stated.value_or(heads);
  }
  if (family.heads == HeadRule::chatglm) {
    const bool grouped = fields.boolean("multi_query_attention").value_or(false);
    return grouped ? require(fields.count({"multi_query_group_num"}), fields, "multi_query_group_num") : heads;
  }
  const std::string own = std::string(role.prefix) + "num_key_value_heads";
  if (const auto count = fields.count({role.kv_heads_key.empty() ? std::string_view(own) : role.kv_heads_key})) {
    return *count;
  }
  const auto count = fields.count({"num_key_value_heads", "num_kv_heads", "n_kv_heads", "num_attention_groups"});
  if (count) return *count;
  if (const auto attention = fields.nested("attn_config")) {
    if (const auto inner = attention->count({"kv_n_heads"})) return *inner;
    if (attention->text("attn_type") == "multiquery_attention") return 1;
  }
  const TextDefaults* defaults = text_defaults(family, fields);
  if (defaults != nullptr && defaults->kv_heads != 0 && heads == defaults->heads) return defaults->kv_heads;
  return family.kv_head_count != 0 ? family.kv_head_count : heads;
}

}  // namespace

HeadShape read_heads(const Family& family, const Fields& whole, const Role& role) {
  HeadShape shape;
  const auto own = role.heads_object.empty() ? std::nullopt : whole.nested(role.heads_object);
  const Fields& fields = own && own->has("num_attention_heads") ? *own : whole;
  const std::string own_heads = std::string(role.prefix) + "num_attention_heads";
  const std::string own_dim = std::string(role.prefix) + "head_dim";
  auto heads = fields.count({own_heads});
  if (!heads) heads = fields.count({"num_attention_heads", "n_head", "n_heads", "num_heads"});
  if (!heads && family.head_count != 0) heads = family.head_count;
  const TextDefaults* defaults = text_defaults(family, fields);
  if (!heads && defaults != nullptr) heads = defaults->heads;
  shape.heads = require(heads, fields, "num_attention_heads");
  shape.kv_heads = read_kv_heads(family, fields, role, shape.heads);

  if (family.heads == HeadRule::mla) {
    shape.head_dim = require(fields.count({"qk_rope_head_dim"}), fields, "qk_rope_head_dim");
    return shape;
  }
  auto dim = fields.count({own_dim});
  if (!dim && role.head_dim != 0) dim = role.head_dim;
  if (!dim) dim = fields.count({"head_dim", "kv_channels", "attention_head_dim"});
  if (!dim && family.head_dim != 0) dim = family.head_dim;
  if (!dim) {
    auto width = whole.count({"hidden_size", "n_embd", "d_model", "dim"});
    if (!width && defaults != nullptr) width = defaults->hidden_size;
    const auto hidden = require(width, whole, "hidden_size") * family.hidden_factor;
    if (hidden % shape.heads != 0) {
      refuse(fmt::format("{} {} is not a multiple of {} heads, and {} is missing", fields.name("hidden_size"), hidden,
                         shape.heads, fields.name("head_dim")));
    }
    dim = hidden / shape.heads;
  }
  if (*dim > kHeadDimLimit || *dim < 2) {
    refuse(fmt::format("{} is {}; it must be 2 to {}", fields.name("head_dim"), *dim, kHeadDimLimit));
  }
  shape.head_dim = *dim;
  return shape;
}

std::int64_t read_max_positions(const Family& family, const Fields& fields) {
  for (const std::string_view key : {"max_position_embeddings", "n_positions", "seq_length", "max_sequence_length",
                                     "max_seq_len", "model_max_length"}) {
    if (const auto value = fields.integer({key}, 1, kPositionLimit)) return *value;
  }
  if (const TextDefaults* defaults = text_defaults(family, fields)) return defaults->max_positions;
  if (family.max_positions == 0) refuse(fields.name("max_position_embeddings") + " is missing");
  return family.max_positions;
}

double read_base(const Family& family, const RopeFields& fields, const LayerGroup& group, bool nested,
                 std::vector<std::string>& notes) {
  const Fields& config = fields.config;
  const Role& role = group.role;
  const bool own_key = !role.base_key.empty() && role.base_key != "rope_theta";
  std::optional<double> base;
  if (fields.rope && (nested || !own_key)) base = fields.rope->number({"rope_theta"});
  if (own_key && !base) base = config.number({role.base_key});
  if (!own_key) {
    const bool listed = config.has("rope_theta") && config.find("rope_theta")->is_array();
    const auto plain = listed ? config.number_of_layers("rope_theta", group.layers)
                              : config.number({"rope_theta", "rotary_emb_base", "rope_base", "rope_embedding_base"});
    if (base && plain && *base != *plain) {
      notes.push_back(fmt::format("{} {} overrides {} {}", fields.rope->name("rope_theta"), *base,
                                  config.name("rope_theta"), *plain));
    }
    if (!base) base = plain;
    if (const auto ratio = config.number({"rope_ratio"}); ratio && !base) base = family.base * *ratio;
  }
  if (const auto attention = config.nested("attn_config"); attention && !base) {
    base = attention->number({"rope_theta"});
  }
  if (!base) {
    base = role.base != 0 ? role.base : family.base;
    if (*base == 0) refuse(config.name("rope_theta") + " is missing");
    notes.push_back(fmt::format("{} is absent: {} is the default of {}",
                                config.name(own_key ? role.base_key : "rope_theta"), *base, family.model_type));
  }
  if (*base < 0) refuse(fmt::format("{} is {}; it must be above 0", config.name("rope_theta"), *base));
  return *base;
}

double read_partial(const Family& family, const RopeFields& fields, const LayerGroup& group, bool& stated) {
  const Role& role = group.role;
  std::optional<double> partial;
  if (fields.rope) partial = fields.rope->number({"partial_rotary_factor"});
  if (!partial && !role.whole_head) {
    partial = fields.config.number_of_layers("partial_rotary_factors", group.layers);
  }
  if (!partial && !role.whole_head) {
    partial = fields.config.number(
        {"partial_rotary_factor", "rotary_pct", "rope_pct", "rotary_percentage", "rotary_emb_fraction"});
  }
  stated = partial.has_value();
  if (partial && (*partial <= 0 || *partial > 1)) {
    refuse(fmt::format("{} is {}; it must be above 0 and at most 1", fields.config.name("partial_rotary_factor"),
                       *partial));
  }
  return partial.value_or(role.partial != 0 ? role.partial : family.partial);
}

void read_rotary_part(const Family& family, const RopeFields& fields, double partial, bool partial_stated,
                      RopeConfig& config, std::vector<std::string>& notes) {
  const Fields& source = fields.config;
  config.pairing = family.pairing;
  if (const auto interleave = source.boolean("rope_interleave"); interleave && !*interleave) {
    config.pairing = Pairing::half_split;
  }
  if (const auto interleave = source.boolean("rotary_emb_interleaved")) {
    config.pairing = *interleave ? Pairing::interleaved : Pairing::half_split;
  }
  if (family.heads == HeadRule::mla) {
    config.rotary_dim = require_even(config.head_dim, source.name("qk_rope_head_dim"));
    const auto nope = source.integer({"qk_nope_head_dim"}, 0, kHeadDimLimit).value_or(0);
    notes.push_back(
        fmt::format("the config is for views of the rotary part: elements {} to {} of each Q head of {}, "
                    "and the one K head that all Q heads share",
                    nope, nope + config.head_dim - 1, nope + config.head_dim));
    return;
  }
  if (family.heads == HeadRule::chatglm) {
    if (source.boolean("position_encoding_2d").value_or(false)) {
      config.rotary_dim = require_even(config.head_dim, source.name("hidden_size"));
      if (config.rotary_dim % 4 != 0) refuse(source.name("hidden_size") + " gives a head that two axes do not divide");
      config.pairing = Pairing::blocked;
      config.pair_block = config.rotary_dim / 2;
      config.axes = 2;
      config.sections = {config.rotary_dim / 4, config.rotary_dim / 4, 0, 0};
      config.frequency_layout = FrequencyLayout::restart;
      return;
    }
    if (const auto original = source.boolean("original_rope"); original && !*original) {
      config.pairing = Pairing::half_split;
    }
    const std::int32_t half = config.head_dim / 2;
    config.rotary_dim = require_even(half, source.name("kv_channels"));
    return;
  }
  auto rotary = source.count({"rotary_dim"});
  if (family.heads == HeadRule::last_dims && !rotary) {
    rotary = source.count({"qk_rope_head_dim"});
    if (!rotary && !partial_stated) rotary = 64;
  }
  config.rotary_dim = rotary ? require_even(*rotary, source.name("rotary_dim"))
                             : require_even(config.head_dim * partial, source.name("partial_rotary_factor"));
  if (config.rotary_dim > config.head_dim) {
    refuse(fmt::format("{} {} is above the head dimension {}", source.name("rotary_dim"), config.rotary_dim,
                       config.head_dim));
  }
  if (family.heads == HeadRule::last_dims) config.rotary_offset = config.head_dim - config.rotary_dim;
}

}  // namespace hiprope::model_config_internal
