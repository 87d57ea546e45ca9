// The rotary embedding of a multimodal model's vision tower.
#pragma once

#include <string>

#include "fields.h"
#include "hiprope/model_config.hpp"

namespace hiprope::model_config_internal {

// Adds a layer type "vision" when the root has a vision_config whose tower rotates in a way the table knows, and a note
// when it has one the table does not know.
void read_vision(const Fields& root, const std::string& model_type, ModelConfig& model);

// Reads DINOv3, a vision transformer on its own.
void read_patch_model(const Fields& root, ModelConfig& model);

}  // namespace hiprope::model_config_internal
