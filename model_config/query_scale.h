// A factor on Q that depends on the token's position.
#pragma once

#include "families.h"
#include "fields.h"
#include "hiprope/model_config.hpp"

namespace hiprope::model_config_internal {

// Fills model.query_scale, whose layers are known, and says what the caller has to apply.
void read_query_scale(const Family& family, const Fields& fields, ModelConfig& model);

}  // namespace hiprope::model_config_internal
