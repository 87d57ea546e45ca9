// From a file to the rotary embeddings of its model's layers.
#include "hiprope/model_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <vector>

#include "families.h"
#include "fields.h"
#include "file_contents.h"
#include "formats.h"
#include "gguf_model.h"
#include "heads.h"
#include "json_text.h"
#include "layer_rope.h"
#include "layers.h"
#include "norms.h"
#include "query_scale.h"
#include "scaling_fields.h"
#include "unused.h"
#include "vision.h"

namespace hiprope {
namespace model_config_internal {
namespace {

constexpr Family kGeneric = {.model_type = "generic"};

// MPT has two implementations, and scaling in one of them.
std::optional<Fields> find_mpt_scaling(const Fields& attention) {
  const std::string implementation = attention.text("rope_impl").value_or("dail");
  const auto dail = attention.nested("rope_dail_config");
  if (dail && implementation == "dail" && dail->text("type").value_or("original") != "original") {
    refuse(dail->name("type") + " is not \"original\": xPos needs a decay that differs between Q and K");
  }
  auto scaling = attention.nested("rope_hf_config");
  if (!scaling || implementation != "hf" || scaling->text("type") == "no_scaling") return std::nullopt;
  return scaling;
}

// The object with a layer type's rope parameters; `nested` tells whether it is that type's own. `absent` is set when
// the file says null for it, which means no RoPE.
std::optional<Fields> find_rope_fields(const Fields& fields, std::string_view name, bool scaled, bool& nested,
                                       bool& absent) {
  std::optional<Fields> rope = fields.nested("rope_parameters");
  if (!rope) rope = fields.nested("rope_scaling");
  if (!rope) rope = fields.nested("yarn");
  if (const auto attention = fields.nested("attn_config"); attention && !rope) rope = find_mpt_scaling(*attention);
  if (!rope) return std::nullopt;
  nested = has_nested_types(*rope);
  if (!nested) return scaled ? rope : std::nullopt;
  if (!rope->object().contains(name)) refuse(rope->name(name) + " is missing");
  absent = !rope->has(name);
  return absent ? std::nullopt : rope->nested(name);
}

// Qwen 1 raises the base with the length of the sequence: in steps, one each time the trained length doubles.
void split_qwen(const Fields& fields, const LayerRope& layer, ModelConfig& model) {
  const auto trained = fields.integer({"seq_length"}, 1, kPositionLimit).value_or(layer.config.max_positions);
  if (fields.boolean("use_logn_attn").value_or(false)) {
    model.notes.push_back(
        fmt::format("not applied by the kernels: Q at a position p above {0} is multiplied by "
                    "ln(p) / ln({0})",
                    trained));
  }
  const std::int64_t longest = layer.config.max_positions;
  const bool dynamic = fields.boolean("use_dynamic_ntk").value_or(false);
  std::int64_t covered = 0;
  for (std::int64_t doublings = 0; covered < longest; ++doublings) {
    LayerRope& part = model.layer_types.emplace_back(layer);
    if (!dynamic) return;
    const std::int64_t end = std::min(longest, trained << doublings);
    const double alpha = std::exp2(static_cast<double>(doublings + 1)) - 1;
    part.name = fmt::format("ntk_{}", alpha);
    part.used_for = fmt::format("sequences of {} to {} tokens", covered + 1, end);
    part.config.max_positions = covered = end;
    if (doublings == 0) continue;
    part.rope_type = "dynamic";
    part.config.scaling.type = ScalingType::dynamic;
    part.config.scaling.alpha = alpha;
  }
}

// The frequencies of a family that rotates by the negative angle.
void turn_back(LayerRope& layer, std::vector<std::string>& notes) {
  RopeConfig& config = layer.config;
  if (config.scaling.type != ScalingType::none) refuse("a scaled embedding that turns by the negative angle");
  std::vector<double> inv_freq(static_cast<std::size_t>(config.rotary_dim / 2));
  const hiprope_config plain = config.to_c();
  hiprope_frequency_report report{};
  report.size = sizeof(report);
  report.inv_freq = inv_freq.data();
  report.capacity = static_cast<std::int32_t>(inv_freq.size());
  if (hiprope_frequencies(&plain, &report) != hiprope_ok) refuse(hiprope_last_error());
  for (double& value : inv_freq) value = -value;
  config.scaling.type = ScalingType::custom;
  config.scaling.inv_freq = std::move(inv_freq);
  notes.push_back(layer.name + ": pairs turn by the negative angle");
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
  indexer.config.rotary_offset = family.indexer_at_end ? *dim - of->config.rotary_dim : 0;
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
  const double base = group.rotates && !absent ? read_base(family, rope, group, nested, model.notes) : 0;
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
  const double partial = read_partial(family, rope, group, partial_stated);
  // proportional turns the first pairs of the whole head rather than a rotary part of it.
  const bool proportional = is_proportional(rope, group.role);
  read_rotary_part(family, rope, proportional ? 1 : partial, partial_stated, layer.config, model.notes);
  read_scaling(family, rope, group.role, partial, layer, model.notes);
  check(layer);
  if (family.negative) turn_back(layer, model.notes);
  if (family.model_type == "qwen") return split_qwen(fields, layer, model);
  if (layer.config.scaling.type == ScalingType::longrope) {
    split_longrope(std::move(layer), model.layer_types);
  } else {
    model.layer_types.push_back(std::move(layer));
  }
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
  constexpr std::string_view kKeys[] = {
      "rope_theta", "rope_scaling",          "rope_parameters", "rotary_emb_base",    "rotary_pct",
      "rotary_dim", "partial_rotary_factor", "rope_ratio",      "rope_embedding_base"};
  return std::ranges::any_of(kKeys, [&](std::string_view key) { return fields.has(key); });
}

// The language model's part of a multimodal config.
Fields find_text_config(Fields fields) {
  for (const std::string_view key :
       {"thinker_config", "text_config", "llm_config", "language_config", "decoder_config"}) {
    if (const auto nested = fields.nested(key)) fields = *nested;
  }
  return fields;
}

// The stack of an encoder that has a config or counts of its own.
void add_encoder(const Family& family, const Fields& root, const Fields& fields, ModelConfig& model) {
  if (family.encoder.empty()) return;
  const auto own = root.nested(std::string(family.encoder) + "config");
  const Fields& encoder = own ? *own : fields;
  LayerGroup group;
  group.name = "encoder";
  group.role = family.shared;
  if (!own) group.role.prefix = family.encoder;
  const auto count = own ? own->count({"num_hidden_layers"}) : fields.count({"encoder_num_hidden_layers"});
  add_group(family, encoder, group, model);
  model.layer_types.back().used_for = count ? fmt::format("the {} layers of the encoder", *count) : "the encoder";
}

// Adds the tower of a multimodal model; one that cannot be read leaves the text model as it is.
void add_vision(const Fields& root, ModelConfig& model) {
  const std::size_t before = model.layer_types.size();
  try {
    read_vision(root, model.model_type, model);
    if (model.layer_types.size() > before) check(model.layer_types.back());
  } catch (const Refusal& refusal) {
    model.layer_types.resize(before);
    model.notes.push_back("the vision tower is not read: " + refusal.sentence);
  }
}

Family choose_family(const Fields& root, const Fields& fields, ModelConfig& model) {
  model.model_type = root.text("model_type").value_or(fields.text("model_type").value_or(""));
  if (model.model_type.empty()) refuse("model_type is missing");
  const std::string text_type = fields.text("model_type").value_or(model.model_type);
  const Family* family = find_family(text_type);
  if (family == nullptr) family = find_family(model.model_type);
  if (family != nullptr) return *family;
  if (!mentions_rope(fields)) {
    refuse(
        fmt::format("model_type \"{}\" is not known, and the file has no rope_theta, rope_parameters or "
                    "rope_scaling to read it by",
                    text_type.substr(0, 60)));
  }
  model.known_family = false;
  const bool latent = fields.has("qk_rope_head_dim");
  model.notes.push_back(
      fmt::format("model_type \"{}\" is not known: read as {}; check the pairing against the model's "
                  "own code",
                  text_type.substr(0, 60),
                  latent ? "multi-head latent attention with interleaved pairs, as DeepSeek-V3"
                         : "a plain decoder with half_split pairs"));
  return latent ? *find_family("deepseek_v3") : kGeneric;
}

void read_layers(const Fields& root, ModelConfig& model) {
  const Fields fields = find_text_config(root);
  Family family = choose_family(root, fields, model);
  if (family.model_type == "mistral_native" && fields.has("qk_rope_head_dim")) family.heads = HeadRule::mla;
  refuse_unsupported(fields);
  model.layer_count = read_layer_count(family, fields);
  if (!fields.path().empty() && find_text_defaults(family.model_type) != nullptr &&
      !(fields.has("hidden_size") && fields.has("num_attention_heads") && fields.has("num_hidden_layers"))) {
    model.notes.push_back(fmt::format("{} leaves out some of its sizes: they are the defaults of {}",
                                      fields.path().substr(0, fields.path().size() - 1), family.model_type));
  }
  if (fields.boolean("rotary_value").value_or(false)) {
    model.notes.push_back(fields.name("rotary_value") + " is true: V is rotated as K is");
  }
  if (model.layer_count == 0) {
    if (!mentions_rope(fields)) refuse(fields.name("num_hidden_layers") + " is missing");
    model.notes.push_back(fields.name("num_hidden_layers") + " is missing: which layers rotate is not known");
  }
  for (const LayerGroup& group : group_layers(family, fields, model.layer_count, model.notes)) {
    add_group(family, fields, group, model);
  }
  add_encoder(family, root, fields, model);
  add_indexer(family, fields, model);
  read_query_scale(family, fields, model);
  add_vision(root, model);
  read_norms(family, fields, model);
}

// Names what was not used, and refuses it when strict.
void finish(const Fields& file, const ModelConfigOptions& options, ModelConfig& model) {
  const auto unused = unused_rope_fields(file);
  if (!unused.empty()) model.notes.push_back(unused_note(unused, model));
  if (options.strict && !unused.empty()) refuse("strict: " + model.notes.back());
  if (options.strict && !model.known_family) refuse("strict: " + model.notes.front());
}

ModelConfig read_model(const Json& object, const ModelConfigOptions& options) {
  ModelConfig model;
  SeenFields seen;
  const Fields file(object, "", seen);
  const auto translated = translate_native(file, model.notes);
  const Fields root(translated ? *translated : object, "", seen);
  if (root.has("_class_name")) {
    read_diffusers(root, model);
    check(model.layer_types.back());
  } else if (root.text("model_type") == "dinov3_vit") {
    read_patch_model(root, model);
    check(model.layer_types.back());
  } else {
    read_layers(root, model);
  }
  finish(file, options, model);
  return model;
}

ModelConfig read_gguf(std::string_view bytes, const ModelConfigOptions& options) {
  ModelConfig model;
  SeenFields seen;
  const Gguf gguf = parse_gguf(bytes);
  read_gguf_model(gguf, seen, model);
  std::vector<LayerRope> layers;
  for (LayerRope& layer : model.layer_types) {
    if (layer.rotates) check(layer);
    if (layer.config.scaling.type == ScalingType::longrope) {
      split_longrope(std::move(layer), layers);
    } else {
      layers.push_back(std::move(layer));
    }
  }
  model.layer_types = std::move(layers);
  finish(Fields(gguf.metadata, "", seen), options, model);
  return model;
}

}  // namespace
}  // namespace model_config_internal

ModelConfigResult parse_model_config(std::string_view text, const ModelConfigOptions& options) {
  using namespace model_config_internal;
  ModelConfigResult result;
  try {
    if (is_gguf(text)) {
      result.model = read_gguf(text, options);
    } else if (text.size() > kModelConfigSizeLimit) {
      refuse(fmt::format("the text has {} bytes; the limit is {}", text.size(), kModelConfigSizeLimit));
    } else {
      result.model = read_model(parse_json(text), options);
    }
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

ModelConfigResult read_model_config(const std::string& path, const ModelConfigOptions& options) {
  ModelConfigResult result;
  std::error_code code;
  std::filesystem::path file = path;
  if (std::filesystem::is_directory(file, code)) file /= "config.json";
  const model_config_internal::FileContents contents(file.string());
  if (!contents.error().empty()) {
    result.error = contents.error();
    return result;
  }
  result = parse_model_config(contents.bytes(), options);
  if (!result) result.error = file.string() + ": " + result.error;
  return result;
}

std::vector<std::string_view> model_config_families() {
  std::vector<std::string_view> names;
  for (const auto& family : model_config_internal::families()) names.push_back(family.model_type);
  return names;
}

}  // namespace hiprope
