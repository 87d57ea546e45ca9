// Times the CPU path against the touch ceiling, the plain loop, and one thread against several.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cpu/heads.h"
#include "touch.h"

namespace {

using hiprope::internal::HostCall;
using hiprope::internal::HostTensor;
using hiprope::internal::Kernels;

struct Shape {
  const char* name;
  int q_heads, k_heads, head_dim, rotary_dim, block;
};

constexpr Shape kShapes[] = {
    {"llama3-8b", 32, 8, 128, 128, 128},
    {"glm4-9b", 32, 2, 128, 64, 2},
    {"neox-20b", 64, 64, 96, 24, 24},
};

struct DataType {
  const char* name;
  std::int32_t value, bytes;
};

constexpr DataType kDataTypes[] = {{"f32", hiprope_f32, 4}, {"f16", hiprope_f16, 2}, {"bf16", hiprope_bf16, 2}};
constexpr std::int64_t kTokens[] = {1, 8, 64, 512, 4096};

// Q and K of one layer, in place, positions 0, 1, ...; every element is 1 in every type.
struct Problem {
  HostCall call;
  HostTensor tensors[2];
  std::vector<float> table;
  std::vector<char> storage;

  Problem(const Shape& shape, const DataType& type, std::int64_t tokens) {
    const int pairs = shape.rotary_dim / 2;
    for (std::int64_t t = 0; t < tokens; ++t) {
      for (int j = 0; j < pairs; ++j) {
        const double angle = static_cast<double>(t) * std::pow(10000.0, -static_cast<double>(j) / pairs);
        table.push_back(static_cast<float>(std::cos(angle)));
        table.push_back(static_cast<float>(std::sin(angle)));
      }
    }
    call = {.data_type = type.value,
            .head_dim = shape.head_dim,
            .rotary_dim = shape.rotary_dim,
            .block_in = shape.block,
            .block_out = shape.block,
            .table = table.data(),
            .max_positions = tokens,
            .tokens = tokens};
    const std::int64_t q_size = tokens * shape.q_heads * shape.head_dim * type.bytes;
    const std::int64_t k_size = tokens * shape.k_heads * shape.head_dim * type.bytes;
    storage.resize(static_cast<std::size_t>(q_size + k_size) + 64);
    void* data = storage.data();
    std::size_t space = storage.size();
    std::align(64, static_cast<std::size_t>(q_size + k_size), data, space);
    fill(data, type, (q_size + k_size) / type.bytes);
    tensors[0] = dense(data, shape.q_heads, shape.head_dim);
    tensors[1] = dense(static_cast<char*>(data) + q_size, shape.k_heads, shape.head_dim);
  }

  static void fill(void* data, const DataType& type, std::int64_t count) {
    const std::uint16_t one16 = type.value == hiprope_f16 ? 0x3C00 : 0x3F80;
    if (type.bytes == 4) {
      std::fill_n(static_cast<float*>(data), count, 1.0F);
    } else {
      std::fill_n(static_cast<std::uint16_t*>(data), count, one16);
    }
  }

  static HostTensor dense(void* data, std::int64_t heads, std::int64_t head_dim) {
    return {data, data, heads, heads * head_dim, head_dim, heads * head_dim, head_dim};
  }

  // Read once and written once.
  double bytes() const {
    const std::int64_t size = call.data_type == hiprope_f32 ? 4 : 2;
    return static_cast<double>(2 * call.tokens * (tensors[0].heads + tensors[1].heads) * call.rotary_dim * size);
  }
};

template <typename Work>
double seconds(const Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Runs `work` and `ceiling` in turn, so that both find the caches as the other left them. Short work is repeated,
// unless a pause, in which OpenMP's waiting threads go to sleep, comes before each.
template <typename Work, typename Ceiling>
void compare(benchmark::State& state, const Problem& problem, const Work& work, const Ceiling& ceiling,
             std::chrono::milliseconds pause = {}) {
  const int repeats = pause.count() > 0 ? 1 : static_cast<int>(std::max(1.0, 1e6 / problem.bytes()));
  const auto repeat = [&](const auto& once) {
    if (pause.count() > 0) std::this_thread::sleep_for(pause);
    return seconds([&] {
             for (int i = 0; i < repeats; ++i) once();
           }) /
           repeats;
  };
  std::vector<double> ours, theirs;
  for (auto _ : state) {
    theirs.push_back(repeat(ceiling));
    ours.push_back(repeat(work));
    state.SetIterationTime(ours.back() * repeats);
  }
  const double time = median(ours);
  state.counters["best_ratio"] =
      *std::min_element(theirs.begin(), theirs.end()) / *std::min_element(ours.begin(), ours.end());
  state.counters["bytes"] = problem.bytes();
  state.counters["us"] = time * 1e6;
  state.counters["GB/s"] = problem.bytes() / time * 1e-9;
  state.counters["ratio"] = median(theirs) / time;
}

void against_touch(benchmark::State& state, const Shape& shape, const DataType& type, std::int64_t tokens) {
  const Problem problem(shape, type, tokens);
  const int threads = hiprope::internal::choose_threads(problem.call, problem.tensors, 2);
  state.counters["threads"] = threads;
  compare(
      state, problem, [&] { hiprope::internal::rotate_on_host(problem.call, problem.tensors, 2); },
      [&] { hiprope::bench::touch(threads, problem.call, problem.tensors, 2, -1.0F); });
}

void against_plain(benchmark::State& state, const Shape& shape, const DataType& type, std::int64_t tokens) {
  const Problem problem(shape, type, tokens);
  const auto run = [&](const Kernels& kernels) {
    hiprope::internal::rotate_with(kernels, 1, problem.call, problem.tensors, 2);
  };
  compare(
      state, problem, [&] { run(hiprope::internal::vector_kernels()); },
      [&] { run(hiprope::internal::scalar_kernels()); });
}

void against_one_thread(benchmark::State& state, std::int64_t tokens, std::chrono::milliseconds pause) {
  const Problem problem({"16 heads of 128", 16, 0, 128, 128, 128}, kDataTypes[2], tokens);
  const auto run = [&](int threads) {
    hiprope::internal::rotate_with(hiprope::internal::vector_kernels(), threads, problem.call, problem.tensors, 1);
  };
  compare(state, problem, [&] { run(omp_get_max_threads()); }, [&] { run(1); }, pause);
}

void add(const std::string& name, auto function) {
  benchmark::RegisterBenchmark(name.c_str(), function)->UseManualTime()->Unit(benchmark::kMicrosecond);
}

}  // namespace

int main(int argc, char** argv) {
  for (const Shape& shape : kShapes) {
    for (const DataType& type : kDataTypes) {
      for (const std::int64_t tokens : kTokens) {
        const std::string problem = fmt::format("{}/{}/{}", shape.name, type.name, tokens);
        add("touch/" + problem, [=](benchmark::State& state) { against_touch(state, shape, type, tokens); });
        if (tokens > 8) continue;
        add("plain/" + problem, [=](benchmark::State& state) { against_plain(state, shape, type, tokens); });
      }
    }
  }
  for (const int pause : {0, 20}) {
    for (std::int64_t tokens = 1; tokens <= 1024; tokens *= 2) {  // of 4 KiB
      add(fmt::format("one_thread/pause_{}ms/{}KiB", pause, 4 * tokens),
          [=](benchmark::State& state) { against_one_thread(state, tokens, std::chrono::milliseconds(pause)); });
    }
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
