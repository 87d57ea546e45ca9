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
    {"HIPROPE_TUNING",
     "accesses a thread, threads a block, source of angles and what threads do ahead, of every launch, as in "
     "accesses=4,block=128"},
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

void print_json() {
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

struct TuningLine {
  const char* architecture;
  std::int64_t access_bytes;
  const char* layout;
  std::int64_t most_rotary_bytes, most_axes, only_copies, only_partial, most_accesses, accesses_per_thread,
      block_threads;
  const char* angles;
  const char* ahead;
  const char* source;
};

constexpr TuningLine kTuning[] = {
#define HIPROPE_TUNING_ROW(architecture, bytes, layout, rotary, axes, copies, partial, most, accesses, block, angles, \
                           ahead, source)                                                                             \
  {architecture, bytes, #layout, rotary, axes, copies, partial, most, accesses, block, #angles, #ahead, source},
#include "src/tuning_table.inc"
#undef HIPROPE_TUNING_ROW
};

void print_tuning_json() {
  auto lines = nlohmann::json::array();
  for (const TuningLine& line : kTuning) {
    lines.push_back({{"architecture", line.architecture},
                     {"access_bytes", line.access_bytes},
                     {"layout", line.layout},
                     {"most_rotary_bytes", line.most_rotary_bytes},
                     {"most_axes", line.most_axes},
                     {"only_copies", line.only_copies != 0},
                     {"only_partial_lines", line.only_partial != 0},
                     {"most_accesses", line.most_accesses},
                     {"accesses_per_thread", line.accesses_per_thread},
                     {"block_threads", line.block_threads},
                     {"angles", line.angles},
                     {"ahead", line.ahead},
                     {"source", line.source}});
  }
  fmt::print("{}\n", nlohmann::json{{"tuning", lines}}.dump(2));
}

void print_tuning() {
  const auto limit = [](std::int64_t value) { return value == 0 ? "any" : fmt::to_string(value); };
  Table table({"architecture", ">access bytes", "layout", ">rotary bytes up to", ">axes up to", "copies", "lines",
               ">accesses up to", ">accesses a thread", ">threads a block", "angles", "ahead", "from"});
  for (const TuningLine& line : kTuning) {
    table.add_row({fmt::format("{}*", line.architecture), limit(line.access_bytes), line.layout,
                   limit(line.most_rotary_bytes), limit(line.most_axes), line.only_copies != 0 ? "yes" : "any",
                   line.only_partial != 0 ? "partial" : "any", limit(line.most_accesses),
                   fmt::to_string(line.accesses_per_thread), fmt::to_string(line.block_threads), line.angles,
                   line.ahead, line.source});
  }
  table.print(stdout);
  fmt::print(
      "\nof the lines that match a launch the first holds; an access is one read of that many bytes of Q or K;\n"
      "rotary bytes are those of a head that turn; a launch copies where pass-through elements go to another tensor;\n"
      "lines of the cache are partial where heads lie apart and begin or end within them; ahead of the end of the\n"
      "launch before a thread does nothing, reads its angles, or also asks for its lines of the tensor\n");
}

}  // namespace

void add_info(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("info", "Show the version, the platform, the GPUs, the embedded kernels and the tuning.");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print one JSON object instead of text.");
  auto tuning = std::make_shared<bool>(false);
  command->add_flag("--tuning", *tuning, "Print what a thread and a block take; the first line that matches holds.");
  command->callback([json, tuning] {
    if (*tuning) return *json ? print_tuning_json() : print_tuning();
    *json ? print_json() : print_text();
  });
}

}  // namespace hiprope::tools
