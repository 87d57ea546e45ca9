// Files that are not in the Hugging Face form: what they say in its field names.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fields.h"
#include "hiprope/model_config.hpp"

namespace hiprope::model_config_internal {

// The object in Hugging Face's names, with a model_type of its own, when `root` is Mistral's or Meta's params.json or
// DeepSeek's own config; nothing when it is in Hugging Face's form already.
std::optional<Json> translate_native(const Fields& root, std::vector<std::string>& notes);

// Reads the config of a Diffusers transformer, which has a _class_name.
void read_diffusers(const Fields& root, ModelConfig& model);

}  // namespace hiprope::model_config_internal
