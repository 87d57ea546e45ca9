// Any bytes as a config.json or a GGUF file: the reader answers with an error or with configs the core accepts, and
// never misbehaves.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "hiprope/model_config.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const hiprope::LayerRope& layer, std::int32_t layer_count) {
  for (const std::int32_t index : layer.layers) require(index >= 0 && index < layer_count);
  if (!layer.rotates) return;
  require(layer.heads > 0 && layer.kv_heads > 0);
  const hiprope_config config = layer.config.to_c();
  std::vector<double> inv_freq(static_cast<std::size_t>(config.rotary_dim / 2));
  std::vector<std::uint8_t> axis_of_pair(inv_freq.size());
  hiprope_frequency_report report{};
  report.size = sizeof(report);
  report.inv_freq = inv_freq.data();
  report.axis_of_pair = axis_of_pair.data();
  report.capacity = static_cast<std::int32_t>(inv_freq.size());
  require(hiprope_frequencies(&config, &report) == hiprope_ok);
  for (const double value : inv_freq) require(std::isfinite(value));
  for (const std::uint8_t axis : axis_of_pair) require(axis < config.axes);
  require(std::isfinite(report.attention_scaling) && std::isfinite(report.softmax_scale));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto result = hiprope::parse_model_config(text);
  if (!result) return 0;
  require(!result.model.layer_types.empty());
  for (const auto& layer : result.model.layer_types) check(layer, result.model.layer_count);
  require(std::isfinite(result.model.query_scale.at(0)));
  return 0;
}
