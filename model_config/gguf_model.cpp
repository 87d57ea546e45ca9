// The table of GGUF architectures, and the reading of their keys.
#include "gguf_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "heads.h"
#include "layers.h"

namespace hiprope::model_config_internal {
namespace {

constexpr std::uint64_t kTensorElements = std::uint64_t{1} << 40;

enum class Pairs { none, interleaved, half_split, axes, interleaved_axes };
enum class Full { rotate, rest };  // what layers without a window do
enum class Norms { by_tensor, after_rotation, layer, unknown };

struct Architecture {
  std::string_view name = {};
  Pairs pairs = Pairs::half_split;
  std::int32_t period = 0;    // each period-th layer has no window, in files that do not list them; 0: no windows
  bool full_first = false;    // the period starts, rather than ends, with that layer
  double window_base = 0;     // of layers with a window; 0: the other layers'
  bool window_scaled = true;  // scaling applies to them too
  Full full = Full::rotate;
  std::int32_t nope_period = 0;  // each nope_period-th layer does not rotate
  bool latent = false;           // K has one rotary head of its own beside the latent
  bool truncate = true;          // of yarn
  Norms norms = Norms::by_tensor;
};

constexpr Architecture kArchitectures[] = {
    {.name = "llama", .pairs = Pairs::interleaved},
    {.name = "llama-embed", .pairs = Pairs::interleaved},
    {.name = "llama4", .pairs = Pairs::interleaved, .nope_period = 4, .norms = Norms::unknown},
    {.name = "deci", .pairs = Pairs::interleaved},
    {.name = "mistral3", .pairs = Pairs::interleaved},
    {.name = "mistral4", .pairs = Pairs::interleaved, .latent = true},
    {.name = "llada", .pairs = Pairs::interleaved},
    {.name = "baichuan", .pairs = Pairs::interleaved},
    {.name = "internlm2", .pairs = Pairs::interleaved},
    {.name = "minicpm", .pairs = Pairs::interleaved},
    {.name = "xverse", .pairs = Pairs::interleaved},
    {.name = "command-r", .pairs = Pairs::interleaved, .norms = Norms::layer},
    {.name = "cohere2", .pairs = Pairs::interleaved, .period = 4, .full = Full::rest},
    {.name = "olmo", .pairs = Pairs::interleaved},
    {.name = "arctic", .pairs = Pairs::interleaved},
    {.name = "deepseek", .pairs = Pairs::interleaved},
    {.name = "deepseek2", .pairs = Pairs::interleaved, .latent = true},
    {.name = "deepseek32", .pairs = Pairs::interleaved, .latent = true},
    {.name = "glm-dsa", .pairs = Pairs::interleaved, .latent = true},
    {.name = "plm", .pairs = Pairs::interleaved, .latent = true},
    {.name = "chatglm", .pairs = Pairs::interleaved},
    {.name = "glm4", .pairs = Pairs::interleaved},
    {.name = "glm4moe"},
    {.name = "granite", .pairs = Pairs::interleaved},
    {.name = "granitemoe", .pairs = Pairs::interleaved},
    {.name = "granitehybrid", .pairs = Pairs::interleaved},
    {.name = "chameleon", .pairs = Pairs::interleaved, .norms = Norms::layer},
    {.name = "bailingmoe", .pairs = Pairs::interleaved},
    {.name = "smollm3", .pairs = Pairs::interleaved, .nope_period = 4},
    {.name = "arcee", .pairs = Pairs::interleaved},
    {.name = "ernie4_5", .pairs = Pairs::interleaved},
    {.name = "ernie4_5-moe", .pairs = Pairs::interleaved},
    {.name = "llada-moe"},
    {.name = "rnd1"},
    {.name = "grovemoe"},
    {.name = "pangu-embedded"},
    {.name = "jais2"},
    {.name = "cohere2moe", .pairs = Pairs::interleaved, .period = 4, .full_first = true, .full = Full::rest},
    {.name = "falcon"},
    {.name = "falcon-h1"},
    {.name = "grok"},
    {.name = "dbrx"},
    {.name = "nomic-bert"},
    {.name = "nomic-bert-moe"},
    {.name = "jina-bert-v3"},
    {.name = "eurobert"},
    {.name = "modern-bert", .period = 3, .full_first = true, .window_base = 10000},
    {.name = "stablelm", .norms = Norms::layer},
    {.name = "bitnet"},
    {.name = "qwen"},
    {.name = "qwen2"},
    {.name = "qwen2moe"},
    {.name = "qwen3"},
    {.name = "qwen3moe"},
    {.name = "qwen3next"},
    {.name = "qwen2vl", .pairs = Pairs::axes},
    {.name = "paddleocr", .pairs = Pairs::axes},
    {.name = "qwen3vl", .pairs = Pairs::interleaved_axes},
    {.name = "qwen3vlmoe", .pairs = Pairs::interleaved_axes},
    {.name = "qwen35", .pairs = Pairs::interleaved_axes},
    {.name = "qwen35moe", .pairs = Pairs::interleaved_axes},
    {.name = "dream"},
    {.name = "olmo2", .period = 4, .window_scaled = false},
    {.name = "olmoe"},
    {.name = "phi2"},
    {.name = "phi3"},
    {.name = "phimoe"},
    {.name = "plamo"},
    {.name = "gemma"},
    {.name = "gemma2", .period = 2},
    {.name = "gemma3", .period = 6, .window_base = 10000, .window_scaled = false},
    {.name = "gemma3n", .period = 5, .window_base = 10000, .window_scaled = false},
    {.name = "gemma4", .period = 6, .window_base = 10000, .window_scaled = false},
    {.name = "gemma-embedding", .period = 6, .window_base = 10000, .window_scaled = false},
    {.name = "starcoder2"},
    {.name = "gptneox"},
    {.name = "codeshell"},
    {.name = "orion"},
    {.name = "nemotron"},
    {.name = "exaone"},
    {.name = "exaone4", .period = 4, .full = Full::rest},
    {.name = "exaone-moe", .period = 4, .full = Full::rest},
    {.name = "afmoe", .period = 4, .full = Full::rest},
    {.name = "minicpm3", .latent = true},
    {.name = "bailingmoe2"},
    {.name = "dots1"},
    {.name = "hunyuan-moe", .norms = Norms::after_rotation},
    {.name = "hunyuan-dense", .norms = Norms::after_rotation},
    {.name = "hunyuan_vl", .norms = Norms::after_rotation},
    {.name = "hy_v3"},
    {.name = "gpt-oss", .period = 2, .truncate = false},
    {.name = "lfm2"},
    {.name = "lfm2moe"},
    {.name = "seed_oss"},
    {.name = "apertus"},
    {.name = "minimax-01"},
    {.name = "minimax-m2"},
    {.name = "mimo2", .period = 1, .window_base = 10000},
    {.name = "step35", .period = 1, .window_base = 10000, .window_scaled = false},
    {.name = "gpt2", .pairs = Pairs::none},
    {.name = "mpt", .pairs = Pairs::none},
    {.name = "refact", .pairs = Pairs::none},
    {.name = "bloom", .pairs = Pairs::none},
    {.name = "mamba", .pairs = Pairs::none},
    {.name = "mamba2", .pairs = Pairs::none},
    {.name = "jamba", .pairs = Pairs::none},
    {.name = "jina-bert-v2", .pairs = Pairs::none},
    {.name = "t5", .pairs = Pairs::none},
    {.name = "t5encoder", .pairs = Pairs::none},
    {.name = "jais", .pairs = Pairs::none},
    {.name = "rwkv6", .pairs = Pairs::none},
    {.name = "rwkv7", .pairs = Pairs::none},
    {.name = "nemotron_h", .pairs = Pairs::none},
    {.name = "nemotron_h_moe", .pairs = Pairs::none},
    {.name = "kimi-linear", .pairs = Pairs::none},
    {.name = "kimi-k3", .pairs = Pairs::none},
};

// One file: its keys begin with the architecture's name.
class File {
 public:
  File(const Gguf& gguf, SeenFields& seen, ModelConfig& model)
      : gguf_(gguf), fields_(gguf.metadata, "", seen), model_(model) {
    name_ = require(fields_.text("general.architecture"), fields_, "general.architecture").substr(0, 60);
    const auto* row = std::ranges::find(kArchitectures, name_, &Architecture::name);
    if (row != std::end(kArchitectures)) {
      architecture_ = *row;
      return;
    }
    if (name_ == "deepseek4") {
      refuse("general.architecture \"deepseek4\": its layers of two bases are read from config.json alone");
    }
    model.known_family = false;
    model.notes.push_back(
        fmt::format("general.architecture \"{}\" is not known: read as half_split pairs, every layer "
                    "alike; check it against llama.cpp",
                    name_));
  }

