// From the text of a config.json to the rotary embeddings of its layers.
#include "hiprope/model_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <vector>

#include "families.h"
#include "fields.h"
#include "heads.h"
#include "layers.h"
#include "scaling_fields.h"
#include "vision.h"

namespace hiprope {
namespace model_config_internal {
namespace {

constexpr Family kGeneric = {.model_type = "generic"};

// The object with a layer type's rope parameters; `nested` tells whether it is that type's own. `absent` is set when
// the file says null for it, which means no RoPE.
std::optional<Fields> find_rope_fields(const Fields& fields, std::string_view name, bool scaled, bool& nested,
                                       bool& absent) {
  std::optional<Fields> rope = fields.nested("rope_parameters");
  if (!rope) rope = fields.nested("rope_scaling");
  if (!rope) rope = fields.nested("yarn");
  if (!rope) return std::nullopt;
  nested = has_nested_types(*rope);
  if (!nested) return scaled ? rope : std::nullopt;
  if (!rope->object().contains(name)) refuse(rope->name(name) + " is missing");
  absent = !rope->has(name);
  return absent ? std::nullopt : rope->nested(name);
}

// What the core says about the config, so that a result is never one that hiprope_create refuses.
void check(const LayerRope& layer) {
  const hiprope_config config = layer.config.to_c();
  hiprope_frequency_report report{};
  report.size = sizeof(report);
  if (hiprope_frequencies(&config, &report) != hiprope_ok) {
    refuse(fmt::format("{}: {}", layer.name, hiprope_last_error()));
  }
}

// Longrope is two embeddings: one for sequences up to the original length, one for longer ones.
void split_longrope(LayerRope layer, std::vector<LayerRope>& layers) {
  const std::int64_t original = layer.config.scaling.original_max_positions;
  const std::string prefix = layer.name == "all" ? "" : layer.name + ".";
  if (layer.config.max_positions <= original) {
    layers.push_back(std::move(layer));
    return;
  }
  LayerRope& short_layer = layers.emplace_back(layer);
  short_layer.name = prefix + "short";
  short_layer.used_for = fmt::format("sequences of at most {} tokens", original);
  short_layer.config.scaling.sequence_length = original;
  short_layer.config.max_positions = original;
  layer.name = prefix + "long";
  layer.used_for = fmt::format("sequences of more than {} tokens", original);
  layer.config.scaling.sequence_length = layer.config.max_positions;
  layers.push_back(std::move(layer));
}

void add_indexer(const Family& family, const Fields& fields, ModelConfig& model) {
  const auto dim = fields.count({"index_head_dim"});
  if (!family.indexer || !dim) return;
  const auto of = std::ranges::find_if(
      model.layer_types, [&](const LayerRope& layer) { return layer.rotates && layer.name != family.local.name; });
  if (of == model.layer_types.end()) return;
  LayerRope indexer = *of;
  indexer.name = "indexer";
  indexer.heads = require(fields.count({"index_n_heads"}), fields, "index_n_heads");
  indexer.kv_heads = 1;
  indexer.used_for = "the indexer's own Q and K heads";
  indexer.config.head_dim = *dim;
  if (*dim < of->config.rotary_dim || *dim > kHeadDimLimit) {
    refuse(fmt::format("{} is {}; it must be {} to {}", fields.name("index_head_dim"), *dim, of->config.rotary_dim,
                       kHeadDimLimit));
  }
  const bool at_end = family.heads == HeadRule::last_dims;
  indexer.config.rotary_offset = at_end ? *dim - of->config.rotary_dim : 0;
  indexer.config.pairing = family.indexer_pairing;
  if (const auto interleave = fields.boolean("indexer_rope_interleave")) {
    indexer.config.pairing = *interleave ? Pairing::interleaved : Pairing::half_split;
  }
  check(indexer);
  model.layer_types.push_back(std::move(indexer));
}

void add_group(const Family& family, const Fields& fields, const LayerGroup& group, ModelConfig& model) {
  LayerRope layer;
  layer.name = group.name;
  layer.layers = group.layers;
  layer.rope_type = "none";
  bool nested = false;
  bool absent = false;
  RopeFields rope{std::nullopt, fields};
  if (group.rotates) rope.rope = find_rope_fields(fields, group.name, group.role.scaled, nested, absent);
  const double base = group.rotates && !absent ? read_base(family, rope, group.role, nested, model.notes) : 0;
  layer.rotates = base != 0;
  if (!layer.rotates) {
    layer.heads = fields.count({"num_attention_heads"}).value_or(0);
    layer.kv_heads = fields.count({"num_key_value_heads"}).value_or(layer.heads);
    model.layer_types.push_back(std::move(layer));
    return;
  }
  const HeadShape shape = read_heads(family, fields, group.role);
  layer.heads = shape.heads;
  layer.kv_heads = shape.kv_heads;
  layer.config.head_dim = shape.head_dim;
  layer.config.base = base;
  layer.config.max_positions = read_max_positions(family, fields);
  bool partial_stated = false;
  const double partial = read_partial(family, rope, group.role, partial_stated);
  // proportional turns the first pairs of the whole head rather than a rotary part of it.
  const bool proportional =
      rope.rope && (rope.rope->text("rope_type") == "proportional" || rope.rope->text("type") == "proportional");
  read_rotary_part(family, rope, proportional ? 1 : partial, partial_stated, layer.config, model.notes);
  read_scaling(family, rope, partial, layer, model.notes);
  check(layer);
  if (layer.config.scaling.type == ScalingType::longrope) {
    split_longrope(std::move(layer), model.layer_types);
  } else {
    model.layer_types.push_back(std::move(layer));
  }
}

void read_query_scale(const Family& family, const Fields& fields, ModelConfig& model) {
  QueryScale& scale = model.query_scale;
  if (family.model_type == "llama4") {
    const Json* tuning = fields.find("attn_temperature_tuning");
    if (tuning != nullptr && (*tuning == false || *tuning == 0)) return;
    scale.beta = fields.number({"attn_scale"}).value_or(0.1);
    scale.period = fields.integer({"floor_scale"}, 1, kPositionLimit).value_or(8192);
    scale.offset = 1;
    for (const LayerRope& layer : model.layer_types) {
      if (!layer.rotates) scale.layers = layer.layers;
    }
  } else {
    std::optional<Fields> source = fields.nested("llama_4_scaling");
    const bool native = source.has_value();
    if (!source) source = fields.nested("rope_parameters");
    if (!source) source = fields.nested("rope_scaling");
    const std::string_view key = native ? "beta" : "llama_4_scaling_beta";
    const auto beta = source ? source->number({key}) : std::nullopt;
    if (!beta || *beta == 0) return;
    scale.beta = *beta;
    scale.period = require(source->integer({"original_max_position_embeddings"}, 1, kPositionLimit), *source,
                           "original_max_position_embeddings");
    for (std::int32_t i = 0; i < model.layer_count; ++i) scale.layers.push_back(i);
  }
  model.notes.push_back(
      fmt::format("not applied by the kernels: Q of {} layers is multiplied by 1 + {} * ln(1 + "
                  "floor((position + {}) / {}))",
                  scale.layers.size(), scale.beta, scale.offset, scale.period));
}

void refuse_unsupported(const Fields& fields) {
  if (fields.boolean("use_fope").value_or(false)) {
    refuse(fields.name("use_fope") + " is true: learned Fourier coefficients per head are not supported");
  }
  if (fields.has("dual_chunk_attention_config")) {
    refuse(fields.name("dual_chunk_attention_config") +
           " is set: dual chunk attention remaps positions per call and has no table of its own");
  }
}

// True when the fields say that a rotary embedding exists, for a model_type without a row.
bool mentions_rope(const Fields& fields) {
  constexpr std::string_view kKeys[] = {"rope_theta", "rope_scaling", "rope_parameters",       "rotary_emb_base",
                                        "rotary_pct", "rotary_dim",   "partial_rotary_factor", "rope_ratio"};
  return std::ranges::any_of(kKeys, [&](std::string_view key) { return fields.has(key); });
}

// The language model's part of a multimodal config.
Fields find_text_config(Fields fields) {
  for (const std::string_view key : {"thinker_config", "text_config", "llm_config", "language_config"}) {
    if (const auto nested = fields.nested(key)) fields = *nested;
  }
  return fields;
}

ModelConfig read_model(const Json& root_object) {
  const Fields root(root_object, "");
  const Fields fields = find_text_config(root);
  ModelConfig model;
  const bool native = root.has("n_heads") && root.has("dim") && !root.has("model_type");
  model.model_type =
      native ? "mistral_native" : root.text("model_type").value_or(fields.text("model_type").value_or(""));
  if (model.model_type.empty()) refuse("model_type is missing");
  const std::string text_type = native ? model.model_type : fields.text("model_type").value_or(model.model_type);
  const Family* family = find_family(text_type);
  if (family == nullptr) family = find_family(model.model_type);
  if (family == nullptr) {
    if (!mentions_rope(fields)) {
      refuse(
          fmt::format("model_type \"{}\" is not known, and the file has no rope_theta, rope_parameters or "
                      "rope_scaling to read it by",
                      text_type.substr(0, 60)));
    }
    model.known_family = false;
    model.notes.push_back(
        fmt::format("model_type \"{}\" is not known: read as a plain decoder with half_split pairing; "
                    "check the pairing against the model's own code",
                    text_type.substr(0, 60)));
    family = fields.has("qk_rope_head_dim") ? find_family("deepseek_v3") : &kGeneric;
  }
  Family chosen = *family;
  if (native && fields.has("qk_rope_head_dim")) chosen.heads = HeadRule::mla;
  refuse_unsupported(fields);
  model.layer_count = read_layer_count(chosen, fields);
  for (const LayerGroup& group : group_layers(chosen, fields, model.layer_count, model.notes)) {
    add_group(chosen, fields, group, model);
  }
  add_indexer(chosen, fields, model);
  read_query_scale(chosen, fields, model);
  read_vision(root, model.model_type, model);
  for (const LayerRope& layer : model.layer_types) {
    if (layer.name == "vision") check(layer);
  }
  return model;
}

// A key that stands twice in one object is refused: readers differ in which of its values they take.
Json parse_strictly(std::string_view text) {
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  return Json::parse(text, [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second) {
      refuse(fmt::format("{} stands twice in one object", parsed.get<std::string>()));
    }
    return true;
  });
}

}  // namespace
}  // namespace model_config_internal

