// Tables, CSV, JSON and the plot of benchmark results.
#include "bench/bench_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ranges>

#include "tools/svg_plot.h"
#include "tools/table_printer.h"

namespace hiprope::tools {
namespace {

struct Band {
  const char* name;
  std::int64_t first, last;  // tokens
};
constexpr std::array kBands{Band{"1 to 64", 1, 64}, Band{"65 to 8191", 65, 8191},
                            Band{"8192 and more", 8192, std::int64_t{1} << 62}};

const char* cache_state(bool cold) {
  return cold ? "cold" : "hot";
}

std::string microseconds(double value) {
  return value < 100 ? fmt::format("{:.2f}", value) : fmt::format("{:.0f}", value);
}

// Half the distance between the quartiles, as a part of the median.
std::string spread(const Timing& timing) {
  return fmt::format("{:.1f}%", 50 * (timing.high - timing.low) / timing.median);
}

nlohmann::ordered_json to_json(const Timing& timing) {
  return {{"median_us", timing.median}, {"low_us", timing.low}, {"high_us", timing.high}};
}

}  // namespace

std::vector<BandMean> band_means(const std::vector<CaseResult>& results) {
  std::vector<BandMean> means;
  for (const DataType type : {DataType::f32, DataType::f16, DataType::bf16}) {
    for (const bool cold : {true, false}) {
      for (const Band& band : kBands) {
        BandMean mean{band.name, type_name(type), cold, 0, 0, 1e9, {}};
        for (const CaseResult& result : results) {
          const BenchCase& one = result.bench_case;
          if (one.type != type || one.cold != cold || one.tokens < band.first || one.tokens > band.last) continue;
          ++mean.cases;
          mean.mean += std::log(result.touch_ratio());
          if (result.touch_ratio() >= mean.worst) continue;
          mean.worst = result.touch_ratio();
          mean.worst_case = fmt::format("{} at {}", one.shape.name, one.tokens);
        }
        if (mean.cases == 0) continue;
        mean.mean = std::exp(mean.mean / static_cast<double>(mean.cases));
        means.push_back(mean);
      }
    }
  }
  return means;
}

void print_facts(const Facts& facts) {
  for (const auto& [name, value] : facts) fmt::print("{:<14} {}\n", name, value);
}

void print_table(const std::vector<CaseResult>& results) {
  Table table({"shape", "type", ">tokens", "caches", ">bytes", ">us", ">spread", ">GB/s", ">touch us", ">copy us",
               ">of touch", ">of copy"});
  for (const CaseResult& result : results) {
    const BenchCase& one = result.bench_case;
    table.add_row({one.shape.name, type_name(one.type), fmt::to_string(one.tokens), cache_state(one.cold),
                   fmt::to_string(result.bytes), microseconds(result.rope.median), spread(result.rope),
                   fmt::format("{:.0f}", result.gb_per_s()), microseconds(result.touch.median),
                   microseconds(result.copy.median), fmt::format("{:.3f}", result.touch_ratio()),
                   fmt::format("{:.3f}", result.copy_ratio())});
  }
  table.print(stdout);
}

void print_means(const std::vector<BandMean>& means) {
  Table table({"tokens", "type", "caches", ">cases", ">of touch (geometric mean)", ">worst", "worst case"});
  for (const BandMean& mean : means) {
    table.add_row({mean.band, mean.type, cache_state(mean.cold), fmt::to_string(mean.cases),
                   fmt::format("{:.3f}", mean.mean), fmt::format("{:.3f}", mean.worst), mean.worst_case});
  }
  table.print(stdout);
}

void print_sweep(const std::vector<SweepResult>& results) {
  if (results.empty()) return;
  std::vector<std::string> headings{"shape", "type", ">tokens", "caches", "ahead", ">touch us"};
  for (const auto& [choice, timing] : results[0].choices) {
    if (choice.ahead == kSweptAhead[0]) headings.push_back(fmt::format(">{}", choice.heading()));
  }
  headings.insert(headings.end(), {"best", ">of touch"});
  Table table(headings);
  for (const SweepResult& result : results) {
    const BenchCase& one = result.bench_case;
    for (const std::string_view ahead : kSweptAhead) {
      std::vector<Cell> row{one.shape.name,        type_name(one.type), fmt::to_string(one.tokens),
                            cache_state(one.cold), std::string(ahead),  microseconds(result.touch.median)};
      auto tries =
          std::views::filter(result.choices, [ahead](const auto& tried) { return tried.first.ahead == ahead; });
      const auto best = std::ranges::min_element(tries, {}, [](const auto& tried) { return tried.second.median; });
      for (const auto& tried : tries) {
        row.emplace_back(microseconds(tried.second.median), &tried == &*best ? Mood::good : Mood::plain);
      }
      row.emplace_back(best->first.name());
      row.emplace_back(fmt::format("{:.3f}", result.touch.median / best->second.median));
      table.add_row(row);
    }
  }
  table.print(stdout);
}

std::string to_csv(const std::vector<CaseResult>& results) {
  std::string csv =
      "shape,type,tokens,caches,bytes,us,us_low,us_high,gb_per_s,touch_us,copy_us,touch_ratio,copy_ratio\n";
  for (const CaseResult& result : results) {
    const BenchCase& one = result.bench_case;
    csv += fmt::format("{},{},{},{},{},{:.4f},{:.4f},{:.4f},{:.1f},{:.4f},{:.4f},{:.4f},{:.4f}\n", one.shape.name,
                       type_name(one.type), one.tokens, cache_state(one.cold), result.bytes, result.rope.median,
                       result.rope.low, result.rope.high, result.gb_per_s(), result.touch.median, result.copy.median,
                       result.touch_ratio(), result.copy_ratio());
  }
  return csv;
}

nlohmann::ordered_json to_json(const Facts& facts, const std::vector<CaseResult>& results) {
  nlohmann::ordered_json json;
  for (const auto& [name, value] : facts) json["machine"][name] = value;
  json["results"] = nlohmann::ordered_json::array();
  for (const CaseResult& result : results) {
    const BenchCase& one = result.bench_case;
    json["results"].push_back({{"shape", one.shape.name},
                               {"type", type_name(one.type)},
                               {"tokens", one.tokens},
                               {"caches", cache_state(one.cold)},
                               {"out_of_place", one.out_of_place},
                               {"direction", one.direction == Direction::forward ? "forward" : "inverse"},
                               {"axes", one.shape.config.axes},
                               {"bytes", result.bytes},
                               {"calls", result.calls},
                               {"buffer_sets", result.sets},
                               {"hiprope", to_json(result.rope)},
                               {"touch", to_json(result.touch)},
                               {"touch_choice", result.touch_choice},
                               {"copy", to_json(result.copy)},
                               {"gb_per_s", result.gb_per_s()},
                               {"touch_ratio", result.touch_ratio()},
                               {"copy_ratio", result.copy_ratio()}});
  }
  json["means"] = nlohmann::ordered_json::array();
  for (const BandMean& mean : band_means(results)) {
    json["means"].push_back({{"tokens", mean.band},
                             {"type", mean.type},
                             {"caches", cache_state(mean.cold)},
                             {"cases", mean.cases},
                             {"touch_ratio", mean.mean},
                             {"worst", mean.worst},
                             {"worst_case", mean.worst_case}});
  }
  return json;
}

void plot_ratios(const std::vector<CaseResult>& results, const std::string& path) {
  Plot plot{"touch time / hiprope time", "tokens", "ratio", {}, true, false};
  for (const CaseResult& result : results) {
    const BenchCase& one = result.bench_case;
    const std::string name = fmt::format("{} {} {}", one.shape.name, type_name(one.type), cache_state(one.cold));
    auto series = std::ranges::find(plot.series, name, &PlotSeries::name);
    if (series == plot.series.end()) series = plot.series.insert(series, {name, {}});
    series->points.emplace_back(static_cast<double>(one.tokens), result.touch_ratio());
  }
  write_svg(plot, path);
}

}  // namespace hiprope::tools
