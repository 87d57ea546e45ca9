// The table of built-in models and `hiprope models`, which prints it.
#include "tools/models.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>

#include "tools/commands.h"
#include "tools/output.h"
#include "tools/table_printer.h"
#include "tools/tool_error.h"

namespace hiprope::tools {
namespace {

enum class Layout {
  separate,     // Q [T, heads, D] and K [T, kv_heads, D]
  packed,       // rows of Q heads, K heads, V heads
  packed_head,  // rows of heads, each Q, K, V
  latent        // Q heads of 128 + D elements, K the last D of rows of 512 + D (multi-head latent attention)
};

struct Row {
  const char* name;
  std::int64_t hidden_size;
  std::int64_t heads, kv_heads;
  std::int32_t head_dim, rotary_dim;
  double base;
  std::int64_t max_positions;
  Pairing pairing;
  Layout layout;
  Scaling scaling;
  bool measured;
};

Scaling deepseek_yarn() {
  Scaling scaling;
  scaling.type = ScalingType::yarn;
  scaling.factor = 40;
  scaling.original_max_positions = 4096;
  scaling.beta_fast = 32;
  scaling.beta_slow = 1;
  scaling.mscale = 1;
  scaling.mscale_all_dim = 1;
  return scaling;
}

const std::vector<Row>& rows() {
  static const std::vector<Row> table{
#define HIPROPE_MODEL(name, hidden_size, heads, kv_heads, head_dim, rotary_dim, base, max_positions, pairing, layout, \
                      scaling, measured)                                                                              \
  {name,          hidden_size,      heads,          kv_heads, head_dim,       rotary_dim, base,                       \
   max_positions, Pairing::pairing, Layout::layout, scaling,  (measured) != 0},
#include "tools/models.inc"
#undef HIPROPE_MODEL
  };
  return table;
}

Model make_model(const Row& row) {
  RopeConfig config;
  config.head_dim = row.head_dim;
  config.rotary_dim = row.rotary_dim;
  config.base = row.base;
  config.max_positions = row.max_positions;
  config.pairing = row.pairing;
  config.scaling = row.scaling;

  const std::int64_t dim = row.head_dim;
  Model model = separate_model(row.name, config, row.heads, row.kv_heads);
  model.hidden_size = row.hidden_size;
  model.measured = row.measured;
  const std::int64_t qkv_row = (row.heads + 2 * row.kv_heads) * dim;
  model.qkv_weights = row.hidden_size * qkv_row;
  model.out_weights = row.heads * dim * row.hidden_size;
  switch (row.layout) {
    case Layout::separate:
      break;
    case Layout::packed:
      model.layout = "packed QKV";
      model.packed = true;
      model.q = {row.heads, dim, 0, qkv_row};
      model.k = {row.kv_heads, dim, row.heads * dim, qkv_row};
      break;
    case Layout::packed_head:
      model.layout = "QKV packed by head";
      model.packed = true;
      model.q = {row.heads, 3 * dim, 0, qkv_row};
      model.k = {row.kv_heads, 3 * dim, dim, qkv_row};
      break;
    case Layout::latent:
      model.layout = fmt::format("last {} of Q heads of {}, of K rows of {}", dim, 128 + dim, 512 + dim);
      model.q = {row.heads, 128 + dim, 128, row.heads * (128 + dim)};
      model.k = {row.kv_heads, dim, 512, 512 + dim};
      // Q comes of 1536 elements; K and V, 128 elements a head, lie in the latent row.
      model.qkv_weights = 1536 * model.q.row + row.hidden_size * model.k.row;
      model.out_weights = row.heads * 128 * row.hidden_size;
      break;
  }
  return model;
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// Letters to insert, delete or replace to turn a into b.
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> costs(b.size() + 1);
  std::iota(costs.begin(), costs.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = i;
    costs[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = costs[j + 1];
      costs[j + 1] = std::min({replaced, costs[j] + 1, costs[j + 1] + 1});
    }
  }
  return costs.back();
}

std::vector<std::string> close_names(const std::string& name) {
  std::vector<std::string> names;
  for (const Model& model : built_in_models()) names.push_back(model.name);
  std::ranges::sort(names, {}, [&](const std::string& known) {
    const bool contained = lower(known).find(lower(name)) != std::string::npos;
    return contained ? 0 : edit_distance(lower(known), lower(name));
  });
  names.resize(3);
  return names;
}

const char* name_of(Pairing pairing) {
  constexpr std::array<const char*, 3> names{"half_split", "interleaved", "blocked"};
  return names[static_cast<std::size_t>(pairing)];
}

nlohmann::json to_json(const Model& model) {
  const RopeConfig& config = model.config;
  return {{"model", model.name},
          {"hidden_size", model.hidden_size},
          {"heads", model.q.heads},
          {"kv_heads", model.k.heads},
          {"head_dim", config.head_dim},
          {"rotary_dim", config.rotary_dim},
          {"base", config.base},
          {"max_positions", config.max_positions},
          {"pairing", name_of(config.pairing)},
          {"scaling", config.scaling.type == ScalingType::yarn ? "yarn" : "default"},
          {"q_head_stride", model.q.head_stride},
          {"k_head_stride", model.k.head_stride},
          {"layout", model.layout}};
}

void run_models(bool json) {
  if (json) {
    auto models = nlohmann::json::array();
    for (const Model& model : built_in_models()) models.push_back(to_json(model));
    print_json(nlohmann::json{{"models", models}});
    return;
  }
  Table table({"model", ">heads", ">kv_heads", ">head_dim", ">rotary_dim", ">base", ">max_positions", "pairing",
               "scaling", "Q and K in memory"});
  for (const Model& model : built_in_models()) {
    const RopeConfig& config = model.config;
    table.add_row({model.name, fmt::to_string(model.q.heads), fmt::to_string(model.k.heads),
                   fmt::to_string(config.head_dim), fmt::to_string(config.rotary_dim), fmt::format("{:g}", config.base),
                   fmt::to_string(config.max_positions), name_of(config.pairing),
                   config.scaling.type == ScalingType::yarn ? "yarn" : "default", model.layout});
  }
  table.print(stdout);
}

}  // namespace

Model separate_model(std::string name, const RopeConfig& config, std::int64_t heads, std::int64_t kv_heads) {
  const std::int64_t dim = config.head_dim;
  return {std::move(name),
          "separate Q and K",
          config,
          {heads, dim, 0, heads * dim},
          {kv_heads, dim, 0, kv_heads * dim},
          false};
}

const std::vector<Model>& built_in_models() {
  static const std::vector<Model> models = [] {
    std::vector<Model> made;
    for (const Row& row : rows()) made.push_back(make_model(row));
    return made;
  }();
  return models;
}

const Model& find_model(const std::string& name) {
  for (const Model& model : built_in_models()) {
    if (lower(model.name) == lower(name)) return model;
  }
  refuse("no built-in model is called \"{}\"; closest are {}; `hiprope models` lists all", name,
         fmt::join(close_names(name), ", "));
}

void add_models(CLI::App& app) {
  CLI::App* command = app.add_subcommand("models", "List the built-in models.");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print one JSON object instead of a table.");
  command->callback([json] { run_models(*json); });
}

}  // namespace hiprope::tools
