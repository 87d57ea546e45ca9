// `hiprope explain`: reads a config.json or a GGUF file and tells a person, or a program, what its rotary embeddings
// are.
#include "tools/explain.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <numbers>

#include "hiprope/model_config.hpp"
#include "tools/commands.h"
#include "tools/output.h"
#include "tools/svg_plot.h"
#include "tools/table_printer.h"
#include "tools/tool_error.h"

namespace hiprope::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array kPairings{"half_split", "interleaved", "blocked"};
constexpr std::array kAxisLayouts{"chunked", "interleaved", "ernie", "round_robin", "rarest_first", "custom"};
constexpr std::array kFrequencyLayouts{"continuous", "restart", "strided"};
constexpr std::array kNormKinds{"unknown", "none", "rms", "layer"};
constexpr std::array kNormWeights{"none", "w", "1 + w"};
constexpr std::array kNormRoundings{"never", "after_weight", "after_each", "after_root"};
constexpr std::array kNormSpans{"head", "row"};
constexpr std::array kNormOrders{"before", "after"};

template <std::size_t count, typename Enum>
const char* name_of(const std::array<const char*, count>& names, Enum value) {
  return names.at(static_cast<std::size_t>(value));
}

// What the core computes from a config.
struct Computed {
  std::vector<double> inv_freq;
  double attention_scaling = 1, softmax_scale = 1, effective_base = 0;
  std::uint64_t table_bytes = 0;
};

Computed compute(const RopeConfig& config) {
  Computed computed;
  computed.inv_freq.resize(static_cast<std::size_t>(config.rotary_dim / 2));
  const hiprope_config c_config = config.to_c();
  hiprope_frequency_report report{};
  report.size = sizeof(report);
  report.inv_freq = computed.inv_freq.data();
  report.capacity = static_cast<std::int32_t>(computed.inv_freq.size());
  if (hiprope_frequencies(&c_config, &report) != hiprope_ok) refuse("{}", hiprope_last_error());
  computed.attention_scaling = report.attention_scaling;
  computed.softmax_scale = report.softmax_scale;
  computed.effective_base = report.effective_base;
  computed.table_bytes = std::uint64_t{4} * static_cast<std::uint64_t>(config.rotary_dim) *
                         static_cast<std::uint64_t>(config.max_positions);
  return computed;
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return fmt::format("{:.4g} {}", value, kUnits.at(unit));
}

// "0-3,5,9": runs of layer numbers.
std::string layers_text(const std::vector<std::int32_t>& layers) {
  std::string text;
  for (std::size_t i = 0; i < layers.size();) {
    std::size_t end = i;
    while (end + 1 < layers.size() && layers[end + 1] == layers[end] + 1) ++end;
    text += fmt::format("{}{}", text.empty() ? "" : ",", layers[i]);
    if (end > i) text += fmt::format("-{}", layers[end]);
    i = end + 1;
  }
  constexpr std::size_t kShown = 24;
  return text.size() <= kShown ? text : fmt::format("{}... ({})", text.substr(0, kShown), layers.size());
}

std::string axes_text(const RopeConfig& config) {
  if (config.axes == 1) return "1";
  const std::vector<std::int32_t> sections(config.sections.begin(), config.sections.begin() + config.axes);
  std::string text =
      fmt::format("{} {} [{}]", config.axes, name_of(kAxisLayouts, config.axis_layout), fmt::join(sections, ","));
  if (config.frequency_layout != FrequencyLayout::continuous) {
    text += fmt::format(" {}", name_of(kFrequencyLayouts, config.frequency_layout));
  }
  return text;
}

std::string rotary_text(const RopeConfig& config) {
  return config.rotary_offset == 0 ? fmt::format("{}", config.rotary_dim)
                                   : fmt::format("{} from {}", config.rotary_dim, config.rotary_offset);
}

bool is_applied(const HeadNorm& norm) {
  return norm.kind == HeadNorm::Kind::rms || norm.kind == HeadNorm::Kind::layer;
}

std::string weight_text(const HeadNorm& norm) {
  return fmt::format("{}{}{}", name_of(kNormWeights, norm.weight), norm.weight_per_head ? " a head" : "",
                     norm.bias ? ", bias" : "");
}

