// Reads a model's config.json (Hugging Face, Diffusers, DeepSeek, or params.json of Mistral and Meta) or the metadata
// of its GGUF file into one RopeConfig per layer type.
//
// The component model_config: find_package(hiprope COMPONENTS model_config), target hiprope::model_config. Nothing here
// prints, and only std::bad_alloc is thrown: a result carries either the model or the sentence that says which field
// was refused and why. What the file says is used or named in `notes`; what it leaves out takes the family's documented
// default. The functions keep no state, so any number of threads may call them.
#ifndef HIPROPE_MODEL_CONFIG_HPP
#define HIPROPE_MODEL_CONFIG_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hiprope/hiprope.hpp"

namespace hiprope {

// How the heads of Q, K or V are normalised beside the rotation: x * 1 / sqrt(mean(x * x) + epsilon) for rms, and the
// same of x - mean(x) for layer, in float32, then times the weight. docs/variants.md names the models.
struct HeadNorm {
  enum class Kind : std::int32_t { unknown, none, rms, layer };
  enum class Weight : std::int32_t { none, plain, one_plus };  // times w, times 1 + w
  // What is rounded to the tensor's type before the rotation.
  enum class Rounding : std::int32_t {
    never,         // float32 up to the last store
    after_weight,  // once
    after_each,    // after the normalisation, and again after the weight
    after_root     // the reciprocal root alone, then the product with x
  };
  enum class Span : std::int32_t { head, row };  // row: all heads of the tensor together
  enum class Order : std::int32_t { before_rotation, after_rotation };

  Kind kind = Kind::unknown;  // unknown and none: the other fields mean nothing
  Weight weight = Weight::plain;
  Rounding rounding = Rounding::after_each;
  Span span = Span::head;
  Order order = Order::before_rotation;
  bool weight_per_head = false;  // each head has a weight of its own; else all heads share one
  bool bias = false;
  double epsilon = 0;
};

// One rotary embedding of a model, and the layers that use it.
struct LayerRope {
  std::string name;  // "all", "full_attention", "sliding_attention", "main", "compress", "short", "long", "vision"...
  bool rotates = true;    // false: these layers have no RoPE, and config is not to be used
  std::string rope_type;  // "default", "linear", "dynamic", "ntk", "yarn", "longrope", "llama3", "proportional", "none"
  RopeConfig config;
  std::int32_t heads = 0;
  std::int32_t kv_heads = 0;
  std::vector<std::int32_t> layers;  // empty for "vision" and "encoder"
  std::string used_for;              // when not simply every token of `layers`: "sequences of at most 4096 tokens"
  HeadNorm q_norm, k_norm, v_norm;
};

// A factor on the whole of Q that depends on the token's position. The kernels do not apply it: the caller does, after
// the rotation on layers that rotate.
struct QueryScale {
  double beta = 0;  // 0: the model has none
  std::int64_t period = 1;
  std::int64_t offset = 0;
  std::vector<std::int32_t> layers;

  // 1 + beta * ln(1 + floor((position + offset) / period))
  HIPROPE_API double at(std::int64_t position) const;
};

struct ModelConfig {
  std::string model_type;
  bool known_family = true;      // false: read by the generic rules, which the notes then say
  std::int32_t layer_count = 0;  // 0: the file does not say, and the lists of layers are empty
  std::vector<LayerRope> layer_types;
  QueryScale query_scale;
  std::vector<std::string> notes;  // sentences for a person
};

struct [[nodiscard]] ModelConfigResult {
  ModelConfig model;
  std::string error;  // empty on success
  explicit operator bool() const { return error.empty(); }
};

inline constexpr std::size_t kModelConfigSizeLimit = std::size_t{16} << 20;

struct ModelConfigOptions {
  bool strict = false;  // refuses a file of no known family, and one with a field of rotary embeddings that is not used
};

// `path` is the file, or a folder that holds config.json. A GGUF file is mapped, and its weights are not read; it must
// not shrink meanwhile. Any other file above kModelConfigSizeLimit bytes is refused unread.
HIPROPE_API ModelConfigResult read_model_config(const std::string& path, const ModelConfigOptions& options = {});
// `text` is that of a config.json, or the bytes of a GGUF file.
HIPROPE_API ModelConfigResult parse_model_config(std::string_view text, const ModelConfigOptions& options = {});

// The model_type values read by their own row rather than the generic rules, in table order.
HIPROPE_API std::vector<std::string_view> model_config_families();

}  // namespace hiprope

#endif
