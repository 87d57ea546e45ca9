// `hiprope bench`: how fast the rotation is on a device, against touching the same elements and copying as many.
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

constexpr std::array<std::int64_t, 7> kTokens{1, 8, 64, 512, 4096, 16384, 65536};
constexpr std::size_t kCpuTokenCounts = 5;  // of kTokens; the others take a CPU minutes

struct Arguments {
  std::vector<std::string> shapes{"all"};
  std::vector<std::int64_t> tokens;
  std::string device = "auto", dtype = "bf16", positions = "random", ids = "int64", pairing = "half_split",
              output_pairing = "as_input";
  BenchShape free;  // by --heads and its like
  std::int32_t axes = 1;
  std::int64_t cache_mib = 0;
  int rounds = 21;
  std::uint64_t seed = 1;
  bool cold = false, hot = false, both = false, inverse = false, out_of_place = false, sweep = false, host_cost = false;
  bool no_check = false;
  std::string csv, json, plot;
  std::vector<CLI::Option*> free_options;
};

std::vector<DataType> choose_types(const std::string& asked) {
  if (asked == "all") return {DataType::f32, DataType::f16, DataType::bf16};
  for (const DataType type : {DataType::f32, DataType::f16, DataType::bf16}) {
    if (asked == type_name(type)) return {type};
  }
  refuse("--dtype {}: write f32, f16, bf16 or all", asked);
}

BenchPositions choose_positions(const std::string& asked) {
  if (asked == "sequential") return BenchPositions::sequential;
  if (asked == "image") return BenchPositions::image;
  return asked == "text" ? BenchPositions::text : BenchPositions::random;
}

// Sections in the proportion of Qwen2-VL's 16, 24 and 24 pairs for three axes; even ones otherwise.
void set_axes(RopeConfig& config, std::int32_t axes) {
  config.axes = axes;
  const std::int32_t pairs = (config.rotary_dim > 0 ? config.rotary_dim : config.head_dim - config.rotary_offset) / 2;
  std::int32_t left = pairs;
  for (std::int32_t axis = 0; axis < axes; ++axis) {
    const std::int32_t section = axes == 3 && axis == 0 ? pairs / 4 : left / (axes - axis);
    config.sections[static_cast<std::size_t>(axis)] = section;
    left -= section;
  }
}

std::vector<BenchShape> choose_shapes(const Arguments& arguments) {
  std::vector<BenchShape> chosen;
  if (std::ranges::any_of(arguments.free_options, [](const CLI::Option* option) { return option->count() > 0; })) {
    BenchShape shape = arguments.free;
    shape.name = "free";
    RopeConfig& config = shape.config;
    if (config.rotary_dim == 0) config.rotary_dim = config.head_dim - config.rotary_offset;
    if (arguments.pairing == "interleaved") config.pairing = Pairing::interleaved;
    if (arguments.pairing == "blocked") config.pairing = Pairing::blocked;
    if (arguments.output_pairing == "half_split") config.output_pairing = OutputPairing::half_split;
    chosen.push_back(shape);
  }
  const bool all = chosen.empty() && std::ranges::find(arguments.shapes, "all") != arguments.shapes.end();
  for (const BenchShape& shape : bench_shapes()) {
    if (all || std::ranges::find(arguments.shapes, shape.name) != arguments.shapes.end()) chosen.push_back(shape);
  }
  if (arguments.axes > 1) {
    for (BenchShape& shape : chosen) set_axes(shape.config, arguments.axes);
  }
  return chosen;
}

BenchOptions bench_options(const Arguments& arguments) {
  BenchOptions options;
  options.device = choose_device(arguments.device);
  options.shapes = choose_shapes(arguments);
  options.types = choose_types(arguments.dtype);
  options.tokens = arguments.tokens;
  if (options.tokens.empty()) {
    options.tokens.assign(kTokens.begin(),
                          options.device.ordinal < 0 ? kTokens.begin() + kCpuTokenCounts : kTokens.end());
  }
  if (arguments.both || arguments.cold || !arguments.hot) options.cold.push_back(true);
  if (arguments.both || arguments.hot) options.cold.push_back(false);
  options.out_of_place = arguments.out_of_place;
  options.inverse = arguments.inverse;
  options.positions = choose_positions(arguments.positions);
  const bool of_axes = options.positions == BenchPositions::text || options.positions == BenchPositions::image;
  if (of_axes && arguments.axes == 1) {
    refuse("--positions {} is about several axes; add --axes 3, or use random", arguments.positions);
  }
  options.id_bytes = arguments.ids == "int64" ? sizeof(std::int64_t) : sizeof(std::int32_t);
  options.check = !arguments.no_check;
  options.rounds = arguments.rounds;
  options.cache_bytes = static_cast<std::size_t>(arguments.cache_mib) << 20;
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
                  fmt::format("{} {} {} tokens", one.shape.name, type_name(one.type), one.tokens));
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
  facts.emplace_back("working set", fmt::format("{} MiB when cold", working_set(runner.device()) >> 20));
  facts.emplace_back("positions", arguments.positions == "sequential"
                                      ? arguments.positions
                                      : fmt::format("{}, {}", arguments.positions, arguments.ids));
  facts.emplace_back("timing",
                     fmt::format("median of {} rounds; spread: half the distance of the quartiles", arguments.rounds));
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
  const bool quiet = arguments.csv == "-" || arguments.json == "-";
  if (!quiet) print_facts(facts);
  if (arguments.host_cost) return run_host_cost(runner);
  if (arguments.sweep) {
    print_sweep(measure_all(runner.cases(), [&](const BenchCase& one) { return runner.sweep(one); }));
    return;
  }
  const std::vector<CaseResult> results =
      measure_all(runner.cases(), [&](const BenchCase& one) { return runner.measure(one); });
  if (!quiet) {
    fmt::print("outputs        {}\n\n", !options.check               ? "not checked"
                                        : options.device.ordinal < 0 ? "checked against float64"
                                                                     : "equal to the CPU path's, bit for bit");
    print_table(results);
    fmt::print(
        "\nbytes: of Q and K, read and written; touch: x = -x over the same elements; copy: device to device\n\n");
    print_means(band_means(results));
  }
  if (!arguments.csv.empty()) write_text(to_csv(results), arguments.csv);
  if (!arguments.json.empty()) write_text(to_json(facts, results).dump(2) + "\n", arguments.json);
  if (!arguments.plot.empty()) plot_ratios(results, arguments.plot);
}

