// `hiprope info`: what this build of hiprope is and what it finds on this machine.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hiprope/hiprope.hpp"
#include "tools/commands.h"
#include "tools/table_printer.h"
#include "tools/tool_error.h"

namespace hiprope::tools {
namespace {

struct Variable {
  const char* name;
  const char* meaning;
};

constexpr Variable kVariables[] = {
    {"HIPROPE_LOG", "\"bench\" writes each distinct call to standard error as a command line; \"off\""},
    {"HIPROPE_HIDE_CODE_OBJECTS", "1 hides the embedded kernels, so that a GPU Rope falls back to the CPU"},
    {"HIPROPE_TUNING", "accesses a thread (2 or 4) and threads a block of every launch, as in accesses=4,block=128"},
    {"OMP_NUM_THREADS", "threads of the CPU path"},
    {"NO_COLOR", "when not empty, tables are not coloured"},
};

std::vector<hiprope_device_info> devices() {
  std::int32_t count = 0;
  if (hiprope_device_count(&count) != hiprope_ok) refuse("cannot count the GPUs: {}", hiprope_last_error());
  std::vector<hiprope_device_info> found;
  for (std::int32_t device = 0; device < count; ++device) {
    hiprope_device_info info{};
    info.size = sizeof(info);
    if (hiprope_get_device_info(device, &info) != hiprope_ok) {
      refuse("cannot read the properties of GPU {}: {}", device, hiprope_last_error());
    }
    found.push_back(info);
  }
  return found;
}

std::vector<std::string> embedded_architectures() {
  std::vector<std::string> architectures;
  for (std::int32_t index = 0; index < hiprope_code_object_count(); ++index) {
    architectures.emplace_back(hiprope_code_object_architecture(index));
  }
  return architectures;
}

void print_facts_json() {
  auto device_list = nlohmann::json::array();
  for (const hiprope_device_info& info : devices()) {
    device_list.push_back({{"device", info.device},
                           {"name", info.name},
                           {"architecture", info.architecture},
                           {"memory_bytes", info.memory_bytes},
                           {"compute_units", info.compute_units},
                           {"has_code_object", info.has_code_object != 0}});
  }
  auto environment = nlohmann::json::object();
  for (const Variable& variable : kVariables) {
    const char* value = std::getenv(variable.name);
    environment[variable.name] = value == nullptr ? nlohmann::json() : nlohmann::json(value);
  }
  fmt::print("{}\n", nlohmann::json{{"version", hiprope_version()},
                                    {"platform", hiprope_platform()},
                                    {"devices", device_list},
                                    {"code_objects", embedded_architectures()},
                                    {"environment", environment}}
                         .dump(2));
}

void print_devices() {
  const auto found = devices();
  if (found.empty()) {
    fmt::print("devices       no GPU is visible; the CPU device works\n");
    return;
  }
  fmt::print("devices\n");
  Table table({" ", "name", "architecture", ">memory", ">compute units", "kernels"});
  for (const hiprope_device_info& info : found) {
    const bool embedded = info.has_code_object != 0;
    table.add_row({fmt::format("  gpu:{}", info.device), info.name, info.architecture,
                   fmt::format("{:.1f} GiB", static_cast<double>(info.memory_bytes) / (1 << 30)),
                   fmt::to_string(info.compute_units),
                   embedded ? Cell("embedded", Mood::good) : Cell("none: calls fall back to the CPU", Mood::bad)});
  }
  table.print(stdout);
}

void print_text() {
  const auto architectures = embedded_architectures();
  fmt::print("hiprope       {}\n", hiprope_version());
  fmt::print("platform      {}\n", hiprope_platform());
  fmt::print("kernels for   {}\n",
             architectures.empty() ? "none embedded" : fmt::format("{}", fmt::join(architectures, " ")));
  print_devices();
  fmt::print("environment\n");
  Table table({"  variable", "value", "meaning"});
  for (const Variable& variable : kVariables) {
    const char* value = std::getenv(variable.name);
    table.add_row({fmt::format("  {}", variable.name), value == nullptr ? "not set" : value, variable.meaning});
  }
  table.print(stdout);
}

}  // namespace

void add_info(CLI::App& app) {
  CLI::App* command = app.add_subcommand("info", "Show the version, the platform, the GPUs and the embedded kernels.");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print one JSON object instead of text.");
  command->callback([json] { *json ? print_facts_json() : print_text(); });
}

}  // namespace hiprope::tools
