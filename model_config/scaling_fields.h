// From a rope_scaling / rope_parameters object to a Scaling and the axes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "families.h"
#include "fields.h"
#include "hiprope/model_config.hpp"

namespace hiprope::model_config_internal {

// Where one embedding's parameters stand: the object that holds them, if any, and the config around it.
struct RopeFields {
  std::optional<Fields> rope;
  Fields config;
};

// Whether the parameters, or where there are none the role, turn the first pairs of the whole head.
bool is_proportional(const RopeFields& fields, const Role& role);

// Completes `layer`, whose head_dim, rotary_dim, base and max_positions are known, with rope_type, scaling and axes.
// proportional also sets rotary_dim to head_dim; a scaled context is lengthened where the file states the length before
// scaling. What the file says and the type does not use becomes a note.
void read_scaling(const Family& family, const RopeFields& fields, const Role& role, double partial, LayerRope& layer,
                  std::vector<std::string>& notes);

}  // namespace hiprope::model_config_internal
