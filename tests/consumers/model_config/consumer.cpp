// A C++17 user of the reader: from a config.json on disk to a Rope, and a refusal that names its field.
#include <fstream>
#include <hiprope/model_config.hpp>
#include <iostream>

extern "C" int read_from_c(const char* path);

int main() {
  const char* path = "consumer_config.json";
  std::ofstream(path) << R"({"model_type": "gemma3_text", "hidden_size": 1152, "num_attention_heads": 4,
    "num_key_value_heads": 1, "head_dim": 256, "num_hidden_layers": 26, "max_position_embeddings": 32768,
    "rope_theta": 1000000, "rope_local_base_freq": 10000, "sliding_window_pattern": 6})";
  const hiprope::ModelConfigResult read = hiprope::read_model_config(path);
  if (!read || read.model.layer_types.size() != 2) {
    std::cerr << "read " << read.model.layer_types.size() << " layer types: " << read.error << '\n';
    return 1;
  }
  for (const hiprope::LayerRope& layer : read.model.layer_types) {
    const hiprope::Rope rope(layer.config, hiprope::Device::cpu());
    if (!rope) {
      std::cerr << layer.name << ": " << rope.created().message() << '\n';
      return 1;
    }
  }
  const auto refused = hiprope::parse_model_config(R"({"model_type": "llama", "rope_theta": "large"})");
  if (refused || refused.error.empty()) {
    std::cerr << "a config without layers was read\n";
    return 1;
  }
  return read_from_c(path);
}
