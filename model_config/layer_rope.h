// What every layer type goes through before it is returned.
#pragma once

#include <vector>

#include "hiprope/model_config.hpp"

namespace hiprope::model_config_internal {

// Refuses with what the core says about the config, so that a result is never one that hiprope_create refuses.
void check(const LayerRope& layer);

// Longrope is two embeddings: one for sequences up to the original length, one for longer ones.
void split_longrope(LayerRope layer, std::vector<LayerRope>& layers);

}  // namespace hiprope::model_config_internal