void add_shape_options(CLI::App& command, Arguments& arguments) {
  std::vector<std::string> names{"all"};
  for (const BenchShape& shape : bench_shapes()) names.push_back(shape.name);
  command.add_option("--shape", arguments.shapes, "Which shapes, by name.")
      ->delimiter(',')
      ->check(CLI::IsMember(names));
  BenchShape& free = arguments.free;
  free.config.head_dim = 128;
  free.config.max_positions = 131072;
  const auto add = [&](const char* name, auto& value, const char* meaning) {
    CLI::Option* option = command.add_option(name, value, meaning);
    arguments.free_options.push_back(option->group("A shape of your own, as HIPROPE_LOG=bench prints it"));
    return option;
  };
  const CLI::Range size(std::int64_t{0}, std::int64_t{1} << 40);
  add("--heads", free.heads, "Q heads.")->check(size);
  add("--kv-heads", free.kv_heads, "K heads; without it one tensor is rotated.")->check(size);
  add("--head-dim", free.config.head_dim, "Elements of a head.");
  add("--rotary-dim", free.config.rotary_dim, "Elements that turn; default all.");
  add("--rotary-offset", free.config.rotary_offset, "The first that turns.");
  add("--pairing", arguments.pairing, "half_split, interleaved or blocked.")
      ->check(CLI::IsMember({"half_split", "interleaved", "blocked"}));
  add("--pair-block", free.config.pair_block, "Elements of a block, for blocked.");
  add("--output-pairing", arguments.output_pairing, "as_input, or half_split of interleaved pairs, out of place.")
      ->check(CLI::IsMember({"as_input", "half_split"}));
  add("--base", free.config.base, "Base of the frequencies.");
  add("--max-positions", free.config.max_positions, "Rows of the table.");
  add("--token-stride", free.token_stride, "Elements from one token of Q to the next; default dense.")->check(size);
  add("--head-stride", free.head_stride, "Elements from one head of Q to the next; default dense.")->check(size);
}

}  // namespace

void add_bench(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("bench", "Measure the rotation against touching the same elements and copying as many bytes.");
  auto arguments = std::make_shared<Arguments>();
  add_shape_options(*command, *arguments);
  command->add_option("--tokens", arguments->tokens, "Tokens of a call; default 1,8,64,512,4096,16384,65536.")
      ->delimiter(',')
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 31));
  command->add_option("--dtype", arguments->dtype, "f32, f16, bf16 or all.")->capture_default_str();
  command->add_option("--axes", arguments->axes, "Positions a token has (M-RoPE).")
      ->capture_default_str()
      ->check(CLI::Range(1, 4));
  command
      ->add_option("--positions", arguments->positions,
                   "random; text, random but the same on every axis; image, rows and columns of a square; or "
                   "sequential.")
      ->capture_default_str()
      ->check(CLI::IsMember({"random", "text", "image", "sequential"}));
  command->add_option("--ids", arguments->ids, "Type of the positions: int64 or int32.")
      ->capture_default_str()
      ->check(CLI::IsMember({"int64", "int32"}));
  command->add_flag("--inverse", arguments->inverse, "Rotate backwards.");
  command->add_flag("--out-of-place", arguments->out_of_place, "Write to other tensors.");
  command->add_flag("--cold", arguments->cold, "Buffers that no cache holds; the default.");
  command->add_flag("--hot", arguments->hot, "The same buffers every call.");
  command->add_flag("--both", arguments->both, "Cold, then hot.");
  command->add_option("--device", arguments->device, "auto, cpu, gpu or gpu:N.")->capture_default_str();
  command->add_option("--cache", arguments->cache_mib, "MiB of the largest cache; default as the device says.")
      ->check(CLI::Range(1, 4096));
  command->add_option("--rounds", arguments->rounds, "Rounds that the median is of.")
      ->capture_default_str()
      ->check(CLI::Range(3, 1001));
  command->add_option("--seed", arguments->seed, "Of the random data and positions.")->capture_default_str();
  command->add_flag("--no-check", arguments->no_check, "Measure without checking the outputs first.");
  CLI::Option* sweep = command->add_flag(
      "--sweep", arguments->sweep,
      "Time every choice of accesses a thread, threads a block, source of angles and what goes ahead.");
  CLI::Option* host_cost =
      command->add_flag("--host-cost", arguments->host_cost, "Time what a call of one token costs the host.");
  sweep->excludes(host_cost);
  const auto add_output = [&](const char* name, std::string& path, const char* meaning) {
    return command->add_option(name, path, meaning)->excludes(sweep)->excludes(host_cost);
  };
  add_output("--csv", arguments->csv,
             "Write the results to this file; without a file, print them instead of the table.")
      ->expected(0, 1)
      ->default_str("-");
  add_output("--json", arguments->json, "Likewise as JSON.")->expected(0, 1)->default_str("-");
  add_output("--plot", arguments->plot, "Write the ratios to touch as an SVG.");
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
