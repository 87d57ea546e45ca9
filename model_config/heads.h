// Head counts, head dimension, the part of the head that rotates, its base and its length.
#pragma once

#include <string>
#include <vector>

#include "families.h"
#include "fields.h"
#include "hiprope/model_config.hpp"
#include "layers.h"
#include "scaling_fields.h"

namespace hiprope::model_config_internal {

constexpr std::int64_t kPositionLimit = std::int64_t{1} << 40;
constexpr std::int32_t kHeadDimLimit = 8192;

struct HeadShape {
  std::int32_t head_dim = 0;
  std::int32_t heads = 0;
  std::int32_t kv_heads = 0;
};

HeadShape read_heads(const Family& family, const Fields& fields, const Role& role);
std::int64_t read_max_positions(const Family& family, const Fields& fields);
// The base by the role's own spelling, the object's rope_theta, or one of the older names. Zero means no RoPE.
double read_base(const Family& family, const RopeFields& fields, const LayerGroup& group, bool nested,
                 std::vector<std::string>& notes);
// The part of the head that rotates; `stated` tells whether the file says it.
double read_partial(const Family& family, const RopeFields& fields, const LayerGroup& group, bool& stated);
// Sets rotary_dim, rotary_offset, pairing and, for the first ChatGLM, the axes.
void read_rotary_part(const Family& family, const RopeFields& fields, double partial, bool partial_stated,
                      RopeConfig& config, std::vector<std::string>& notes);

}  // namespace hiprope::model_config_internal
