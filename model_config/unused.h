// Fields that concern a rotary embedding and that no rule looked at.
#pragma once

#include "fields.h"
#include "hiprope/model_config.hpp"

namespace hiprope::model_config_internal {

// The full names of fields of `root`, at any depth, whose name is of rotary embeddings and which `root` has not seen.
std::vector<std::string> unused_rope_fields(const Fields& root);

// The note that names `unused` and says what was assumed in their place.
std::string unused_note(const std::vector<std::string>& unused, const ModelConfig& model);

}  // namespace hiprope::model_config_internal
