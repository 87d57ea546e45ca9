// Tables, JSON and the plot of benchmark results.
#include "bench/bench_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "tools/svg_plot.h"
#include "tools/table_printer.h"

namespace hiprope::tools {
namespace {

struct Band {
  const char* name;
  std::int64_t first, last;  // tokens
};
constexpr std::array kBands{Band{"1 to 64", 1, 64}, Band{"65 to 2048", 65, 2048},
                            Band{"2049 and more", 2049, std::int64_t{1} << 62}};

// Of what a call adds over what touch adds; lower is better.
struct BandMean {
  std::string call, type, band;
  std::size_t cases;
  double mean, worst;
  std::string worst_case;
};

std::string microseconds(double value) {
  return value < 100 ? fmt::format("{:.2f}", value) : fmt::format("{:.0f}", value);
}

std::string spread(const Timing& timing) {
  return fmt::format("{:.2f}", (timing.high - timing.low) / 2);
}

BandMean mean_of(const std::vector<CaseResult>& results, const std::string& call, DataType type, const Band& band) {
  BandMean mean{call, type_name(type), band.name, 0, 0, 0, {}};
  for (const CaseResult& result : results) {
    const BenchCase& one = result.bench_case;
    if (one.type != type || one.tokens < band.first || one.tokens > band.last) continue;
    const auto found = std::ranges::find(result.calls, call, &NamedTiming::name);
    if (found == result.calls.end()) continue;
    const double ratio = result.over_touch(*found);
    if (!(ratio > 0)) continue;  // noise was larger than what either adds
    ++mean.cases;
    mean.mean += std::log(ratio);
    if (ratio <= mean.worst) continue;
    mean.worst = ratio;
    mean.worst_case = fmt::format("{} at {}", one.model.name, one.tokens);
  }
  if (mean.cases > 0) mean.mean = std::exp(mean.mean / static_cast<double>(mean.cases));
  return mean;
}

std::vector<BandMean> band_means(const std::vector<CaseResult>& results) {
  std::vector<std::string> calls;
  for (const CaseResult& result : results) {
    for (const NamedTiming& call : result.calls) {
      if (std::ranges::find(calls, call.name) == calls.end()) calls.push_back(call.name);
    }
  }
  std::vector<BandMean> means;
  for (const std::string& call : calls) {
    for (const DataType type : {DataType::f32, DataType::f16, DataType::bf16}) {
      for (const Band& band : kBands) {
        const BandMean mean = mean_of(results, call, type, band);
        if (mean.cases > 0) means.push_back(mean);
      }
    }
  }
  return means;
}

nlohmann::ordered_json to_json(const NamedTiming& call) {
  return {
      {"bytes", call.bytes}, {"added_us", call.added.median}, {"low_us", call.added.low}, {"high_us", call.added.high}};
}

}  // namespace

void print_facts(const Facts& facts) {
  for (const auto& [name, value] : facts) fmt::print("{:<14} {}\n", name, value);
}

void print_table(const std::vector<CaseResult>& results) {
  Table table({"model", "type", ">tokens", "positions", "call", ">bytes", ">layer us", ">adds us", ">spread",
               ">touch us", ">spread", ">over touch"});
  for (const CaseResult& result : results) {
    const BenchCase& one = result.bench_case;
    for (const NamedTiming& call : result.calls) {
      table.add_row({one.model.name, type_name(one.type), fmt::to_string(one.tokens), positions_name(one.positions),
                     call.name, fmt::to_string(call.bytes),
                     result.without.median > 0 ? microseconds(result.without.median) : "-",
                     microseconds(call.added.median), spread(call.added), microseconds(result.touch.added.median),
                     spread(result.touch.added), fmt::format("{:.3f}", result.over_touch(call))});
    }
  }
  table.print(stdout);
}

void print_means(const std::vector<CaseResult>& results) {
  Table table({"call", "type", "tokens", ">cases", ">over touch (geometric mean)", ">worst", "worst case"});
  for (const BandMean& mean : band_means(results)) {
    table.add_row({mean.call, mean.type, mean.band, fmt::to_string(mean.cases), fmt::format("{:.3f}", mean.mean),
                   fmt::format("{:.3f}", mean.worst), mean.worst_case});
  }
  table.print(stdout);
}

void print_sweep(const std::vector<CaseResult>& results) {
  if (results.empty()) return;
  std::vector<std::string> headings{"model", "type", ">tokens", ">layer us", ">touch us"};
  for (const NamedTiming& call : results[0].calls) headings.push_back(">" + call.name);
  headings.insert(headings.end(), {"best", ">over touch"});
  Table table(headings);
  for (const CaseResult& result : results) {
    const BenchCase& one = result.bench_case;
    std::vector<Cell> row{one.model.name, type_name(one.type), fmt::to_string(one.tokens),
                          microseconds(result.without.median), microseconds(result.touch.added.median)};
    const auto best = std::ranges::min_element(result.calls, {}, [](const auto& call) { return call.added.median; });
    for (const NamedTiming& call : result.calls) {
      row.emplace_back(microseconds(call.added.median), &call == &*best ? Mood::good : Mood::plain);
    }
    row.emplace_back(best->name);
    row.emplace_back(fmt::format("{:.3f}", result.over_touch(*best)));
    table.add_row(row);
  }
  table.print(stdout);
}

nlohmann::ordered_json to_json(const Facts& facts, const std::vector<CaseResult>& results) {
  nlohmann::ordered_json json;
  for (const auto& [name, value] : facts) json["machine"][name] = value;
  json["results"] = nlohmann::ordered_json::array();
  for (const CaseResult& result : results) {
    const BenchCase& one = result.bench_case;
    nlohmann::ordered_json calls;
    for (const NamedTiming& call : result.calls) {
      calls[call.name] = to_json(call);
      calls[call.name]["over_touch"] = result.over_touch(call);
    }
    json["results"].push_back({{"model", one.model.name},
                               {"type", type_name(one.type)},
                               {"tokens", one.tokens},
                               {"positions", positions_name(one.positions)},
                               {"out_of_place", one.out_of_place},
                               {"direction", one.direction == Direction::forward ? "forward" : "inverse"},
                               {"axes", one.model.config.axes},
                               {"layer_us", result.without.median},
                               {"calls", calls},
                               {"touch", to_json(result.touch)},
                               {"touch_choice", result.touch_choice}});
  }
  json["means"] = nlohmann::ordered_json::array();
  for (const BandMean& mean : band_means(results)) {
    json["means"].push_back({{"call", mean.call},
                             {"type", mean.type},
                             {"tokens", mean.band},
                             {"cases", mean.cases},
                             {"over_touch", mean.mean},
                             {"worst", mean.worst},
                             {"worst_case", mean.worst_case}});
  }
  return json;
}

void plot_added(const std::vector<CaseResult>& results, const std::string& path) {
  Plot plot{"what a call adds to a layer, over what touch adds", "tokens", "ratio", {}, true, false};
  for (const CaseResult& result : results) {
    const BenchCase& one = result.bench_case;
    for (const NamedTiming& call : result.calls) {
      const std::string name = fmt::format("{} {} {}", one.model.name, type_name(one.type), call.name);
      auto series = std::ranges::find(plot.series, name, &PlotSeries::name);
      if (series == plot.series.end()) series = plot.series.insert(series, {name, {}});
      series->points.emplace_back(static_cast<double>(one.tokens), result.over_touch(call));
    }
  }
  write_svg(plot, path);
}

}  // namespace hiprope::tools
