// What the benchmark prints: tables, means by token band, JSON, a plot.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "bench/bench_run.h"

namespace hiprope::tools {

using Facts = std::vector<std::pair<std::string, std::string>>;

void print_facts(const Facts& facts);
void print_table(const std::vector<CaseResult>& results);
// Geometric mean and worst of what a call adds over what touch adds, by call, type and band.
void print_means(const std::vector<CaseResult>& results);
// A column a call, the fastest marked.
void print_sweep(const std::vector<CaseResult>& results);

nlohmann::ordered_json to_json(const Facts& facts, const std::vector<CaseResult>& results);
// What each call and touch add, by tokens.
void plot_added(const std::vector<CaseResult>& results, const std::string& path);

}  // namespace hiprope::tools
