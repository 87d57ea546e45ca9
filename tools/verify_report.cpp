// The table, the failures and the summary line of `hiprope verify`, and the same facts as JSON.
#include "tools/verify_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tools/table_printer.h"

namespace hiprope::tools {
namespace {

nlohmann::json to_json(const ModelRuns& one, const RunResult& result) {
  const Call& run = result.run;
  return {{"model", one.model},
          {"function", name_of(run.function)},
          {"dtype", one.dtype},
          {"tokens", one.tokens},
          {"in_place", run.in_place},
          {"direction", run.direction == Direction::forward ? "forward" : "inverse"},
          {"replayed", run.replayed},
          {"path", to_string(result.path)},
          {"max_abs_error", result.verdict.max_abs_error},
          {"max_relative_error", result.verdict.max_error},
          {"bitwise_equal_cpu", result.bitwise_equal_cpu},
          {"frequencies", one.independent ? "oracle" : "library"},
          {"seconds", result.seconds},
          {"gb_per_s", result.gb_per_s()},
          {"passed", result.passed()},
          {"failure", result.verdict.failure}};
}

void print_table(const std::vector<ModelRuns>& cases) {
  Table table({"model", "function", "dtype", ">tokens", "path", ">runs", ">max error", "bits = CPU", ">time us",
               ">GB/s", "passed"});
  for (const ModelRuns& one : cases) {
    for (const Function function : {Function::rope_q, Function::rope_k, Function::position_embeddings}) {
      Summary row;
      for (const RunResult& result : one.results) {
        if (result.run.function == function) row.add(result);
      }
      const Mood path_mood = row.path == Path::cpu_fallback ? Mood::bad : Mood::plain;
      table.add_row(
          {one.model, name_of(function), one.dtype, fmt::to_string(one.tokens), Cell(to_string(row.path), path_mood),
           fmt::to_string(row.runs), fmt::format("{:.2e}", row.max_error),
           row.bitwise_equal_cpu ? Cell("equal") : Cell("DIFFER", Mood::bad), fmt::format("{:.1f}", row.seconds * 1e6),
           fmt::format("{:.2f}", row.gb_per_s), row.all_passed() ? Cell("yes", Mood::good) : Cell("NO", Mood::bad)});
    }
  }
  table.print(stdout);
}

void print_failures(const std::vector<ModelRuns>& cases) {
  for (const ModelRuns& one : cases) {
    for (const RunResult& result : one.results) {
      if (result.passed()) continue;
      fmt::print("{}\n", painted(fmt::format("failed: {} {} {} {} {}{}: {}", one.model, name_of(result.run.function),
                                             one.dtype, result.run.in_place ? "in place" : "out of place",
                                             result.run.direction == Direction::forward ? "forward" : "inverse",
                                             result.run.replayed ? " replayed" : "", result.verdict.failure),
                                 Mood::bad, stdout));
    }
  }
}

}  // namespace

Summary summarise(const std::vector<ModelRuns>& cases) {
  Summary summary;
  for (const ModelRuns& one : cases) {
    summary.tokens = std::max(summary.tokens, one.tokens);
    for (const RunResult& result : one.results) summary.add(result);
  }
  return summary;
}

void print_verify_json(const ReportHeader& header, const std::vector<ModelRuns>& cases) {
  const Summary summary = summarise(cases);
  auto results = nlohmann::json::array();
  for (const ModelRuns& one : cases) {
    for (const RunResult& result : one.results) results.push_back(to_json(one, result));
  }
  const bool one_model = std::ranges::all_of(cases, [&](const ModelRuns& one) { return one.model == cases[0].model; });
  fmt::print("{}\n", nlohmann::json{{"platform", hiprope_platform()},
                                    {"version", hiprope_version()},
                                    {"device", header.target.name},
                                    {"device_name", header.target.description},
                                    {"path", to_string(summary.path)},
                                    {"model", one_model ? cases[0].model : "all"},
                                    {"dtype", header.dtype},
                                    {"tokens", summary.tokens},
                                    {"seed", header.seed},
                                    {"max_abs_error", summary.max_abs_error},
                                    {"max_relative_error", summary.max_error},
                                    {"bitwise_equal_cpu", summary.bitwise_equal_cpu},
                                    {"runs", summary.runs},
                                    {"notes", header.notes},
                                    {"passed", summary.all_passed()},
                                    {"results", results}}
                         .dump(2));
}

void print_verify_text(const ReportHeader& header, const std::vector<ModelRuns>& cases) {
  fmt::print("hiprope {} verify on {}: {}, platform {}, seed {}\n", hiprope_version(), header.target.name,
             header.target.description, hiprope_platform(), header.seed);
  for (const std::string& note : header.notes) fmt::print("{}\n", note);
  print_table(cases);
  fmt::print(
      "max error: against float64, relative to the pair's magnitude; at most {:g}, plus half a step of f16 or bf16\n"
      "runs: in place and out of place, forward and inverse{}; time: the fastest call, until its stream is idle\n",
      test::kRelativeTolerance, header.target.device.ordinal >= 0 ? ", on a GPU also replayed from a graph" : "");
  std::set<std::string> borrowed;
  for (const ModelRuns& one : cases) {
    if (!one.independent) borrowed.insert(one.model);
  }
  if (!borrowed.empty()) {
    fmt::print("{}: the oracle took the library's frequencies and checked the rotation only\n",
               fmt::join(borrowed, ", "));
  }
  print_failures(cases);
  const Summary summary = summarise(cases);
  if (summary.path == Path::cpu_fallback) {
    fmt::print("no kernel ran on the GPU, the CPU answered: {}\n", cases[0].fallback_reason);
  }
  fmt::print("{}: {} of {} runs passed on {}, path {}, max error {:.2e}\n",
             summary.all_passed() ? painted("passed", Mood::good, stdout) : painted("FAILED", Mood::bad, stdout),
             summary.passed, summary.runs, header.target.name, to_string(summary.path), summary.max_error);
}

}  // namespace hiprope::tools
