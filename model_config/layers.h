// Which layers of a model rotate alike.
#pragma once

#include <string>
#include <vector>

#include "families.h"
#include "fields.h"

namespace hiprope::model_config_internal {

constexpr std::int32_t kLayerLimit = 65536;

struct LayerGroup {
  std::string name;
  bool rotates = true;
  Role role;
  std::vector<std::int32_t> layers;
};

// 0 when the file does not say.
std::int32_t read_layer_count(const Family& family, const Fields& fields);

// True for rope parameters keyed by layer type: {"full_attention": {...}, "sliding_attention": {...}}.
bool has_nested_types(const Fields& rope);

// Of a file that states no number of layers the groups are those of one period, and their lists are empty.
std::vector<LayerGroup> group_layers(const Family& family, const Fields& fields, std::int32_t layer_count,
                                     std::vector<std::string>& notes);

}  // namespace hiprope::model_config_internal
