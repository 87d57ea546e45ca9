// What the metadata of a GGUF file says about a model's rotary embeddings.
#pragma once

#include "gguf.h"
#include "hiprope/model_config.hpp"

namespace hiprope::model_config_internal {

// Pairing, layers and bases are those of llama.cpp for the file's architecture, since its converter permutes the
// weights to suit. `seen` receives the keys that were looked at.
void read_gguf_model(const Gguf& gguf, SeenFields& seen, ModelConfig& model);

}  // namespace hiprope::model_config_internal
