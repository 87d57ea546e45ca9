// Reads scaling parameters by a table of types and one of parameters.
#include "scaling_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "heads.h"

namespace hiprope::model_config_internal {
namespace {

struct TypeRow {
  std::string_view spelling;
  std::string_view name;
  ScalingType type;
};

constexpr TypeRow kTypes[] = {
    {"default", "default", ScalingType::none},
    {"mrope", "default", ScalingType::none},
    {"openpangu", "default", ScalingType::none},
    {"linear", "linear", ScalingType::linear},
    {"dynamic", "dynamic", ScalingType::dynamic},
    {"xdrope", "dynamic", ScalingType::dynamic},
    {"ntk", "ntk", ScalingType::ntk},
    {"yarn", "yarn", ScalingType::yarn},
    {"deepseek_yarn", "yarn", ScalingType::yarn},
    {"deepseek_llama_scaling", "yarn", ScalingType::yarn},
    {"telechat3-yarn", "yarn", ScalingType::yarn},
    {"longrope", "longrope", ScalingType::longrope},
    {"su", "longrope", ScalingType::longrope},
    {"llama3", "llama3", ScalingType::llama3},
    {"proportional", "proportional", ScalingType::proportional},
};

constexpr unsigned bit(ScalingType type) {
  return 1u << static_cast<unsigned>(type);
}
constexpr unsigned kYarn = bit(ScalingType::yarn);
constexpr unsigned kLongrope = bit(ScalingType::longrope);
constexpr unsigned kLlama3 = bit(ScalingType::llama3);

struct Parameter {
  std::string_view name;
  std::string_view alias;
  double Scaling::* field;
  unsigned used_by;
  unsigned required_by;
  double minimum;  // inclusive when above 0, else exclusive
  bool zero_is_absent;
};

constexpr Parameter kParameters[] = {
    {"factor", "factor", &Scaling::factor,
     bit(ScalingType::linear) | bit(ScalingType::dynamic) | bit(ScalingType::ntk) | kYarn | kLongrope | kLlama3 |
         bit(ScalingType::proportional),
     bit(ScalingType::linear) | bit(ScalingType::ntk) | kLlama3, 1, false},
    {"alpha", "alpha", &Scaling::alpha, bit(ScalingType::dynamic), 0, 0, false},
    {"mixed_b", "mixed_b", &Scaling::mixed_b, bit(ScalingType::ntk), 0, 0, false},
    {"low_freq_factor", "low_freq_factor", &Scaling::low_freq_factor, kLlama3, kLlama3, 0, false},
    {"high_freq_factor", "high_freq_factor", &Scaling::high_freq_factor, kLlama3, kLlama3, 0, false},
    {"beta_fast", "beta", &Scaling::beta_fast, kYarn, 0, 0, false},
    {"beta_slow", "alpha", &Scaling::beta_slow, kYarn, 0, 0, false},
    {"extrapolation_factor", "extrapolation_factor", &Scaling::extrapolation_factor, kYarn, 0, 0, false},
    {"attention_factor", "attention_factor", &Scaling::attention_factor, kYarn | kLongrope, 0, 0, false},
    {"attn_factor", "attn_factor", &Scaling::attn_factor, kYarn, 0, 0, false},
    {"mscale", "mscale", &Scaling::mscale, kYarn, 0, 0, true},
    {"mscale_all_dim", "mscale_all_dim", &Scaling::mscale_all_dim, kYarn, 0, 0, true},
    {"short_mscale", "short_mscale", &Scaling::short_mscale, kLongrope, 0, 0, false},
    {"long_mscale", "long_mscale", &Scaling::long_mscale, kLongrope, 0, 0, false},
};

struct Field {
  std::string_view name;
  unsigned used_by;
};

constexpr Field kOtherFields[] = {
    {"rope_type", ~0u},
    {"type", ~0u},
    {"rope_theta", ~0u},
    {"partial_rotary_factor", ~0u},
    {"mrope_section", ~0u},
    {"xdrope_section", ~0u},
    {"mrope_interleaved", ~0u},
    {"llama_4_scaling_beta", ~0u},
    {"max_position_embeddings", ~0u},
    {"original_max_position_embeddings", bit(ScalingType::dynamic) | kYarn | kLongrope | kLlama3},
    {"truncate", kYarn},
    {"apply_yarn_scaling", kYarn},
    {"apply_scale", kYarn},
    {"short_factor", kLongrope},
    {"long_factor", kLongrope},
};

TypeRow find_type(const Fields& rope) {
  const TypeRow* found = nullptr;
  for (const std::string_view key : {"rope_type", "type"}) {
    const auto spelling = rope.text(key);
    if (!spelling) continue;
    const auto* row = std::ranges::find(kTypes, *spelling, &TypeRow::spelling);
    if (row == std::end(kTypes)) refuse(fmt::format("{} \"{}\" is not a known type", rope.name(key), *spelling));
    if (found != nullptr && found->type != row->type) {
      refuse(fmt::format("{} is \"{}\", but {} is \"{}\"", rope.name("rope_type"), found->spelling, rope.name("type"),
                         row->spelling));
    }
    if (found == nullptr) found = row;
  }
  if (found != nullptr) return *found;
  // Mistral's own yarn object has no type; anything else that scales must name it.
  if (rope.has("beta") && rope.has("alpha")) return *std::ranges::find(kTypes, "yarn", &TypeRow::spelling);
  if (rope.has("factor") || rope.has("short_factor")) refuse(rope.name("rope_type") + " is missing");
  return kTypes[0];
}

void note_unused(const Fields& rope, const TypeRow& type, std::vector<std::string>& notes) {
  for (const auto& [key, value] : rope.object().items()) {
    const auto used = [&](const auto& row) { return row.name == key && (row.used_by & bit(type.type)) != 0; };
    const auto used_alias = [&](const Parameter& row) {
      return row.alias == key && (row.used_by & bit(type.type)) != 0;
    };
    rope.seen().insert(rope.name(key));
    if (value.is_null() || std::ranges::any_of(kParameters, used) || std::ranges::any_of(kParameters, used_alias) ||
        std::ranges::any_of(kOtherFields, used)) {
      continue;
    }
    notes.push_back(fmt::format("{} is not used by type {}", rope.name(key.substr(0, 60)), type.name));
  }
}

void read_numbers(const Fields& rope, const TypeRow& type, Scaling& scaling) {
  for (const Parameter& row : kParameters) {
    if ((row.used_by & bit(type.type)) == 0) continue;
    const auto value = rope.number({row.name, row.alias});
    if (!value && (row.required_by & bit(type.type)) != 0) {
      refuse(fmt::format("{} is missing; type {} requires it", rope.name(row.name), type.name));
    }
    if (!value || (*value == 0 && row.zero_is_absent)) continue;
    if (row.minimum > 0 ? *value < row.minimum : *value <= 0) {
      refuse(fmt::format("{} is {}; it must be {} {}", rope.name(row.name), *value,
                         row.minimum > 0 ? "at least" : "above", row.minimum));
    }
    scaling.*row.field = *value;
  }
}

std::vector<double> read_factors(const Fields& rope, std::string_view name, std::int32_t pairs) {
  std::vector<double> values = rope.numbers(name);
  if (values.empty()) refuse(fmt::format("{} is missing or empty; type longrope requires it", rope.name(name)));
  if (values.size() != static_cast<std::size_t>(pairs)) {
    refuse(fmt::format("{} has {} entries; half of the rotary dimension is {}", rope.name(name), values.size(), pairs));
  }
  const auto bad = std::ranges::find_if(values, [](double value) { return value <= 0; });
  if (bad != values.end()) {
    refuse(fmt::format("{}[{}] is {}; it must be above 0", rope.name(name), bad - values.begin(), *bad));
  }
  return values;
}

double magnitude(double factor, double coefficient, double mscale) {
  return factor <= 1 ? 1 : coefficient * mscale * std::log(factor) + 1;
}

// Resolves what families and frameworks read differently into what hiprope_scaling says once.
void settle_yarn(const Family& family, const Fields& rope, std::string_view spelling, const RopeConfig& config,
                 Scaling& scaling, std::vector<std::string>& notes) {
  const double coefficient = spelling == "telechat3-yarn" ? 0.07 : 0.1;
  const double ratio = static_cast<double>(config.max_positions) / static_cast<double>(scaling.original_max_positions);
  if (coefficient != 0.1) scaling.mscale_coefficient = coefficient;
  if (scaling.factor == 0 || spelling == "telechat3-yarn") scaling.factor = ratio;
  if (scaling.factor < 1) {
    refuse(fmt::format("{} is missing, and max positions / original is {}, below 1", rope.name("factor"), ratio));
  }
  scaling.truncate = rope.boolean("truncate").value_or(true);

  const auto first = rope.boolean("apply_yarn_scaling");
  const auto second = rope.boolean("apply_scale");
  const bool unscaled = spelling == "deepseek_llama_scaling" || !first.value_or(second.value_or(true));
  if (unscaled) {
    if (scaling.attention_factor == 0) scaling.attention_factor = scaling.attn_factor == 0 ? 1 : scaling.attn_factor;
    scaling.attn_factor = scaling.mscale = scaling.mscale_all_dim = 0;
  }
  if (scaling.attention_factor != 0 && scaling.attn_factor != 0) {
    notes.push_back(fmt::format("{} overrides {}", rope.name("attention_factor"), rope.name("attn_factor")));
    scaling.attn_factor = 0;
  }
  if ((scaling.mscale == 0) != (scaling.mscale_all_dim == 0)) {
    notes.push_back(
        fmt::format("{}: cos and sin take mscale into account only together with mscale_all_dim", rope.path()));
  }
  if (!family.softmax_mscale) {
    // Without DeepSeek's softmax multiplier the two only matter through their ratio in the attention factor.
    if (scaling.mscale != 0 && scaling.mscale_all_dim != 0 && scaling.attention_factor == 0) {
      const double attn_factor = scaling.attn_factor == 0 ? 1 : scaling.attn_factor;
      scaling.attention_factor = attn_factor * magnitude(scaling.factor, coefficient, scaling.mscale) /
                                 magnitude(scaling.factor, coefficient, scaling.mscale_all_dim);
      scaling.attn_factor = 0;
    }
    scaling.mscale = scaling.mscale_all_dim = 0;
  }
  if (family.yarn_attention != 0 && scaling.attention_factor == 0) {
    scaling.attention_factor = family.yarn_attention;
    scaling.attn_factor = 0;
  }
}

// A table has a row for every position of the scaled context. A file whose length is not above the trained one states
// the length before scaling; linear and ntk files have one length, which vLLM reads that way too.
void extend_positions(const Family& family, const Fields& rope, const Fields& fields, LayerRope& layer,
                      std::vector<std::string>& notes) {
  RopeConfig& config = layer.config;
  const ScalingType type = config.scaling.type;
  std::int64_t trained = config.scaling.original_max_positions;
  if (type == ScalingType::linear || type == ScalingType::ntk) {
    // Gemma 3 states the length of its global layers, which alone are scaled.
    if (family.layers == LayerRule::local_global) return;
    trained = rope.integer({"original_max_position_embeddings"}, 1, kPositionLimit).value_or(config.max_positions);
    const auto longest = fields.integer({"max_sequence_length"}, 1, kPositionLimit);
    if (longest && *longest > config.max_positions) trained = config.max_positions = *longest;
    if (longest) return;
  } else if (type != ScalingType::yarn && (type != ScalingType::llama3 || config.max_positions > trained)) {
    return;
  }
  const double scaled = std::floor(static_cast<double>(trained) * config.scaling.factor);
  if (scaled <= static_cast<double>(config.max_positions)) return;
  if (scaled > static_cast<double>(kPositionLimit)) refuse(rope.name("factor") + " makes the context too long");
  notes.push_back(fmt::format("{}: {} positions are {} times the {} before scaling", layer.name, scaled,
                              config.scaling.factor, trained));
  config.max_positions = static_cast<std::int64_t>(scaled);
}

void make_proportional(const Fields& rope, double partial, RopeConfig& config) {
  config.scaling.type = ScalingType::proportional;
  config.scaling.active_pairs = static_cast<std::int32_t>(std::floor(partial * config.head_dim / 2));
  config.rotary_dim = config.head_dim;
  if (config.scaling.active_pairs < 1) refuse(rope.name("partial_rotary_factor") + " leaves no pair to rotate");
}

// The sections of a family whose files may leave them out.
void default_axes(const Family& family, RopeConfig& config) {
  if (family.sections[0] == 0) return;
  if (2 * std::accumulate(family.sections.begin(), family.sections.end(), 0) != config.rotary_dim) return;
  config.axes = static_cast<std::int32_t>(family.sections.size());
  std::ranges::copy(family.sections, config.sections.begin());
  config.axis_layout = family.axis_layout;
}

void read_axes(const Family& family, const Fields& rope, RopeConfig& config) {
  std::string_view key = rope.has("xdrope_section") ? "xdrope_section" : "mrope_section";
  if (!rope.has(key)) {
    if (rope.has("mrope_interleaved") && *rope.boolean("mrope_interleaved")) refuse(rope.name(key) + " is missing");
    return default_axes(family, config);
  }
  const std::vector<std::int32_t> sections = rope.integers(key);
  if (sections.size() < 2 || sections.size() > config.sections.size()) {
    refuse(fmt::format("{} has {} entries; it must have 2 to 4", rope.name(key), sections.size()));
  }
  const auto sum = std::accumulate(sections.begin(), sections.end(), std::int64_t{0});
  if (sum != config.rotary_dim / 2) {
    refuse(
        fmt::format("{} sums to {}; half of the rotary dimension is {}", rope.name(key), sum, config.rotary_dim / 2));
  }
  config.axes = static_cast<std::int32_t>(sections.size());
  std::ranges::copy(sections, config.sections.begin());
  config.axis_layout = family.axis_layout;
  if (config.axis_layout == AxisLayout::ernie) {
    if (config.axes != 3) refuse(fmt::format("{} must have 3 entries", rope.name(key)));
    // The file lists height, width, time; the axes of positions are time, height, width.
    config.sections = {sections[2], sections[0], sections[1], 0};
    return;
  }
  if (rope.text("rope_type") == "openpangu" || rope.text("type") == "openpangu") {
    config.axis_layout = AxisLayout::rarest_first;
  } else if (const auto interleaved = rope.boolean("mrope_interleaved")) {
    config.axis_layout = *interleaved ? AxisLayout::interleaved : AxisLayout::chunked;
  }
}

}  // namespace

bool is_proportional(const RopeFields& fields, const Role& role) {
  if (!fields.rope) return role.proportional;
  return fields.rope->text("rope_type") == "proportional" || fields.rope->text("type") == "proportional";
}

void read_scaling(const Family& family, const RopeFields& fields, const Role& role, double partial, LayerRope& layer,
                  std::vector<std::string>& notes) {
  layer.rope_type = "default";
  fields.config.pass_over({"original_max_position_embeddings"});
  const double position_scale = fields.config.number({"rope_position_scale"}).value_or(1);
  if (!fields.rope) {
    if (position_scale != 1) {
      if (position_scale < 1) refuse(fields.config.name("rope_position_scale") + " is below 1");
      layer.rope_type = "linear";
      layer.config.scaling.type = ScalingType::linear;
      layer.config.scaling.factor = position_scale;
    }
    if (role.proportional) {
      layer.rope_type = "proportional";
      make_proportional(fields.config, partial, layer.config);
    }
    return default_axes(family, layer.config);
  }
  const Fields& rope = *fields.rope;
  RopeConfig& config = layer.config;
  const TypeRow type = find_type(rope);
  layer.rope_type = type.name;
  Scaling& scaling = config.scaling;
  scaling.type = type.type;
  read_numbers(rope, type, scaling);
  note_unused(rope, type, notes);

  constexpr std::string_view kOriginal = "original_max_position_embeddings";
  const auto stated = rope.integer({kOriginal}, 1, kPositionLimit);
  const auto original = stated ? stated : fields.config.integer({kOriginal}, 1, kPositionLimit);
  const std::string missing = rope.name(kOriginal) + " is missing; type " + layer.rope_type + " requires it";
  switch (type.type) {
    case ScalingType::yarn:
      if (!original) refuse(missing);
      scaling.original_max_positions = *original;
      settle_yarn(family, rope, rope.text("rope_type").value_or(rope.text("type").value_or("yarn")), config, scaling,
                  notes);
      break;
    case ScalingType::llama3:
      if (!original) refuse(missing);
      scaling.original_max_positions = *original;
      if (scaling.high_freq_factor < scaling.low_freq_factor) {
        refuse(fmt::format("{} is below {}", rope.name("high_freq_factor"), rope.name("low_freq_factor")));
      }
      break;
    case ScalingType::longrope: {
      if (!original) refuse(missing);
      scaling.original_max_positions = *original;
      const double ratio = static_cast<double>(config.max_positions) / static_cast<double>(*original);
      if (scaling.factor == 0) scaling.factor = std::max(ratio, 1.0);
      scaling.short_factor = read_factors(rope, "short_factor", config.rotary_dim / 2);
      scaling.long_factor = read_factors(rope, "long_factor", config.rotary_dim / 2);
      break;
    }
    case ScalingType::dynamic:
      if (scaling.alpha != 0) {
        scaling.factor = 0;
        break;
      }
      if (scaling.factor == 0) refuse(rope.name("factor") + " is missing; type dynamic requires it, or alpha");
      scaling.original_max_positions = original.value_or(config.max_positions);
      notes.push_back(
          fmt::format("dynamic scaling changes the frequencies of sequences above {} tokens: for those, set "
                      "max_positions and scaling.sequence_length",
                      scaling.original_max_positions));
      break;
    case ScalingType::proportional:
      make_proportional(rope, partial, config);
      break;
    default:
      break;
  }
  extend_positions(family, rope, fields.config, layer, notes);
  read_axes(family, rope, config);
}

}  // namespace hiprope::model_config_internal
