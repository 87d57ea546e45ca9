// The C interface of the reader: a result whose strings, lists and configs are owned in one place.
#include <deque>
#include <memory>
#include <new>

#include "hiprope/model_config.h"
#include "hiprope/model_config.hpp"

namespace hiprope {
namespace {

struct OwnedConfig {
  hiprope_model_config c{};  // what the caller holds: the first member, so that its address is the object's
  ModelConfigResult result;
  std::deque<hiprope_config> configs;
  std::deque<hiprope_layer_type> types;
  std::deque<hiprope_head_norm> norms;
  std::vector<const hiprope_layer_type*> type_pointers;
  std::vector<const char*> notes;
};

std::int32_t count_of(const auto& list) {
  return static_cast<std::int32_t>(list.size());
}

const hiprope_head_norm* add_norm(const HeadNorm& norm, OwnedConfig& owned) {
  hiprope_head_norm& c = owned.norms.emplace_back();
  c.kind = static_cast<std::int32_t>(norm.kind);
  c.weight = static_cast<std::int32_t>(norm.weight);
  c.rounding = static_cast<std::int32_t>(norm.rounding);
  c.span = static_cast<std::int32_t>(norm.span);
  c.order = static_cast<std::int32_t>(norm.order);
  c.weight_per_head = norm.weight_per_head ? 1 : 0;
  c.bias = norm.bias ? 1 : 0;
  c.epsilon = norm.epsilon;
  return &c;
}

void add_type(const LayerRope& layer, OwnedConfig& owned) {
  hiprope_layer_type& type = owned.types.emplace_back();
  type.name = layer.name.c_str();
  type.rope_type = layer.rope_type.c_str();
  type.used_for = layer.used_for.c_str();
  type.config = layer.rotates ? &owned.configs.emplace_back(layer.config.to_c()) : nullptr;
  type.heads = layer.heads;
  type.kv_heads = layer.kv_heads;
  type.layers = layer.layers.data();
  type.layer_count = count_of(layer.layers);
  type.q_norm = add_norm(layer.q_norm, owned);
  type.k_norm = add_norm(layer.k_norm, owned);
  type.v_norm = add_norm(layer.v_norm, owned);
  owned.type_pointers.push_back(&type);
}

void fill(OwnedConfig& owned) {
  const ModelConfig& model = owned.result.model;
  for (const LayerRope& layer : model.layer_types) add_type(layer, owned);
  for (const std::string& note : model.notes) owned.notes.push_back(note.c_str());
  hiprope_model_config& c = owned.c;
  c.error = owned.result ? nullptr : owned.result.error.c_str();
  c.model_type = model.model_type.c_str();
  c.known_family = model.known_family ? 1 : 0;
  c.layer_count = model.layer_count;
  c.layer_types = owned.type_pointers.data();
  c.layer_type_count = count_of(owned.type_pointers);
  c.note_count = count_of(owned.notes);
  c.notes = owned.notes.data();
  c.query_scale_beta = model.query_scale.beta;
  c.query_scale_period = model.query_scale.period;
  c.query_scale_offset = model.query_scale.offset;
  c.query_scale_layers = model.query_scale.layers.data();
  c.query_scale_layer_count = count_of(model.query_scale.layers);
}

}  // namespace
}  // namespace hiprope

const hiprope_model_config* hiprope_read_model_config(const char* path, std::int32_t strict) try {
  auto owned = std::make_unique<hiprope::OwnedConfig>();
  if (path == nullptr) {
    owned->result.error = "path is null";
  } else {
    owned->result = hiprope::read_model_config(path, {.strict = strict != 0});
  }
  hiprope::fill(*owned);
  return &owned.release()->c;
} catch (const std::bad_alloc&) {
  return nullptr;
}

void hiprope_free_model_config(const hiprope_model_config* model) {
  delete reinterpret_cast<const hiprope::OwnedConfig*>(model);
}
