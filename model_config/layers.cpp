// Names the kind of every layer, then groups the layers by the embedding they share.
#include "layers.h"

#include <fmt/format.h>

#include <algorithm>

namespace hiprope::model_config_internal {
namespace {

constexpr std::string_view kSlidingName = "sliding_attention";
constexpr std::string_view kFullName = "full_attention";
constexpr std::string_view kUnrotated[] = {"nope", "linear_attention", "mamba",    "mamba2",
                                           "conv", "recurrent",        "lightning"};
constexpr Role kShared = {.scaled = true};

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

std::vector<std::string> layer_names(const Family& family, const Fields& fields, std::int32_t count) {
  if (family.layers == LayerRule::nope_every) {
    if (!fields.integers("no_rope_layers").empty()) return by_flags(fields, "no_rope_layers", count, "nope", "rope");
    const auto interval = fields.count({"no_rope_layer_interval"}).value_or(family.interval);
    return periodic(count, interval, false, "nope", "rope");
  }
  if (auto names = fields.texts("layer_types"); !names.empty()) {
    if (names.size() != static_cast<std::size_t>(count)) {
      refuse(fmt::format("{} has {} entries for {} layers", fields.name("layer_types"), names.size(), count));
    }
    return names;
  }
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

bool has_rope(const Family& family, const Fields& fields, std::vector<std::string>& notes) {
  if (family.layers == LayerRule::no_rope) {
    notes.push_back(fmt::format("{} has no rotary embedding", family.model_type));
    return false;
  }
  if (family.layers == LayerRule::if_rotary && fields.text("position_embedding_type") != "rotary") {
    notes.push_back(fields.name("position_embedding_type") + " is not \"rotary\": no rotary embedding");
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
  if (!count) count = fields.count({"encoder_layers"});
  constexpr std::int32_t kLayerLimit = 65536;
  if (count && *count > kLayerLimit) {
    refuse(fmt::format("{} is {}; the limit is {}", fields.name("num_hidden_layers"), *count, kLayerLimit));
  }
  return require(count, fields, "num_hidden_layers");
}

bool has_nested_types(const Fields& rope) {
  return !rope.has("rope_type") && !rope.has("type") &&
         std::ranges::any_of(rope.object(), [](const Json& value) { return value.is_object(); });
}

std::vector<LayerGroup> group_layers(const Family& family, const Fields& fields, std::int32_t layer_count,
                                     std::vector<std::string>& notes) {
  const bool rotates = has_rope(family, fields, notes);
  const auto names = rotates ? layer_names(family, fields, layer_count) : repeat(layer_count, kFullName);
  auto rope = fields.nested("rope_parameters");
  if (!rope) rope = fields.nested("rope_scaling");
  const bool by_type = rope && has_nested_types(*rope);
  // Without a window no layer is a sliding one, and then the full ones rotate.
  const bool full_rotates = family.layers != LayerRule::nope_full || !fields.has("sliding_window");

  std::vector<LayerGroup> groups;
  std::vector<std::string> members;  // of each group: its layer types, joined
  for (std::int32_t i = 0; i < layer_count; ++i) {
    const std::string& type = names[static_cast<std::size_t>(i)];
    LayerGroup group{.name = by_type ? type : "", .rotates = rotates, .role = kShared, .layers = {}};
    if (std::ranges::find(kUnrotated, type) != std::end(kUnrotated) || (type == kFullName && !full_rotates)) {
      group.name = type;
      group.rotates = false;
    } else if (family.layers == LayerRule::local_global) {
      group.role = type == kSlidingName ? family.local : family.global;
      group.name = group.role.name;
    }
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
  return groups;
}

}  // namespace hiprope::model_config_internal
