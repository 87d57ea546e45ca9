// What the benchmark prints: a table, means by token band, CSV, JSON, a plot.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "bench/bench_run.h"

namespace hiprope::tools {

using Facts = std::vector<std::pair<std::string, std::string>>;

// Geometric mean and worst of touch time / hiprope time over the cases of a band, a type and a cache state.
struct BandMean {
  std::string band, type;
  bool cold;
  std::size_t cases;
  double mean, worst;
  std::string worst_case;
};
std::vector<BandMean> band_means(const std::vector<CaseResult>& results);

void print_facts(const Facts& facts);
void print_table(const std::vector<CaseResult>& results);
void print_means(const std::vector<BandMean>& means);
void print_sweep(const std::vector<SweepResult>& results);

std::string to_csv(const std::vector<CaseResult>& results);
nlohmann::ordered_json to_json(const Facts& facts, const std::vector<CaseResult>& results);
void plot_ratios(const std::vector<CaseResult>& results, const std::string& path);

}  // namespace hiprope::tools
