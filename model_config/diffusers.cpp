// The transformers of Diffusers: a rotary embedding of several axes, each with frequencies of its own.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "formats.h"
#include "heads.h"

namespace hiprope::model_config_internal {
namespace {

constexpr std::int64_t kPositions = 4096;  // an axis, where the file states no length

struct Transformer {
  std::string_view class_name = {};
  std::vector<std::int32_t> (*axes)(std::int32_t head_dim) = nullptr;  // elements an axis, where the file does not say
  double base = 10000;
  std::int32_t single_layers = 0;  // default of num_single_layers, which come after num_layers
  std::string_view note = {};
};

std::vector<std::int32_t> flux_axes(std::int32_t) {
  return {16, 56, 56};
}
std::vector<std::int32_t> flux2_axes(std::int32_t) {
  return {32, 32, 32, 32};
}
std::vector<std::int32_t> z_image_axes(std::int32_t) {
  return {32, 48, 48};
}
// Rows and columns take a third of the pairs each, rounded down; frames take the rest.
std::vector<std::int32_t> wan_axes(std::int32_t head_dim) {
  const std::int32_t side = 2 * (head_dim / 6);
  return {head_dim - 2 * side, side, side};
}

constexpr Transformer kTransformers[] = {
    {"FluxTransformer2DModel", flux_axes, 10000, 38},
    {"ChromaTransformer2DModel", flux_axes, 10000, 38},
    {"Flux2Transformer2DModel", flux2_axes, 2000, 48},
    {"QwenImageTransformer2DModel", flux_axes, 10000, 0,
     "rows and columns are counted from the middle of the image, so half of them are below zero: add the same number "
     "to "
     "all positions of an axis"},
    {"HunyuanVideoTransformer3DModel", flux_axes, 256, 40},
    {"WanTransformer3DModel", wan_axes, 10000, 0},
    {"ZImageTransformer2DModel", z_image_axes, 256, 0},
};

Transformer find_transformer(const Fields& root, const std::string& name, ModelConfig& model) {
  const auto* row = std::ranges::find(kTransformers, name, &Transformer::class_name);
  if (row != std::end(kTransformers)) return *row;
  if (name.starts_with("LTX")) {
    refuse(
        fmt::format("_class_name \"{}\" turns the row of all heads by coordinates that are no whole numbers: its "
                    "angles need a table of the caller's own",
                    name));
  }
  const bool stated = root.has("axes_dims_rope") || root.has("rope_axes_dim") || root.has("axes_dims");
  if (!stated) refuse(fmt::format("_class_name \"{}\" is not known, and the file has no axes_dims_rope", name));
  model.known_family = false;
  model.notes.push_back(
      fmt::format("_class_name \"{}\" is not known: read as interleaved pairs, an axis after the other, "
                  "each with frequencies of its own; check it against the model's own code",
                  name));
  return {};
}

std::vector<std::int32_t> read_axes_dims(const Fields& root, const Transformer& transformer, std::int32_t head_dim) {
  for (const std::string_view key : {"axes_dims_rope", "rope_axes_dim", "axes_dims"}) {
    auto dims = root.integers(key);
    if (dims.empty()) continue;
    const bool odd = std::ranges::any_of(dims, [](std::int32_t dim) { return dim < 2 || dim % 2 != 0; });
    if (dims.size() > 4 || odd || std::accumulate(dims.begin(), dims.end(), std::int64_t{0}) > head_dim) {
      refuse(fmt::format("{} must be up to 4 even numbers that sum to at most {}, the head's elements", root.name(key),
                         head_dim));
    }
    return dims;
  }
  return transformer.axes(head_dim);
}

}  // namespace

void read_diffusers(const Fields& root, ModelConfig& model) {
  model.model_type = require(root.text("_class_name"), root, "_class_name").substr(0, 60);
  const Transformer transformer = find_transformer(root, model.model_type, model);
  LayerRope layer;
  layer.name = "all";
  layer.rope_type = "default";
  layer.heads = layer.kv_heads = require(root.count({"num_attention_heads", "n_heads"}), root, "num_attention_heads");
  RopeConfig& config = layer.config;
  config.head_dim = root.count({"attention_head_dim", "head_dim"}).value_or(128);
  if (config.head_dim > kHeadDimLimit) refuse(root.name("attention_head_dim") + " is too large");
  const auto dims = read_axes_dims(root, transformer, config.head_dim);
  config.axes = static_cast<std::int32_t>(dims.size());
  std::ranges::transform(dims, config.sections.begin(), [](std::int32_t dim) { return dim / 2; });
  config.rotary_dim = std::accumulate(dims.begin(), dims.end(), 0);
  config.frequency_layout = FrequencyLayout::restart;
  config.pairing = Pairing::interleaved;
  config.base = root.number({"rope_theta"}).value_or(transformer.base);
  if (!(config.base > 0)) refuse(fmt::format("{} is {}; it must be above 0", root.name("rope_theta"), config.base));
  config.max_positions = root.integer({"rope_max_seq_len"}, 1, kPositionLimit).value_or(kPositions);
  if (!root.has("rope_max_seq_len")) {
    model.notes.push_back(fmt::format("positions are those of the image: the table has {} an axis", kPositions));
  }
  if (!transformer.note.empty()) model.notes.emplace_back(transformer.note);
  model.layer_count =
      require(root.count({"num_layers", "n_layers"}), root, "num_layers") +
      static_cast<std::int32_t>(root.integer({"num_single_layers"}, 0, 1 << 20).value_or(transformer.single_layers));
  if (model.layer_count > kLayerLimit) refuse(root.name("num_layers") + " is too large");
  for (std::int32_t i = 0; i < model.layer_count; ++i) layer.layers.push_back(i);
  model.layer_types.push_back(std::move(layer));
}

}  // namespace hiprope::model_config_internal
