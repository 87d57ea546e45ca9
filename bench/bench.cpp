// `hiprope bench`: what a call adds to a layer of a model, against what touching the same elements adds.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "bench/bench_report.h"
#include "bench/bench_run.h"
#include "tools/commands.h"
#include "tools/device_option.h"
#include "tools/table_printer.h"
#include "tools/tool_error.h"

namespace hiprope::tools {
namespace {

constexpr std::array<std::int64_t, 9> kTokens{1, 8, 64, 256, 1024, 2048, 4096, 8192, 16384};
constexpr std::size_t kCpuTokenCounts = 5;  // of kTokens; the others take a CPU minutes
constexpr std::int64_t kOwnHiddenSize = 4096;

struct Arguments {
  std::vector<std::string> models;
  std::vector<std::int64_t> tokens;
  std::string device = "auto", dtype = "bf16", positions = "by_tokens", ids = "int64", pairing = "half_split",
              output_pairing = "as_input";
  Model own{"own", "", {}, {32, 0, 0, 0}, {0, 0, 0, 0}, false};  // by --heads and its like
  std::int32_t axes = 1;
  std::int64_t hidden_size = 0;
  int layers = 16, rounds = 51;
  std::uint64_t seed = 1;
  bool inverse = false, out_of_place = false, sweep = false, host_cost = false, no_check = false;
  std::string json, plot;
  std::vector<CLI::Option*> own_options;
};

std::vector<DataType> choose_types(const std::string& asked) {
  if (asked == "all") return {DataType::f32, DataType::f16, DataType::bf16};
  for (const DataType type : {DataType::f32, DataType::f16, DataType::bf16}) {
    if (asked == type_name(type)) return {type};
  }
  refuse("--dtype {}: write f32, f16, bf16 or all", asked);
}

BenchPositions choose_positions(const std::string& asked) {
  for (const BenchPositions kind :
       {BenchPositions::random, BenchPositions::text, BenchPositions::image, BenchPositions::sequential}) {
    if (asked == positions_name(kind)) return kind;
  }
  return BenchPositions::by_tokens;
}

// Q with strides of its own lies apart from a dense K; else both are heads of a row with V.
Model own_model(const Arguments& arguments) {
  Model model = arguments.own;
  RopeConfig& config = model.config;
  if (config.rotary_dim == 0) config.rotary_dim = config.head_dim - config.rotary_offset;
  if (arguments.pairing == "interleaved") config.pairing = Pairing::interleaved;
  if (arguments.pairing == "blocked") config.pairing = Pairing::blocked;
  if (arguments.output_pairing == "half_split") config.output_pairing = OutputPairing::half_split;
  const std::int64_t dim = config.head_dim, heads = model.q.heads, kv_heads = model.k.heads;
  model.packed = model.q.row == 0 && model.q.head_stride == 0;
  if (model.q.head_stride == 0) model.q.head_stride = dim;
  if (model.q.row == 0) model.q.row = model.packed ? (heads + 2 * kv_heads) * dim : heads * model.q.head_stride;
  model.k = {kv_heads, dim, model.packed ? heads * dim : 0, model.packed ? model.q.row : kv_heads * dim};
  model.hidden_size = kOwnHiddenSize;
  model.qkv_weights = kOwnHiddenSize * (heads + 2 * kv_heads) * dim;
  model.out_weights = kOwnHiddenSize * heads * dim;
  return model;
}

std::vector<Model> choose_models(const Arguments& arguments) {
  std::vector<Model> chosen;
  if (std::ranges::any_of(arguments.own_options, [](const CLI::Option* option) { return option->count() > 0; })) {
    chosen.push_back(own_model(arguments));
  }
  for (const std::string& name : arguments.models) chosen.push_back(measured_model(find_model(name)));
  if (chosen.empty()) {
    for (const Model& model : built_in_models()) {
      if (model.measured) chosen.push_back(measured_model(model));
    }
  }
  for (Model& model : chosen) {
    if (arguments.axes > 1) set_axes(model.config, arguments.axes);
    if (arguments.hidden_size > 0) set_hidden_size(model, arguments.hidden_size);
  }
  return chosen;
}

BenchOptions bench_options(const Arguments& arguments) {
  BenchOptions options;
  options.models = choose_models(arguments);
  options.device = choose_device(arguments.device);
  options.types = choose_types(arguments.dtype);
  options.tokens = arguments.tokens;
  if (options.tokens.empty()) {
    options.tokens.assign(kTokens.begin(),
                          options.device.ordinal < 0 ? kTokens.begin() + kCpuTokenCounts : kTokens.end());
  }
  options.out_of_place = arguments.out_of_place;
  options.inverse = arguments.inverse;
  options.positions = choose_positions(arguments.positions);
  const bool of_axes = options.positions == BenchPositions::text || options.positions == BenchPositions::image;
  if (of_axes && arguments.axes == 1) {
    refuse("--positions {} is about several axes; add --axes 3, or use random", arguments.positions);
  }
  options.id_bytes = arguments.ids == "none" ? 0 : arguments.ids == "int64" ? 8 : 4;
  if (options.id_bytes == 0 && (arguments.axes > 1 || arguments.positions != "sequential")) {
    refuse("--ids none lets the call count positions; add --positions sequential, and leave --axes out");
  }
  options.check = !arguments.no_check;
  options.layers = arguments.layers;
  options.rounds = arguments.rounds;
  options.seed = arguments.seed;
  return options;
}

// A bar on a terminal, rewritten in place; nothing elsewhere.
void show_progress(std::size_t done, std::size_t total, const std::string& doing) {
  if (!is_terminal(stderr)) return;
  constexpr std::size_t kBar = 30;
  const std::size_t full = kBar * done / total;
  fmt::print(stderr, "\r\033[K[{:#<{}}{:.<{}}] {}/{} {}", "", full, "", kBar - full, done, total, doing);
  if (done == total) fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
}

template <typename Measurement>
auto measure_all(const std::vector<BenchCase>& cases, const Measurement& measure) {
  std::vector<decltype(measure(cases[0]))> results;
  for (const BenchCase& one : cases) {
    show_progress(results.size(), cases.size(),
                  fmt::format("{} {} {} tokens", one.model.name, type_name(one.type), one.tokens));
    results.push_back(measure(one));
  }
  show_progress(cases.size(), cases.size(), "");
  return results;
}

// "-" is standard output.
void write_text(const std::string& text, const std::string& path) {
  if (path == "-") {
    fmt::print("{}", text);
    return;
  }
  std::ofstream file(path);
  file << text;
  file.close();
  if (!file) refuse("{}: cannot be written; name a file in a folder that exists", path);
}

Facts all_facts(BenchRunner& runner, const Arguments& arguments, const std::string& command_line) {
  Facts facts = runner.device().facts();
  facts.emplace_back("hiprope", fmt::format("{}, platform {}", hiprope_version(), hiprope_platform()));
  facts.emplace_back("positions", fmt::format("{}, ids {}", arguments.positions, arguments.ids));
  facts.emplace_back("timing", fmt::format("{} layers a chain, medians of {} rounds; spread: half the distance of the "
                                           "quartiles",
                                           arguments.layers, arguments.rounds));
  facts.emplace_back("command", command_line);
  const std::time_t now = std::time(nullptr);
  std::array<char, 32> date{};
  std::strftime(date.data(), date.size(), "%Y-%m-%d", std::gmtime(&now));
  facts.emplace_back("date", date.data());
  return facts;
}

void run_host_cost(BenchRunner& runner) {
  const auto [whole, empty] = runner.host_cost();
  fmt::print("host cost of a call: {:.0f} ns, of launching an empty kernel alone: {:.0f} ns, difference {:.0f} ns\n",
             whole, empty, whole - empty);
}

void run_bench(const Arguments& arguments, const std::string& command_line) {
  const BenchOptions options = bench_options(arguments);
  if (options.device.ordinal < 0 && (arguments.sweep || arguments.host_cost)) {
    refuse("--sweep and --host-cost are about launches; pass --device gpu");
  }
  BenchRunner runner(options);
  const Facts facts = all_facts(runner, arguments, command_line);
  const bool quiet = arguments.json == "-";
  if (!quiet) print_facts(facts);
  if (arguments.host_cost) return run_host_cost(runner);
  const std::vector<CaseResult> results = measure_all(
      runner.cases(), [&](const BenchCase& one) { return arguments.sweep ? runner.sweep(one) : runner.measure(one); });
  if (!quiet) {
    fmt::print("outputs        {}\n\n", !options.check               ? "not checked"
                                        : options.device.ordinal < 0 ? "checked against float64"
                                                                     : "equal to the CPU path's, bit for bit");
    arguments.sweep ? print_sweep(results) : print_table(results);
    fmt::print("\nadds: {}; bytes: read and written; touch: x = -x over the same elements in the same place\n\n",
               options.device.ordinal < 0 ? "calls follow each other, since the CPU has no layer"
                                          : "a layer with the call minus one without");
    print_means(results);
  }
  if (!arguments.json.empty()) write_text(to_json(facts, results).dump(2) + "\n", arguments.json);
  if (!arguments.plot.empty()) plot_added(results, arguments.plot);
}

void add_model_options(CLI::App& command, Arguments& arguments) {
  command
      .add_option("--model", arguments.models, "Which models, by name; `hiprope models` lists them; default: seven.")
      ->delimiter(',');
  Model& own = arguments.own;
  own.config.head_dim = 128;
  own.config.max_positions = 131072;
  const auto add = [&](const char* name, auto& value, const char* meaning) {
    CLI::Option* option = command.add_option(name, value, meaning);
    arguments.own_options.push_back(option->group("A model of your own, as HIPROPE_LOG=bench prints it"));
    return option;
  };
  const CLI::Range size(std::int64_t{0}, std::int64_t{1} << 40);
  add("--heads", own.q.heads, "Q heads.")->check(size);
  add("--kv-heads", own.k.heads, "K heads; without it one tensor is rotated.")->check(size);
  add("--head-dim", own.config.head_dim, "Elements of a head.");
  add("--rotary-dim", own.config.rotary_dim, "Elements that turn; default all.");
  add("--rotary-offset", own.config.rotary_offset, "The first that turns.");
  add("--pairing", arguments.pairing, "half_split, interleaved or blocked.")
      ->check(CLI::IsMember({"half_split", "interleaved", "blocked"}));
  add("--pair-block", own.config.pair_block, "Elements of a block, for blocked.");
  add("--output-pairing", arguments.output_pairing, "as_input, or half_split of interleaved pairs, out of place.")
      ->check(CLI::IsMember({"as_input", "half_split"}));
  add("--base", own.config.base, "Base of the frequencies.");
  add("--max-positions", own.config.max_positions, "Rows of the table.");
  add("--token-stride", own.q.row, "Elements from one token of Q to the next; default packed QKV.")->check(size);
  add("--head-stride", own.q.head_stride, "Elements from one head of Q to the next; default dense.")->check(size);
}

}  // namespace

void add_bench(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "bench", "Measure what a call adds to a layer of a model, against touching the same elements.");
  auto arguments = std::make_shared<Arguments>();
  add_model_options(*command, *arguments);
  command->add_option("--tokens", arguments->tokens, "Tokens of a call; default 1,8,64,256,1024,2048,4096,8192,16384.")
      ->delimiter(',')
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 31));
  command->add_option("--dtype", arguments->dtype, "f32, f16, bf16 or all.")->capture_default_str();
  command->add_option("--axes", arguments->axes, "Positions a token has (M-RoPE).")
      ->capture_default_str()
      ->check(CLI::Range(1, 4));
  command
      ->add_option("--positions", arguments->positions,
                   "random; text, random but the same on every axis; image, rows and columns of a square; "
                   "sequential; or by_tokens, random up to 256 tokens and sequential above.")
      ->capture_default_str()
      ->check(CLI::IsMember({"by_tokens", "random", "text", "image", "sequential"}));
  command
      ->add_option("--ids", arguments->ids, "Type of the positions: int64, int32, or none for a call that counts them.")
      ->capture_default_str()
      ->check(CLI::IsMember({"int64", "int32", "none"}));
  command->add_flag("--inverse", arguments->inverse, "Rotate backwards.");
  command->add_flag("--out-of-place", arguments->out_of_place, "Write to other tensors.");
  command->add_option("--device", arguments->device, "auto, cpu, gpu or gpu:N.")->capture_default_str();
  command->add_option("--hidden-size", arguments->hidden_size, "Elements between layers; default the model's.")
      ->check(CLI::Range(1, 1 << 20));
  command->add_option("--layers", arguments->layers, "Layers of a chain; on the CPU, calls between looks at the clock.")
      ->capture_default_str()
      ->check(CLI::Range(1, 256));
  command->add_option("--rounds", arguments->rounds, "Rounds that the median is of.")
      ->capture_default_str()
      ->check(CLI::Range(3, 1001));
  command->add_option("--seed", arguments->seed, "Of the random data and positions.")->capture_default_str();
  command->add_flag("--no-check", arguments->no_check, "Measure without checking the outputs first.");
  CLI::Option* sweep = command->add_flag(
      "--sweep", arguments->sweep, "A column for every choice of HIPROPE_TUNING, as accesses by threads a block.");
  CLI::Option* host_cost =
      command->add_flag("--host-cost", arguments->host_cost, "Time what a call of one token costs the host.");
  host_cost->excludes(sweep);
  command->add_option("--json", arguments->json, "Write the results to this file; without a file, print them instead.")
      ->excludes(host_cost)
      ->expected(0, 1)
      ->default_str("-");
  command->add_option("--plot", arguments->plot, "Write the ratios to touch as an SVG.")->excludes(host_cost);
  command->callback([arguments, command] {
    std::string line = "hiprope bench";
    for (const CLI::Option* option : command->get_options()) {
      if (option->count() == 0) continue;
      line += " " + option->get_name();
      const std::string values = CLI::detail::join(option->results(), ",");
      if (option->get_expected_max() > 0 && !values.empty()) line += " " + values;
    }
    run_bench(*arguments, line);
  });
}

}  // namespace hiprope::tools
