// Names the kind of every layer, then groups the layers by the embedding they share.
#include "layers.h"

#include <fmt/format.h>

#include <algorithm>

namespace hiprope::model_config_internal {
namespace {

constexpr std::string_view kSlidingName = "sliding_attention";
constexpr std::string_view kFullName = "full_attention";
constexpr std::string_view kCrossName = "cross_attention";
constexpr std::string_view kUnrotated[] = {"nope", "linear_attention", "mamba",     "mamba2",
                                           "conv", "recurrent",        "lightning", kCrossName};

std::vector<std::string> repeat(std::int32_t count, std::string_view name) {
  return std::vector<std::string>(static_cast<std::size_t>(count), std::string(name));
}

// `names` by a list of one number a layer, 0 selecting `zero`. MTP layers may follow the model's own.
std::vector<std::string> by_flags(const Fields& fields, std::string_view key, std::int32_t count, std::string_view zero,
                                  std::string_view other) {
  const auto flags = fields.integers(key);
  if (flags.size() < static_cast<std::size_t>(count)) {
    refuse(fmt::format("{} has {} entries for {} layers", fields.name(key), flags.size(), count));
  }
  auto names = repeat(count, other);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (flags[i] == 0) names[i] = zero;
  }
  return names;
}

std::vector<std::string> periodic(std::int32_t count, std::int32_t interval, bool first, std::string_view marked,
                                  std::string_view other) {
  auto names = repeat(count, other);
  for (std::int32_t i = 0; i < count; ++i) {
    if ((first ? i : i + 1) % interval == 0) names[static_cast<std::size_t>(i)] = marked;
  }
  return names;
}

// The period of full layers; Exaone spells it "LLLG".
std::int32_t read_interval(const Family& family, const Fields& fields, Names names) {
  std::string_view found;
  const Json* value = fields.find(names, &found);
  if (value == nullptr) return family.interval;
  if (value->is_string() && !value->get_ref<const std::string&>().empty()) {
    return static_cast<std::int32_t>(value->get_ref<const std::string&>().size());
  }
  return require(fields.count({found}), fields, found);
}

// The names of a list that may have more entries than the model has layers: those of MTP layers follow.
std::optional<std::vector<std::string>> listed_names(const Fields& fields, std::int32_t count) {
  for (const std::string_view key : {"layer_types", "layers_block_type"}) {
    auto names = fields.texts(key);
    if (names.empty()) continue;
    const auto extra = fields.integer({"num_nextn_predict_layers"}, 0, 1 << 20).value_or(0);
    const auto size = static_cast<std::int64_t>(names.size());
    if (size != count && size != count + extra) {
      refuse(fmt::format("{} has {} entries for {} layers", fields.name(key), names.size(), count));
    }
    names.resize(static_cast<std::size_t>(count));
    return names;
  }
  const auto period = fields.texts("block_types");
  if (period.empty()) return std::nullopt;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) names.push_back(period[i % period.size()]);
  return names;
}

std::vector<std::string> layer_names(const Family& family, const Fields& fields, std::int32_t count) {
  if (family.layers == LayerRule::nope_every) {
    // The first says which layers have a window; the second what the list of layers says in full.
    fields.pass_over({"layer_types", "no_rope_layer_interval"});
    if (!fields.integers("no_rope_layers").empty()) return by_flags(fields, "no_rope_layers", count, "nope", "rope");
    const auto interval = fields.count({"no_rope_layer_interval"}).value_or(family.interval);
    return periodic(count, interval, false, "nope", "rope");
  }
  if (auto names = listed_names(fields, count)) return *std::move(names);
  if (fields.has("compress_ratios")) return by_flags(fields, "compress_ratios", count, kSlidingName, kFullName);
  if (fields.has("hybrid_layer_pattern")) {
    return by_flags(fields, "hybrid_layer_pattern", count, kFullName, kSlidingName);
  }
  if (fields.has("attn_type_list")) return by_flags(fields, "attn_type_list", count, "linear_attention", kFullName);
  if (family.layers == LayerRule::local_global || family.layers == LayerRule::nope_full) {
    const auto interval = read_interval(
        family, fields, {"sliding_window_pattern", "_sliding_window_pattern", "global_attn_every_n_layers"});
    if (interval == 0) refuse(fields.name("layer_types") + " is missing");
    return periodic(count, interval, family.first_is_full, kFullName, kSlidingName);
  }
  if (const auto interval = read_interval(family, fields, {"full_attention_interval"}); interval != 0) {
    return periodic(count, interval, false, kFullName, "linear_attention");
  }
  return repeat(count, kFullName);
}

// Layers that attend to what another model made are listed apart: by number, or by a list of one flag a layer.
void mark_unrotated(const Fields& fields, std::vector<std::string>& names) {
  for (const std::int32_t layer : fields.integers("cross_attention_layers")) {
    if (static_cast<std::size_t>(layer) < names.size()) names[static_cast<std::size_t>(layer)] = kCrossName;
  }
  if (const Json* flags = fields.find("use_rope_layers"); flags != nullptr && flags->is_array()) {
    for (std::size_t i = 0; i < std::min(flags->size(), names.size()); ++i) {
      if (flags->at(i) == false || flags->at(i) == 0) names[i] = "nope";
    }
  }
}

bool has_flag(const Family& family, const Fields& fields) {
  if (const auto own = fields.boolean(family.rotary_flag)) return *own;
  const auto attention = fields.nested("attn_config");
  if (attention) attention->pass_over({"alibi", "alibi_bias_max"});
  return attention && attention->boolean(family.rotary_flag).value_or(false);
}