// The norms of Q, K and V that a model has, or one line when it has none or they are not known.
void print_norms(const ModelConfig& model) {
  Table table({"norm of", "tensor", "kind", "weight", "over", "rotation", "rounded", ">epsilon"});
  bool any = false;
  bool known = false;
  for (const LayerRope& layer : model.layer_types) {
    for (const auto& [tensor, norm] :
         {std::pair{"Q", &layer.q_norm}, std::pair{"K", &layer.k_norm}, std::pair{"V", &layer.v_norm}}) {
      known = known || norm->kind != HeadNorm::Kind::unknown;
      if (!is_applied(*norm)) continue;
      any = true;
      table.add_row({layer.name, tensor, name_of(kNormKinds, norm->kind), weight_text(*norm),
                     name_of(kNormSpans, norm->span), name_of(kNormOrders, norm->order),
                     name_of(kNormRoundings, norm->rounding), fmt::format("{:g}", norm->epsilon)});
    }
  }
  fmt::print("\n");
  if (any) return table.print(stdout);
  fmt::print("{}\n",
             known ? "Q and K are not normalised by head or row." : "Whether Q and K are normalised is not known.");
}

void print_text(const ModelConfig& model) {
  fmt::print("{}, {}\n\n", printable(model.model_type),
             model.layer_count == 0 ? "layers unknown" : fmt::format("{} layers", model.layer_count));
  Table table({"layer type", "layers", ">heads", ">head_dim", ">rotary_dim", "pairing", ">base", "scaling",
               ">attention", ">softmax", ">positions", "axes", ">table", ">slowest pair"});
  for (const LayerRope& layer : model.layer_types) {
    const std::string heads = layer.heads == 0 ? "-" : fmt::format("{}/{}", layer.heads, layer.kv_heads);
    if (!layer.rotates) {
      table.add_row(
          {layer.name, layers_text(layer.layers), heads, "-", "0", "no RoPE", "-", "-", "-", "-", "-", "-", "-", "-"});
      continue;
    }
    const RopeConfig& config = layer.config;
    const Computed computed = compute(config);
    const double slowest =
        std::abs(*std::ranges::min_element(computed.inv_freq, {}, [](double value) { return std::abs(value); }));
    table.add_row(
        {layer.name, layers_text(layer.layers), heads, fmt::format("{}", config.head_dim), rotary_text(config),
         name_of(kPairings, config.pairing), fmt::format("{:.10g}", config.base), layer.rope_type,
         fmt::format("{:.6g}", computed.attention_scaling), fmt::format("{:.6g}", computed.softmax_scale),
         fmt::format("{}", config.max_positions), axes_text(config), bytes_text(computed.table_bytes),
         slowest > 0 ? fmt::format("{:.4g} tokens a turn", 2 * std::numbers::pi / slowest) : "does not turn"});
  }
  table.print(stdout);
  print_norms(model);
  fmt::print("\nattention: folded into cos and sin. softmax: multiply the softmax scale by it; never applied here.\n");
  for (const LayerRope& layer : model.layer_types) {
    if (!layer.used_for.empty()) fmt::print("{}: for {}\n", printable(layer.name), printable(layer.used_for));
  }
  for (const std::string& note : model.notes) fmt::print("note: {}\n", printable(note));
}

Json norm_json(const HeadNorm& norm) {
  Json json = {{"kind", name_of(kNormKinds, norm.kind)}};
  if (!is_applied(norm)) return json;
  json.update(Json{{"weight", name_of(kNormWeights, norm.weight)},
                   {"weight_per_head", norm.weight_per_head},
                   {"bias", norm.bias},
                   {"span", name_of(kNormSpans, norm.span)},
                   {"rotation", name_of(kNormOrders, norm.order)},
                   {"rounding", name_of(kNormRoundings, norm.rounding)},
                   {"epsilon", norm.epsilon}});
  return json;
}