  void read();

 private:
  std::string key(std::string_view rest) const { return name_ + "." + std::string(rest); }
  std::optional<double> number(std::string_view rest) const { return fields_.number({key(rest)}); }
  std::optional<std::int32_t> count(std::string_view rest) const { return fields_.count({key(rest)}); }
  std::int32_t per_layer(std::string_view rest, std::int32_t layer, std::int32_t otherwise) const;
  std::vector<bool> windows() const;
  bool has_attention(std::int32_t layer) const;
  bool rotates(std::int32_t layer, bool window) const;
  std::string type_name(std::int32_t layer, bool window) const;
  LayerRope read_layer(std::int32_t layer, bool window);
  void read_scaling(bool window, LayerRope& layer);
  void read_yarn(LayerRope& layer);
  void read_longrope(LayerRope& layer);
  void read_axes(RopeConfig& config);
  void read_factors(bool window, RopeConfig& config) const;
  HeadNorm read_norm(std::string_view tensor, std::int32_t layer, std::int32_t heads, std::int32_t head_dim) const;
  void lengthen(RopeConfig& config, std::int64_t trained, double factor);

  const Gguf& gguf_;
  Fields fields_;
  ModelConfig& model_;
  std::string name_;
  Architecture architecture_;
  bool has_windows_ = false;
};

// A number for all layers, or a list with one for each.
std::int32_t File::per_layer(std::string_view rest, std::int32_t layer, std::int32_t otherwise) const {
  const Json* value = fields_.find(key(rest));
  if (value == nullptr) return otherwise;
  if (!value->is_array()) return static_cast<std::int32_t>(*fields_.integer({key(rest)}, 0, 1 << 20));
  const auto values = fields_.integers(key(rest));
  if (static_cast<std::size_t>(layer) >= values.size()) {
    refuse(fmt::format("{} has {} entries for {} layers", key(rest), values.size(), model_.layer_count));
  }
  return values[static_cast<std::size_t>(layer)];
}

std::vector<bool> File::windows() const {
  std::vector<bool> windows(static_cast<std::size_t>(model_.layer_count), false);
  const std::string pattern = key("attention.sliding_window_pattern");
  const Json* listed = fields_.find(pattern);
  const auto size = fields_.integer({key("attention.sliding_window")}, 0, kPositionLimit).value_or(0);
  if (size == 0 || architecture_.period == 0) return windows;
  if (listed != nullptr && listed->is_array()) {
    if (listed->size() < windows.size()) {
      refuse(fmt::format("{} has {} entries for {} layers", pattern, listed->size(), windows.size()));
    }
    for (std::size_t i = 0; i < windows.size(); ++i) {
      const Json& entry = listed->at(i);
      windows[i] = entry.is_boolean() ? entry.get<bool>() : entry.is_number() && entry != 0;
    }
    return windows;
  }
  const std::int32_t period = fields_.count({pattern}).value_or(architecture_.period);
  for (std::int32_t i = 0; i < model_.layer_count; ++i) {
    windows[static_cast<std::size_t>(i)] = architecture_.full_first ? i % period != 0 : i % period != period - 1;
  }
  return windows;
}

bool File::has_attention(std::int32_t layer) const {
  if (per_layer("attention.head_count", layer, 1) == 0 || per_layer("attention.head_count_kv", layer, 1) == 0)
    return false;
  if (name_ != "qwen3next" && name_ != "qwen35" && name_ != "qwen35moe") return true;
  return (layer + 1) % count("full_attention_interval").value_or(4) == 0;
}

bool File::rotates(std::int32_t layer, bool window) const {
  if (architecture_.pairs == Pairs::none || !has_attention(layer)) return false;
  if (name_ == "granitehybrid" && !fields_.boolean(key("rope.scaling.finetuned")).value_or(true)) return false;
  if (architecture_.nope_period != 0 && (layer + 1) % architecture_.nope_period == 0) return false;
  return architecture_.full == Full::rotate || window || !has_windows_;
}

void File::lengthen(RopeConfig& config, std::int64_t trained, double factor) {
  const double scaled = std::floor(static_cast<double>(trained) * factor);
  if (scaled <= static_cast<double>(config.max_positions)) return;
  if (scaled > static_cast<double>(kPositionLimit)) refuse(key("rope.scaling.factor") + " makes the context too long");
  config.max_positions = static_cast<std::int64_t>(scaled);
  const auto note = fmt::format("{} positions are {} times the {} before scaling", scaled, factor, trained);
  if (std::ranges::find(model_.notes, note) == model_.notes.end()) model_.notes.push_back(note);
}

// A = (0.1 ln s + 1) attn_factor, or with yarn_log_multiplier DeepSeek's, which moves the magnitude to the softmax
// scale.
void File::read_yarn(LayerRope& layer) {
  Scaling& scaling = layer.config.scaling;
  scaling.type = ScalingType::yarn;
  scaling.truncate = architecture_.truncate;
  scaling.original_max_positions = fields_.integer({key("rope.scaling.original_context_length")}, 1, kPositionLimit)
                                       .value_or(layer.config.max_positions);
  scaling.beta_fast = number("rope.scaling.yarn_beta_fast").value_or(0);
  scaling.beta_slow = number("rope.scaling.yarn_beta_slow").value_or(0);
  scaling.attn_factor = number("rope.scaling.attn_factor").value_or(0);
  if (const auto multiplier = number("rope.scaling.yarn_log_multiplier"); multiplier && *multiplier != 0) {
    // Files of latent attention hold a tenth of mscale_all_dim, the others the whole.
    const double mscale = architecture_.latent ? *multiplier / 0.1 : *multiplier;
    if (architecture_.latent && name_ != "mistral4") {
      scaling.mscale = scaling.mscale_all_dim = mscale;
    } else {
      const double grown = std::log(scaling.factor);
      scaling.attention_factor =
          (0.1 * grown + 1) / (0.1 * mscale * grown + 1) * (scaling.attn_factor == 0 ? 1 : scaling.attn_factor);
      scaling.attn_factor = 0;
    }
  }
  lengthen(layer.config, scaling.original_max_positions, scaling.factor);
}

void File::read_longrope(LayerRope& layer) {
  const auto longer = gguf_.tensors.find("rope_factors_long.weight");
  const auto shorter = gguf_.tensors.find("rope_factors_short.weight");
  if (longer == gguf_.tensors.end() || shorter == gguf_.tensors.end()) return;
  RopeConfig& config = layer.config;
  layer.rope_type = "longrope";
  config.scaling = {};
  config.scaling.type = ScalingType::longrope;
  config.scaling.original_max_positions =
      require(fields_.integer({key("rope.scaling.original_context_length")}, 1, kPositionLimit), fields_,
              key("rope.scaling.original_context_length"));
  config.scaling.factor = std::max(
      1.0, static_cast<double>(config.max_positions) / static_cast<double>(config.scaling.original_max_positions));
  config.scaling.attention_factor = number("rope.scaling.attn_factor").value_or(0);
  config.scaling.short_factor = shorter->second.values;
  config.scaling.long_factor = longer->second.values;
}

void File::read_scaling(bool window, LayerRope& layer) {
  layer.rope_type = "default";
  const std::string type = fields_.text(key("rope.scaling.type")).value_or("linear");
  auto factor = number("rope.scaling.factor");
  if (!factor) factor = number("rope.scale_linear");
  const auto alpha = number("rope.scaling.alpha");
  if (window && !architecture_.window_scaled) return;
  Scaling& scaling = layer.config.scaling;
  if (alpha && *alpha != 0) {
    layer.rope_type = "dynamic";
    scaling.type = ScalingType::dynamic;
    scaling.alpha = *alpha;
    return;
  }
  if (type != "none" && type != "linear" && type != "yarn" && type != "longrope") {
    refuse(fmt::format("{} \"{}\" is not a known type", key("rope.scaling.type"), type.substr(0, 60)));
  }
  const double scale = factor.value_or(0) == 0 ? 1 : *factor;
  if (scale < 1) refuse(fmt::format("{} is {}; it must be at least 1", key("rope.scaling.factor"), scale));
  if (type == "linear" && scale != 1) {
    layer.rope_type = "linear";
    scaling.type = ScalingType::linear;
    scaling.factor = scale;
    if (!has_windows_) lengthen(layer.config, layer.config.max_positions, scale);
  } else if (type == "yarn") {
    layer.rope_type = "yarn";
    scaling.factor = scale;
    read_yarn(layer);
  }
  read_longrope(layer);
}

void File::read_axes(RopeConfig& config) {
  const std::string name = key("rope.dimension_sections");
  const auto sections = fields_.integers(name);
  const bool named = sections.size() > 1 && sections[0] > 0 && sections[1] > 0;
  const bool always = architecture_.pairs == Pairs::axes || architecture_.pairs == Pairs::interleaved_axes;
  if (!named) {
    if (always) refuse(name + " is missing");
    return;
  }
  if (sections.size() > 4 ||
      2 * std::accumulate(sections.begin(), sections.end(), std::int64_t{0}) != config.rotary_dim) {
    refuse(fmt::format("{} must be at most 4 numbers that sum to {}, half of the rotary dimension", name,
                       config.rotary_dim / 2));
  }
  std::ranges::copy(sections, config.sections.begin());
  config.axes = 4;
  while (config.sections[static_cast<std::size_t>(config.axes - 1)] == 0) --config.axes;
  config.axis_layout = architecture_.pairs == Pairs::interleaved_axes ? AxisLayout::interleaved : AxisLayout::chunked;
  config.pairing = Pairing::half_split;  // whatever the architecture has without axes
}

void File::read_factors(bool window, RopeConfig& config) const {
  const auto found = gguf_.tensors.find("rope_freqs.weight");
  if (found == gguf_.tensors.end() || window) return;
  const auto& values = found->second.values;
  if (values.size() != static_cast<std::size_t>(config.rotary_dim / 2)) {
    refuse(fmt::format("tensor rope_freqs.weight has {} entries; half of the rotary dimension is {}", values.size(),
                       config.rotary_dim / 2));
  }
  const auto bad = std::ranges::find_if(values, [](double value) { return !(value > 0) || !std::isfinite(value); });
  if (bad != values.end()) {
    refuse(fmt::format("tensor rope_freqs.weight has {} at {}; it must be above 0", *bad, bad - values.begin()));
  }
  config.scaling.freq_factors = values;
}

// llama.cpp works in float32 throughout, and its converter folds a weight of 1 + w into w.
HeadNorm File::read_norm(std::string_view tensor, std::int32_t layer, std::int32_t heads, std::int32_t head_dim) const {
  HeadNorm norm;
  if (architecture_.norms == Norms::unknown || !model_.known_family) return norm;
  norm.kind = HeadNorm::Kind::none;
  const auto found = gguf_.tensors.find(fmt::format("blk.{}.{}.weight", layer, tensor));
  if (found == gguf_.tensors.end() || architecture_.latent) return norm;
  const auto& shape = found->second.shape;
  const std::uint64_t size = std::accumulate(shape.begin(), shape.end(), std::uint64_t{1}, [](auto a, auto b) {
    return b == 0 || a > kTensorElements / b ? kTensorElements : a * b;
  });
  const auto one = static_cast<std::uint64_t>(head_dim);
  const bool all = size == one * static_cast<std::uint64_t>(heads) && heads > 1;
  if (size != one && !all) {
    refuse(fmt::format("tensor blk.{}.{}.weight has {} elements; a head has {}", layer, tensor, size, head_dim));
  }
  norm.kind = architecture_.norms == Norms::layer ? HeadNorm::Kind::layer : HeadNorm::Kind::rms;
  norm.rounding = HeadNorm::Rounding::never;
  norm.weight_per_head = all && architecture_.norms == Norms::layer;
  norm.span = all && !norm.weight_per_head ? HeadNorm::Span::row : HeadNorm::Span::head;
  if (architecture_.norms == Norms::after_rotation) norm.order = HeadNorm::Order::after_rotation;
  norm.bias = gguf_.tensors.contains(fmt::format("blk.{}.{}.bias", layer, tensor));
  norm.epsilon =
      number(norm.kind == HeadNorm::Kind::layer ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon")
          .value_or(1e-5);
  return norm;
}

std::string File::type_name(std::int32_t layer, bool window) const {
  if (!rotates(layer, window)) return has_attention(layer) ? "nope" : "recurrent";
  if (!has_windows_) return "all";
  return window ? "sliding_attention" : "full_attention";
}

LayerRope File::read_layer(std::int32_t layer, bool window) {
  LayerRope rope;
  rope.heads = per_layer("attention.head_count", layer, 0);
  rope.kv_heads = per_layer("attention.head_count_kv", layer, rope.heads);
  rope.name = type_name(layer, window);
  rope.rope_type = "none";
  rope.rotates = rotates(layer, window);
  if (!rope.rotates) {
    return rope;
  }
  if (rope.heads < 1 || rope.kv_heads < 1) refuse(key("attention.head_count") + " is missing");
  RopeConfig& config = rope.config;
  auto head_dim = window ? count("attention.key_length_swa") : std::nullopt;
  if (!head_dim) head_dim = count("attention.key_length");
  if (!head_dim) {
    const auto width = require(count("embedding_length"), fields_, key("embedding_length"));
    if (width % rope.heads != 0)
      refuse(fmt::format("{} {} is not a multiple of {} heads", key("embedding_length"), width, rope.heads));
    head_dim = width / rope.heads;
  }
  auto rotary = window ? count("rope.dimension_count_swa") : std::nullopt;
  if (!rotary) rotary = count("rope.dimension_count");
  config.head_dim = *head_dim;
  config.rotary_dim = rotary.value_or(*head_dim);
  if (architecture_.latent) {
    const auto whole = count("attention.key_length_mla").value_or(*head_dim);
    config.head_dim = config.rotary_dim;
    rope.kv_heads = 1;
    const auto note = fmt::format(
        "the config is for views of the rotary part: the last {} elements of each Q head of {}, and "
        "the one K head that all Q heads share",
        config.rotary_dim, whole);
    if (std::ranges::find(model_.notes, note) == model_.notes.end()) model_.notes.push_back(note);
  }
  if (config.head_dim > kHeadDimLimit || config.rotary_dim > config.head_dim || config.rotary_dim % 2 != 0) {
    refuse(fmt::format("{} is {}; it must be even and at most {}, the head's", key("rope.dimension_count"),
                       config.rotary_dim, config.head_dim));
  }
  config.pairing = architecture_.pairs == Pairs::interleaved ? Pairing::interleaved : Pairing::half_split;
  const double base = number("rope.freq_base").value_or(10000);
  const auto window_base = number("rope.freq_base_swa");
  config.base =
      !window ? base : window_base.value_or(architecture_.window_base != 0 ? architecture_.window_base : base);
  config.max_positions =
      require(fields_.integer({key("context_length")}, 1, kPositionLimit), fields_, key("context_length"));
  read_scaling(window, rope);
  read_axes(config);
  read_factors(window && !architecture_.window_scaled, config);
  rope.q_norm = read_norm("attn_q_norm", layer, rope.heads, config.head_dim);
  rope.k_norm = read_norm("attn_k_norm", layer, rope.kv_heads, config.head_dim);
  rope.v_norm.kind = rope.q_norm.kind == HeadNorm::Kind::unknown ? HeadNorm::Kind::unknown : HeadNorm::Kind::none;
  return rope;
}

void File::read() {
  model_.model_type = "gguf:" + name_;
  model_.layer_count = require(count("block_count"), fields_, key("block_count"));
  if (model_.layer_count > kLayerLimit) refuse(key("block_count") + " is too large");
  if (architecture_.pairs == Pairs::none) {
    model_.notes.push_back(name_ + " has no rotary embedding");
    fields_.pass_over({key("rope.freq_base"), key("rope.dimension_count"), key("rope.scaling.finetuned")});
  }
  // How the file came to be, rather than how it turns.
  fields_.pass_over({key("rope.scaling.finetuned"), key("rope.scaling.yarn_ext_factor"),
                     key("rope.scaling.yarn_attn_factor"), key("rope.scaling.original_context_length")});
  const std::vector<bool> window = windows();
  has_windows_ = std::ranges::find(window, true) != window.end();
  for (std::int32_t i = 0; i < model_.layer_count; ++i) {
    const bool own = window[static_cast<std::size_t>(i)];
    const std::string name = type_name(i, own);
    auto same = std::ranges::find(model_.layer_types, name, &LayerRope::name);
    if (same == model_.layer_types.end()) {
      model_.layer_types.push_back(read_layer(i, own));
      same = model_.layer_types.end() - 1;
    }
    same->layers.push_back(i);
  }
}

}  // namespace

void read_gguf_model(const Gguf& gguf, SeenFields& seen, ModelConfig& model) {
  File(gguf, seen, model).read();
}

}  // namespace hiprope::model_config_internal
