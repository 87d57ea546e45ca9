// Reads the temperature that Llama 4, Ministral 3 and Qwen 1 multiply Q by.
#include "query_scale.h"

#include <fmt/format.h>

#include <cmath>

#include "heads.h"

namespace hiprope {
namespace model_config_internal {

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

}  // namespace model_config_internal

double QueryScale::at(std::int64_t position) const {
  return 1 + beta * std::log1p(std::floor(static_cast<double>(position + offset) / static_cast<double>(period)));
}

}  // namespace hiprope