bool has_rope(const Family& family, const Fields& fields, std::vector<std::string>& notes) {
  if (family.layers == LayerRule::no_rope) {
    notes.push_back(fmt::format("{} has no rotary embedding", family.model_type));
    return false;
  }
  const auto type = fields.text("position_embedding_type");
  if (family.layers == LayerRule::if_rotary && type != family.rotary_type) {
    notes.push_back(fmt::format("{} is not \"{}\": no rotary embedding", fields.name("position_embedding_type"),
                                family.rotary_type));
    return false;
  }
  if (type == "nope" || type == "none" || type == "alibi") {
    notes.push_back(fmt::format("{} is \"{}\": no rotary embedding", fields.name("position_embedding_type"), *type));
    return false;
  }
  if (family.layers == LayerRule::if_flag && !has_flag(family, fields)) {
    notes.push_back(fmt::format("{} is not true: no rotary embedding", fields.name(family.rotary_flag)));
    return false;
  }
  if (fields.boolean("mla_use_nope").value_or(false)) {
    notes.push_back(fields.name("mla_use_nope") + " is true: no rotary embedding");
    return false;
  }
  const bool alibi_size = family.rope_hidden_size != 0 &&
                          fields.count({"hidden_size"}).value_or(family.rope_hidden_size) != family.rope_hidden_size;
  if (alibi_size || fields.boolean("alibi").value_or(false)) {
    notes.push_back("the model uses ALiBi: no rotary embedding");
    return false;
  }
  return true;
}

}  // namespace

std::int32_t read_layer_count(const Family& family, const Fields& fields) {
  auto count = fields.count({"num_hidden_layers", "n_layer", "n_layers", "num_layers"});
  if (!count && family.layer_count != 0) count = family.layer_count;
  if (!count) count = fields.count({"encoder_layers", "decoder_num_hidden_layers"});
  if (const TextDefaults* defaults = find_text_defaults(family.model_type); !count && !fields.path().empty()) {
    if (defaults != nullptr) count = defaults->layers;
  }
  for (const std::string_view key : {"layer_types", "layers_block_type"}) {
    const auto names = fields.texts(key);
    if (!count && !names.empty()) count = static_cast<std::int32_t>(names.size());
  }
  if (count && *count > kLayerLimit) {
    refuse(fmt::format("{} is {}; the limit is {}", fields.name("num_hidden_layers"), *count, kLayerLimit));
  }
  return count.value_or(0);
}

bool has_nested_types(const Fields& rope) {
  return !rope.has("rope_type") && !rope.has("type") &&
         std::ranges::any_of(rope.object(), [](const Json& value) { return value.is_object(); });
}

std::vector<LayerGroup> group_layers(const Family& family, const Fields& fields, std::int32_t layer_count,
                                     std::vector<std::string>& notes) {
  const bool rotates = has_rope(family, fields, notes);
  const std::int32_t shown = layer_count != 0 ? layer_count : std::max(family.interval, 1);
  auto names = rotates ? layer_names(family, fields, shown) : repeat(shown, kFullName);
  if (rotates) {
    mark_unrotated(fields, names);
  } else {
    fields.pass_over({"max_position_embeddings", "rope_theta", "rope_scaling", "rope_parameters",
                      "partial_rotary_factor", "layer_types", "position_embedding_type", "mla_use_nope",
                      "qk_nope_head_dim", "qk_rope_head_dim"});
  }
  const auto scaled_types = fields.texts("yarn_only_types");
  auto rope = fields.nested("rope_parameters");
  if (!rope) rope = fields.nested("rope_scaling");
  const bool by_type = rope && has_nested_types(*rope);
  // Without a window no layer is a sliding one, and then the full ones rotate.
  const bool full_rotates = family.layers != LayerRule::nope_full || fields.is_null("sliding_window");

  std::vector<LayerGroup> groups;
  std::vector<std::string> members;  // of each group: its layer types, joined
  for (std::int32_t i = 0; i < shown; ++i) {
    const std::string& type = names[static_cast<std::size_t>(i)];
    LayerGroup group{.name = by_type ? type : "", .rotates = rotates, .role = family.shared, .layers = {}};
    if (std::ranges::find(kUnrotated, type) != std::end(kUnrotated) || (type == kFullName && !full_rotates)) {
      group.name = type;
      group.rotates = false;
    } else if (family.layers == LayerRule::local_global) {
      group.role = type == kSlidingName ? family.local : family.global;
      group.name = group.role.name;
    }
    if (!scaled_types.empty()) group.role.scaled = std::ranges::find(scaled_types, type) != scaled_types.end();
    auto same = std::ranges::find(groups, group.name, &LayerGroup::name);
    if (same == groups.end()) {
      groups.push_back(group);
      members.push_back(type);
      same = groups.end() - 1;
    } else if (std::string& joined = members[static_cast<std::size_t>(same - groups.begin())];
               joined.find(type) == std::string::npos) {
      joined += "+" + type;
    }
    same->layers.push_back(i);
  }
  if (const auto unnamed = std::ranges::find(groups, "", &LayerGroup::name); unnamed != groups.end()) {
    unnamed->name = groups.size() == 1 ? "all" : members[static_cast<std::size_t>(unnamed - groups.begin())];
  }
  if (layer_count == 0) {
    for (LayerGroup& group : groups) group.layers.clear();
  }
  return groups;
}

}  // namespace hiprope::model_config_internal
