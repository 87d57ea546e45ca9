// What a model_type implies beyond its fields: one table row each.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "hiprope/hiprope.hpp"

namespace hiprope::model_config_internal {

// Where head sizes and the rotary part come from.
enum class HeadRule {
  standard,   // head_dim or hidden_size / heads; the first part rotates
  mla,        // qk_rope_head_dim of its own, shared by all K heads
  last_dims,  // qk_rope_head_dim, at the end of head_dim
  falcon,     // standard, K heads by multi_query and new_decoder_architecture
  chatglm,    // kv_channels, half of which rotates; the first ChatGLM has two axes
};

// Which layers rotate, and with what.
enum class LayerRule {
  shared,        // every attention layer alike
  local_global,  // sliding layers by `local`, the others by `global`
  nope_full,     // sliding layers rotate, full ones do not
  nope_every,    // each `interval`-th layer does not rotate
  no_rope,       // none rotates
  if_rotary,     // only when position_embedding_type is the family's rotary_type
  if_flag,       // only when the family's rotary_flag is true
};

// One of the two embeddings of a local_global family, or the only one of another.
struct Role {
  std::string_view name = {};
  std::string_view base_key = {};  // its base, in files without per-layer-type nesting
  double base = 0;
  bool scaled = false;           // a flat rope_scaling applies to it
  bool proportional = false;     // its type where the file has no parameters for it
  double partial = 0;            // 0: the family's
  bool whole_head = false;       // a flat partial_rotary_factor is not its own
  std::string_view prefix = {};  // of its own head_dim, num_attention_heads, num_key_value_heads: "swa_", "global_"
  std::string_view heads_object = {};  // that holds its own num_attention_heads and so on
  std::string_view kv_heads_key = {};  // when not prefix + num_key_value_heads
  std::int32_t head_dim = 0;           // 0: the family's
};

struct Family {
  std::string_view model_type = {};
  Pairing pairing = Pairing::half_split;
  HeadRule heads = HeadRule::standard;
  LayerRule layers = LayerRule::shared;
  double base = 10000;
  double partial = 1;
  std::int32_t head_dim = 0;       // 0 here and below: the file must say
  std::int32_t hidden_factor = 1;  // attention works on this many times hidden_size
  std::int32_t head_count = 0;
  std::int32_t kv_head_count = 0;
  std::int32_t layer_count = 0;
  std::int64_t max_positions = 0;
  std::int32_t interval = 0;   // every interval-th layer is full (local_global, nope_full) or unrotated (nope_every)
  bool first_is_full = false;  // the period starts, rather than ends, with the full layer
  Role shared = {.scaled = true};
  Role local = {};
  Role global = {};
  std::string_view rotary_type = "rotary";
  std::string_view rotary_flag = {};  // in the file or in its attn_config
  std::string_view encoder = {};      // prefix of an encoder's own head and layer counts, or of its object "_config"
  bool softmax_mscale = false;        // the softmax scale takes g(factor, mscale_all_dim)^2
  double yarn_attention = 0;          // yarn's attention factor when the file gives none; 0: computed
  AxisLayout axis_layout = AxisLayout::chunked;  // of mrope_section
  std::array<std::int32_t, 3> sections = {};     // where the file has no mrope_section; zeros: one axis
  bool negative = false;                         // pairs turn the other way
  bool indexer = false;                          // sparse-attention indexer heads rotate too
  Pairing indexer_pairing = Pairing::half_split;
  bool indexer_at_end = false;        // its rotary part ends the head
  std::int32_t rope_hidden_size = 0;  // other hidden sizes of the family have ALiBi instead
};

// How the tower of a multimodal model turns patches.
struct VisionFamily {
  std::string_view model_type = {};  // of vision_config, or of the whole model
  std::int32_t axes = 2;
  AxisLayout axis_layout = AxisLayout::chunked;
  FrequencyLayout frequency_layout = FrequencyLayout::restart;
  Pairing pairing = Pairing::half_split;
  double base = 10000;
  bool grid_of_image_size = false;  // else the grid is as large as the image that the processor makes
  std::string_view note = {};
};

// What a text model's part of a multimodal file leaves out because it is the default of its class.
struct TextDefaults {
  std::string_view model_type = {};
  std::int32_t hidden_size = 0;
  std::int32_t layers = 0;
  std::int32_t heads = 0;
  std::int32_t kv_heads = 0;
  std::int64_t max_positions = 0;
};

std::span<const Family> families();
std::span<const VisionFamily> vision_families();
const TextDefaults* find_text_defaults(std::string_view model_type);
// The row of `model_type`, with or without the suffix "_text"; null when there is none.
const Family* find_family(std::string_view model_type);
const VisionFamily* find_vision_family(std::string_view vision_type, std::string_view model_type);

}  // namespace hiprope::model_config_internal
