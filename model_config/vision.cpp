// Reads vision_config by the table of vision families.
#include "vision.h"

#include <fmt/format.h>

#include "families.h"
#include "heads.h"

namespace hiprope::model_config_internal {
namespace {

constexpr std::int64_t kPatchesPerSide = 4096;  // for towers of no stated image size

std::int64_t read_grid_side(const Fields& vision, ModelConfig& model) {
  const auto image = vision.count({"image_size"});
  const auto patch = vision.count({"patch_size"});
  if (image && patch) return (*image + *patch - 1) / *patch + 1;
  if (const auto stated = vision.integer({"max_position_embeddings"}, 1, kPositionLimit)) return *stated;
  model.notes.push_back(
      fmt::format("vision: the file states no image size, so the table has {} positions an axis", kPatchesPerSide));
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
  const auto heads = vision->count({"num_attention_heads", "num_heads"});
  layer.heads = layer.kv_heads = require(heads, *vision, "num_attention_heads");
  RopeConfig& config = layer.config;
  if (const auto dim = vision->count({"head_dim"})) {
    config.head_dim = *dim;
  } else {
    // Qwen2-VL calls the tower's width embed_dim; its hidden_size is the language model's.
    auto hidden = vision->count({"embed_dim"});
    if (!hidden) hidden = vision->count({"hidden_size"});
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
  auto base = rope ? rope->number({"rope_theta"}) : std::nullopt;
  if (!base) base = vision->number({"rope_theta"});
  config.base = base.value_or(family->base);
  if (!(config.base > 0)) refuse(fmt::format("{} is {}; it must be above 0", vision->name("rope_theta"), config.base));
  config.max_positions = read_grid_side(*vision, model);
  if (!family->note.empty()) model.notes.emplace_back(family->note);
  model.layer_types.push_back(std::move(layer));
}

}  // namespace hiprope::model_config_internal
