// Checks and splits layer types.
#include "layer_rope.h"

#include <fmt/format.h>

#include "fields.h"

namespace hiprope::model_config_internal {

void check(const LayerRope& layer) {
  const hiprope_config config = layer.config.to_c();
  hiprope_frequency_report report{};
  report.size = sizeof(report);
  if (hiprope_frequencies(&config, &report) != hiprope_ok) {
    refuse(fmt::format("{}: {}", layer.name, hiprope_last_error()));
  }
}

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

}  // namespace hiprope::model_config_internal
