// Times the checks, the choice of a kernel and the packing of its parameters, which need no GPU.
#include <benchmark/benchmark.h>

#include <cstdint>

#include "check.h"
#include "hiprope/hiprope.hpp"
#include "launch.h"

namespace {

using namespace hiprope;

// A launch is planned from the config alone, so a Rope on the CPU serves.
const Rope& small_rope() {
  static const Rope rope = [] {
    RopeConfig config;
    config.head_dim = 128;
    config.max_positions = 64;
    return Rope(config, Device::cpu());
  }();
  return rope;
}

// Far enough apart for any tensor; nothing reads there.
void* address(std::uintptr_t index) {
  return reinterpret_cast<void*>(index << 40);
}

void check_and_plan(benchmark::State& state, bool out_of_place) {
  const std::int64_t tokens = state.range(0);
  const TensorView q = TensorView::thd(address(1), DataType::bf16, tokens, 32, 128);
  const TensorView k = TensorView::thd(address(2), DataType::bf16, tokens, 8, 128);
  const TensorView q_out = TensorView::thd(address(3), DataType::bf16, tokens, 32, 128);
  const TensorView k_out = TensorView::thd(address(4), DataType::bf16, tokens, 8, 128);
  const Positions positions = Positions::from(0);
  hiprope_apply_options options{};
  options.size = sizeof(options);
  options.out = out_of_place ? &q_out : nullptr;
  options.k_out = out_of_place ? &k_out : nullptr;
  constexpr internal::TensorNames names[2] = {{"q", "q_out"}, {"k", "k_out"}};
  for (auto _ : state) {
    internal::CheckedCall call;
    internal::LaunchPlan plan;
    if (internal::check_call(small_rope().get(), names, &q, &k, &positions, &options, call) != hiprope_ok ||
        internal::plan_launch(*small_rope().get(), call, 0, plan) != hiprope_ok) {
      state.SkipWithError(hiprope_last_error());
      break;
    }
    benchmark::DoNotOptimize(plan);
  }
}

BENCHMARK_CAPTURE(check_and_plan, in_place, false)->Arg(1)->Arg(4096);
BENCHMARK_CAPTURE(check_and_plan, out_of_place, true)->Arg(1)->Arg(4096);

}  // namespace

BENCHMARK_MAIN();
