// How the heads of Q, K and V are normalised, by family.
#pragma once

#include "families.h"
#include "fields.h"
#include "hiprope/model_config.hpp"

namespace hiprope::model_config_internal {

// Fills the norms of every layer type of a known family: none where its attention has none.
void read_norms(const Family& family, const Fields& fields, ModelConfig& model);

}  // namespace hiprope::model_config_internal
