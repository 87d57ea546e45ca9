// Reads vision_config by the table of vision families.
#include "vision.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "families.h"
#include "heads.h"

namespace hiprope::model_config_internal {
namespace {

constexpr std::int64_t kPatchesPerSide = 4096;  // for towers of no stated image size

// A side of an image may come as a number or as height and width.
std::int32_t larger_side(const Fields& vision, std::string_view name) {
  const Json* value = vision.find(name);
  if (value == nullptr || !value->is_array()) return vision.count({name}).value_or(0);
  std::int32_t side = 0;
  for (const std::int32_t one : vision.integers(name)) side = std::max(side, one);
  return side;
}

std::int64_t read_grid_side(const VisionFamily& family, const Fields& vision, ModelConfig& model) {
  const std::int32_t image = larger_side(vision, "image_size");
  const std::int32_t patch = larger_side(vision, "patch_size");
  if (family.grid_of_image_size && image > 0 && patch > 0) return (image + patch - 1) / patch + 1;
  if (const auto stated = vision.integer({"max_position_embeddings"}, 1, kPositionLimit)) return *stated;
  model.notes.push_back(
      fmt::format("vision: the grid is that of the image that the processor makes, so the table has {} positions an "
                  "axis; set max_positions for larger ones",
                  kPatchesPerSide));
  return kPatchesPerSide;
}

}  // namespace

void read_vision(const Fields& root, const std::string& model_type, ModelConfig& model) {
  auto vision = root.nested("vision_config");
  if (!vision) {
    if (const auto thinker = root.nested("thinker_config")) vision = thinker->nested("vision_config");
  }
  if (!vision) return;
  const std::string vision_type = vision->text("model_type").value_or("");
  const VisionFamily* family = find_vision_family(vision_type, model_type);
  if (family == nullptr) {
    model.notes.push_back(fmt::format("the vision tower ({}) is not read",
                                      vision_type.empty() ? "no model_type" : vision_type.substr(0, 60)));
    return;
  }
  LayerRope layer;
  layer.name = "vision";
  layer.used_for = "patches of the vision tower";
  layer.rope_type = "default";
  const auto heads = vision->count({"num_attention_heads", "num_heads", "vt_num_attention_heads"});
  layer.heads = layer.kv_heads = require(heads, *vision, "num_attention_heads");
  RopeConfig& config = layer.config;
  if (const auto dim = vision->count({"head_dim"})) {
    config.head_dim = *dim;
  } else {
    // Qwen2-VL calls the tower's width embed_dim; its hidden_size is the language model's.
    auto hidden = vision->count({"embed_dim"});
    if (!hidden) hidden = vision->count({"hidden_size", "vt_hidden_size"});
    if (require(hidden, *vision, "hidden_size") % layer.heads != 0) {
      refuse(fmt::format("{} {} is not a multiple of {} heads", vision->name("hidden_size"), *hidden, layer.heads));
    }
    config.head_dim = *hidden / layer.heads;
  }
  const std::int32_t pairs_of_axis = config.head_dim / 2 / family->axes;
  if (pairs_of_axis < 1) {
    refuse(fmt::format("{} gives a head of {}, too small for {} axes", vision->name("hidden_size"), config.head_dim,
                       family->axes));
  }
  config.axes = family->axes;
  config.rotary_dim = 2 * family->axes * pairs_of_axis;
  for (std::int32_t axis = 0; axis < family->axes; ++axis) {
    config.sections[static_cast<std::size_t>(axis)] = pairs_of_axis;
  }
  config.axis_layout = family->axis_layout;
  config.frequency_layout = family->frequency_layout;
  config.pairing = family->pairing;
  if (config.pairing == Pairing::blocked) config.pair_block = config.rotary_dim / family->axes;
  const auto rope = vision->nested("rope_parameters");
  const auto type = rope ? rope->text("rope_type") : std::nullopt;
  if (type && type != "default" && type != "axial") {
    refuse(fmt::format("{} \"{}\" is not known", rope->name("rope_type"), type->substr(0, 60)));
  }
  auto base = rope ? rope->number({"rope_theta"}) : std::nullopt;
  if (!base) base = vision->number({"rope_theta"});
  config.base = base.value_or(family->base);
  if (!(config.base > 0)) refuse(fmt::format("{} is {}; it must be above 0", vision->name("rope_theta"), config.base));
  config.max_positions = read_grid_side(*family, *vision, model);
  if (!family->note.empty()) model.notes.emplace_back(family->note);
  model.layer_types.push_back(std::move(layer));
}

// A patch's coordinate is (2 i + 1) / n - 1 for patch i of n, times 2 pi. A table has whole positions, so the config
// turns by 4 pi i / n: the same but for one rotation that all patches share, which no score of Q and K sees.
void read_patch_model(const Fields& root, ModelConfig& model) {
  model.model_type = require(root.text("model_type"), root, "model_type");
  const std::int32_t heads = require(root.count({"num_attention_heads"}), root, "num_attention_heads");
  const std::int32_t hidden = require(root.count({"hidden_size"}), root, "hidden_size");
  if (hidden % heads != 0 || hidden / heads % 4 != 0 || hidden / heads > kHeadDimLimit) {
    refuse(
        fmt::format("{} {} gives {} heads no dimension that two axes divide", root.name("hidden_size"), hidden, heads));
  }
  const std::int32_t image = larger_side(root, "image_size");
  const std::int32_t patch = larger_side(root, "patch_size");
  if (patch < 1 || image < patch) refuse(root.name("image_size") + " and patch_size give no grid of patches");
  const double base = root.number({"rope_theta"}).value_or(100);
  if (!(base > 0)) refuse(fmt::format("{} is {}; it must be above 0", root.name("rope_theta"), base));
  model.layer_count = read_layer_count({}, root);
  LayerRope layer;
  layer.name = "all";
  layer.rope_type = "default";
  layer.used_for = "patches; the class and register tokens do not rotate";
  layer.heads = layer.kv_heads = heads;
  for (std::int32_t i = 0; i < model.layer_count; ++i) layer.layers.push_back(i);
  RopeConfig& config = layer.config;
  config.head_dim = config.rotary_dim = hidden / heads;
  config.base = base;
  config.max_positions = image / patch;
  config.axes = 2;
  const std::int32_t pairs = config.head_dim / 4;
  config.sections = {pairs, pairs, 0, 0};
  config.scaling.type = ScalingType::custom;
  for (std::int32_t j = 0; j < 2 * pairs; ++j) {
    const double turns = 2.0 / static_cast<double>(config.max_positions);
    config.scaling.inv_freq.push_back(2 * std::numbers::pi * turns *
                                      std::pow(base, -static_cast<double>(j % pairs) / pairs));
  }
  model.notes.push_back(
      fmt::format("the frequencies are those of {0} patches a side; the model's coordinates are "
                  "(2 i + 1) / {0} - 1, which differs by one rotation of all patches",
                  config.max_positions));
  for (const std::string_view key : {"pos_embed_rescale", "pos_embed_shift", "pos_embed_jitter"})
    root.find(key);  // training
  model.layer_types.push_back(std::move(layer));
}

}  // namespace hiprope::model_config_internal
