// `hiprope verify`: chooses models, data types and the device, runs the verification and reports it.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "hiprope/model_config.hpp"
#include "tools/commands.h"
#include "tools/device_option.h"
#include "tools/output.h"
#include "tools/table_printer.h"
#include "tools/tool_error.h"
#include "tools/verify.h"
#include "tools/verify_report.h"

namespace hiprope::tools {
namespace {

constexpr std::int64_t kDefaultTokens = 64;
constexpr std::int64_t kDefaultElements = 200'000;  // of Q and K in one run, so that a slow device stays bearable

constexpr std::int64_t kMostPositions = std::int64_t{1} << 20;  // of a config's table, of which there are two

struct VerifyOptions {
  std::string model, config, dtype = "bf16", device = "auto";
  std::int64_t tokens = 0;  // 0: by default_tokens
  std::uint64_t seed = 1;
  bool all = false, json = false;
};

std::int64_t default_tokens(const Model& model) {
  const std::int64_t row = (model.q.heads + model.k.heads) * model.config.head_dim;
  return std::clamp<std::int64_t>(kDefaultElements / row, 1, kDefaultTokens);
}

Target choose_target(const std::string& asked) {
  const Device device = choose_device(asked);
  if (device.ordinal < 0) return {device, "cpu", "host memory"};
  hiprope_device_info info{};
  info.size = sizeof(info);
  if (hiprope_get_device_info(device.ordinal, &info) != hiprope_ok) {
    refuse("GPU {}: {}", device.ordinal, hiprope_last_error());
  }
  return {device, fmt::format("gpu:{}", device.ordinal), fmt::format("{} ({})", info.name, info.architecture)};
}

struct NamedType {
  const char* name;
  DataType type;
};
constexpr NamedType kTypes[] = {{"f32", DataType::f32}, {"f16", DataType::f16}, {"bf16", DataType::bf16}};

// Shortens a table of gigabytes, unless the frequencies depend on its length.
void limit_positions(Model& model, std::vector<std::string>& notes) {
  std::int64_t& positions = model.config.max_positions;
  const Scaling& scaling = model.config.scaling;
  const bool by_length = scaling.type == ScalingType::dynamic || scaling.type == ScalingType::longrope ||
                         (scaling.type == ScalingType::yarn && scaling.factor == 0);
  if (by_length || positions <= kMostPositions) return;
  notes.push_back(
      fmt::format("{}: positions below {} of {}, to keep the tables small", model.name, kMostPositions, positions));
  positions = kMostPositions;
}

std::vector<Model> models_of_config(const std::string& path, std::vector<std::string>& notes) {
  const ModelConfigResult read = read_model_config(path);
  if (!read) refuse("--config: {}", read.error);
  std::vector<Model> models;
  for (const LayerRope& layers : read.model.layer_types) {
    if (!layers.rotates) continue;
    models.push_back(separate_model(printable(fmt::format("{}:{}", read.model.model_type, layers.name)), layers.config,
                                    layers.heads, layers.kv_heads));
    limit_positions(models.back(), notes);
  }
  if (models.empty()) refuse("{}: no layer of {} rotates, so there is nothing to verify", path, read.model.model_type);
  return models;
}

std::vector<Model> choose_models(const VerifyOptions& options, std::vector<std::string>& notes) {
  if (options.all) return built_in_models();
  if (!options.config.empty()) return models_of_config(options.config, notes);
  if (!options.model.empty()) return {find_model(options.model)};
  refuse("say what to verify: --model NAME or --all; `hiprope models` lists the names");
}

// An allocation past the physical memory may succeed and end the process when it is filled.
void check_memory(const Model& model, DataType type, std::int64_t tokens) {
  constexpr double kCopies = 10;  // of Q and K held at once: inputs, outputs, references
  const double row = static_cast<double>(model.q.row + (model.packed ? 0 : model.k.row)) * test::format_of(type).bytes;
  const double physical = static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  if (kCopies * row * static_cast<double>(tokens) <= physical) return;
  refuse("--tokens {}: {} needs {:.1f} GiB of host memory, this machine has {:.1f}; ask for at most {:.0f}", tokens,
         model.name, kCopies * row * static_cast<double>(tokens) / (1 << 30), physical / (1 << 30),
         std::floor(physical / (kCopies * row)));
}

// One line on a terminal, rewritten in place.
void show_progress(const std::string& text) {
  if (is_terminal(stderr)) fmt::print(stderr, "\r\033[K{}", text);
}

std::vector<ModelRuns> verify_models(const VerifyOptions& options, const std::vector<Model>& models,
                                     const Target& target) {
  std::vector<ModelRuns> cases;
  for (std::size_t index = 0; index < models.size(); ++index) {
    const Model& model = models[index];
    const auto progress = [&](const char* doing) {
      show_progress(fmt::format("[{}/{}] {} {}", index + 1, models.size(), model.name, doing));
    };
    progress("building tables");
    const Verifier verifier(model, target.device);
    for (const auto& [name, type] : kTypes) {
      if (options.dtype != "all" && options.dtype != name) continue;
      progress(name);
      const std::int64_t tokens = options.tokens > 0 ? options.tokens : default_tokens(model);
      check_memory(model, type, tokens);
      cases.push_back({model.name, name, verifier.fallback_reason(), tokens, test::oracle_knows(model.config),
                       verifier.verify(type, tokens, options.seed)});
    }
  }
  show_progress("");
  return cases;
}

int run_verify(const VerifyOptions& options) {
  ReportHeader header{choose_target(options.device), options.dtype, options.seed, {}};
  const std::vector<Model> models = choose_models(options, header.notes);
  if (options.tokens == 0) {
    header.notes.push_back(fmt::format("tokens: {}, fewer where Q and K would exceed {} elements; --tokens overrides",
                                       kDefaultTokens, kDefaultElements));
  }
  const std::vector<ModelRuns> cases = verify_models(options, models, header.target);
  options.json ? print_verify_json(header, cases) : print_verify_text(header, cases);
  return summarise(cases).all_passed() ? kPassed : kFailed;
}

}  // namespace

void add_verify(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("verify", "Rotate random Q and K as a model does and compare with float64 and with the CPU.");
  auto options = std::make_shared<VerifyOptions>();
  CLI::Option* model = command->add_option("--model", options->model, "A built-in model; `hiprope models` lists them.");
  CLI::Option* all = command->add_flag("--all", options->all, "Every built-in model.")->excludes(model);
  command->add_option("--config", options->config, "A model's config.json, or the folder that holds it.")
      ->excludes(model)
      ->excludes(all);
  command->add_option("--tokens", options->tokens, fmt::format("Tokens a call; default {}.", kDefaultTokens))
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40));
  command->add_option("--dtype", options->dtype, "f32, f16, bf16 or all.")
      ->capture_default_str()
      ->check(CLI::IsMember({"f32", "f16", "bf16", "all"}));
  command->add_option("--device", options->device, "auto, cpu, gpu or gpu:N.")->capture_default_str();
  command->add_option("--seed", options->seed, "Of the random Q, K and positions.")->capture_default_str();
  command->add_flag("--json", options->json, "Print one JSON object instead of a table.");
  command->callback([options] { finish(run_verify(*options)); });
}

}  // namespace hiprope::tools