Json layer_json(const LayerRope& layer) {
  Json json = {{"name", layer.name},
               {"rotates", layer.rotates},
               {"layers", layer.layers},
               {"used_for", layer.used_for},
               {"heads", layer.heads},
               {"kv_heads", layer.kv_heads},
               {"rope_type", layer.rope_type},
               {"q_norm", norm_json(layer.q_norm)},
               {"k_norm", norm_json(layer.k_norm)},
               {"v_norm", norm_json(layer.v_norm)}};
  if (!layer.rotates) return json;
  const RopeConfig& config = layer.config;
  const Computed computed = compute(config);
  json.update(Json{{"head_dim", config.head_dim},
                   {"rotary_dim", config.rotary_dim},
                   {"rotary_offset", config.rotary_offset},
                   {"pairing", name_of(kPairings, config.pairing)},
                   {"pair_block", config.pair_block},
                   {"base", config.base},
                   {"effective_base", computed.effective_base},
                   {"attention_scaling", computed.attention_scaling},
                   {"softmax_scale", computed.softmax_scale},
                   {"inv_freq", computed.inv_freq},
                   {"max_positions", config.max_positions},
                   {"axes", config.axes},
                   {"table_bytes", computed.table_bytes}});
  if (config.axes > 1) {
    json["axis_layout"] = name_of(kAxisLayouts, config.axis_layout);
    json["frequency_layout"] = name_of(kFrequencyLayouts, config.frequency_layout);
    json["sections"] = std::vector<std::int32_t>(config.sections.begin(), config.sections.begin() + config.axes);
  }
  return json;
}

void print_model_json(const ModelConfig& model) {
  Json layer_types = Json::array();
  for (const LayerRope& layer : model.layer_types) layer_types.push_back(layer_json(layer));
  Json json = {{"model_type", model.model_type},   {"known_family", model.known_family},
               {"layer_count", model.layer_count}, {"layer_types", layer_types},
               {"query_scale", nullptr},           {"notes", model.notes}};
  if (const QueryScale& scale = model.query_scale; scale.beta != 0) {
    json["query_scale"] = {
        {"beta", scale.beta}, {"period", scale.period}, {"offset", scale.offset}, {"layers", scale.layers}};
  }
  print_json(json);
}

PlotSeries wavelengths(const std::string& name, const RopeConfig& config) {
  PlotSeries series{printable(name), {}};
  const std::vector<double> inv_freq = compute(config).inv_freq;
  for (std::size_t j = 0; j < inv_freq.size(); ++j) {
    // A pair of zero frequency has no wavelength to draw.
    if (inv_freq[j] != 0) {
      series.points.emplace_back(static_cast<double>(j), 2 * std::numbers::pi / std::abs(inv_freq[j]));
    }
  }
  return series;
}

void write_plot(const ModelConfig& model, const std::string& path) {
  Plot plot{.title = fmt::format("{}: wavelength of each rotary pair", printable(model.model_type)),
            .x_label = "pair",
            .y_label = "wavelength (positions a turn)",
            .series = {},
            .log_x = false,
            .log_y = true};
  for (const LayerRope& layer : model.layer_types) {
    if (!layer.rotates) continue;
    const bool is_scaled = layer.config.scaling.type != ScalingType::none;
    if (is_scaled) {
      RopeConfig before = layer.config;
      before.scaling = {};
      PlotSeries unscaled = wavelengths(layer.name + " unscaled", before);
      // The short and the long table of a model start from the same frequencies.
      if (std::ranges::find(plot.series, unscaled.points, &PlotSeries::points) == plot.series.end()) {
        plot.series.push_back(std::move(unscaled));
      }
    }
    plot.series.push_back(wavelengths(layer.name + (is_scaled ? " " + layer.rope_type : ""), layer.config));
  }
  if (plot.series.empty()) refuse("--plot: no layer of {} rotates, so there is nothing to draw", model.model_type);
  write_svg(plot, path);
}

}  // namespace

int run_explain(const ExplainOptions& options) {
  const ModelConfigResult read = read_model_config(options.config, {.strict = options.strict});
  if (!read) refuse("{}", read.error);
  options.json ? print_model_json(read.model) : print_text(read.model);
  if (!options.plot.empty()) write_plot(read.model, options.plot);
  return kPassed;
}

void add_explain(CLI::App& app) {
  auto options = std::make_shared<ExplainOptions>();
  CLI::App* command =
      app.add_subcommand("explain", "Say what a model's config.json or GGUF file means for its rotary embeddings");
  command->add_option("config", options->config, "A config.json, the folder that holds one, or a GGUF file")
      ->required();
  command->add_option("--plot", options->plot, "Write the wavelength of every pair, before and after scaling, as SVG");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->add_flag("--strict", options->strict, "Refuse a file that would be read by assuming what it does not say");
  command->callback([options] { finish(run_explain(*options)); });
}

}  // namespace hiprope::tools