double QueryScale::at(std::int64_t position) const {
  return 1 + beta * std::log1p(std::floor(static_cast<double>(position + offset) / static_cast<double>(period)));
}

ModelConfigResult parse_model_config(std::string_view text) {
  using namespace model_config_internal;
  ModelConfigResult result;
  if (text.size() > kModelConfigSizeLimit) {
    result.error = fmt::format("the text has {} bytes; the limit is {}", text.size(), kModelConfigSizeLimit);
    return result;
  }
  try {
    const Json root = parse_strictly(text);
    if (!root.is_object()) refuse("the file is not a JSON object");
    result.model = read_model(root);
  } catch (const Refusal& refusal) {
    result.error = refusal.sentence;
  } catch (const Json::exception& error) {
    result.error = fmt::format("not valid JSON: {}", error.what());
  } catch (const std::bad_alloc&) {
    result.error = "out of memory";
  }
  if (!result) result.model = {};
  return result;
}

ModelConfigResult read_model_config(const std::string& path) {
  ModelConfigResult result;
  std::error_code code;
  std::filesystem::path file = path;
  if (std::filesystem::is_directory(file, code)) file /= "config.json";
  const std::uintmax_t size = std::filesystem::file_size(file, code);
  if (!code && size > kModelConfigSizeLimit) {
    result.error = fmt::format("{} has {} bytes; the limit is {}", file.string(), size, kModelConfigSizeLimit);
    return result;
  }
  // A pipe has no size, so the reading is bounded as well.
  std::ifstream stream(file, std::ios::binary);
  std::string text(kModelConfigSizeLimit + 1, '\0');
  if (stream) stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!stream.is_open() || stream.bad()) {
    result.error = fmt::format("{} cannot be read", file.string());
    return result;
  }
  text.resize(static_cast<std::size_t>(stream.gcount()));
  result = parse_model_config(text);
  if (!result) result.error = file.string() + ": " + result.error;
  return result;
}

std::vector<std::string_view> model_config_families() {
  std::vector<std::string_view> names;
  for (const auto& family : model_config_internal::families()) names.push_back(family.model_type);
  return names;
}

}  // namespace hiprope
