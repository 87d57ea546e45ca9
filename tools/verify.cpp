// Runs one model's calls on the device under test and on the CPU, and keeps what each run showed.
#include "tools/verify.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "tools/gpu_memory.h"
#include "tools/tool_error.h"

namespace hiprope::tools {
namespace {

constexpr std::byte kNotDownloaded{0xFF};

Rope create(const Model& model, Device device) {
  Rope rope(model.config, device);
  if (!rope)
    refuse("cannot create the Rope of {}: {} ({})", model.name, rope.created().message(), rope.created().name());
  return rope;
}

std::vector<Call> distinct_runs(const Model& model) {
  std::vector<Call> runs;
  for (const Function function : {Function::rope_q, Function::rope_k, Function::position_embeddings}) {
    for (const bool in_place : {true, false}) {
      // A config that rewrites the pair layout cannot be applied in place.
      if (in_place && model.config.output_pairing != OutputPairing::as_input) continue;
      for (const Direction direction : {Direction::forward, Direction::inverse}) {
        runs.push_back({function, in_place, direction, false});
      }
    }
  }
  return runs;
}

// The call of `run` from `input` to `output`, allocations of the workload's layout.
Result call(const Rope& rope, const Workload& workload, const Call& run, void* input, void* output,
            const Positions& positions, void* stream) {
  const TensorView q = workload.q_view(input);
  const TensorView k = workload.k_view(input);
  const TensorView q_out = workload.q_view(output);
  const TensorView k_out = workload.k_view(output);
  const auto options = [&](const TensorView* out, const TensorView* second) {
    return run.in_place ? Apply{nullptr, nullptr, run.direction} : Apply{out, second, run.direction};
  };
  switch (run.function) {
    case Function::rope_q:
      return apply_rope_device(rope, q, positions, stream, options(&q_out, nullptr));
    case Function::rope_k:
      return apply_rope_device(rope, k, positions, stream, options(&k_out, nullptr));
    case Function::position_embeddings:
      return apply_position_embeddings_device(rope, q, k, positions, stream, options(&q_out, &k_out));
  }
  return Result(hiprope_error_enum_value);
}

// Memory of one workload on one device.
class Harness {
 public:
  Harness(const Workload& workload, Device device)
      : workload_(workload),
        stream_(device.ordinal),
        input_(device.ordinal, workload.input.size()),
        output_(device.ordinal, workload.input.size()),
        ids64_(device.ordinal, workload.positions.size() * sizeof(std::int64_t)),
        ids32_(device.ordinal, workload.positions.size() * sizeof(std::int32_t)) {
    const std::vector<std::int32_t> narrow(workload.positions.begin(), workload.positions.end());
    ids64_.upload(std::as_bytes(std::span(workload.positions)));
    ids32_.upload(std::as_bytes(std::span(narrow)));
  }

  // Runs on fresh memory and fills `after` with what it left where it writes.
  RunResult run(const Rope& rope, const Call& run, Bytes& after) {
    RunResult result{run, Path::none, {}, false, 0, touched_bytes(run)};
    Result status;
    const auto work = [&] { status = apply(rope, run); };
    std::optional<Graph> graph;
    if (run.replayed) graph.emplace(stream_, work);

    input_.upload(workload_.input);
    if (!run.in_place) output_.upload(workload_.before(run));
    const auto start = std::chrono::steady_clock::now();
    if (graph) {
      graph->launch(stream_);
    } else {
      work();
    }
    stream_.synchronize();
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    result.path = status.path();

    after.assign(workload_.input.size(), kNotDownloaded);
    (run.in_place ? input_ : output_).download(after);
    result.verdict = judge(workload_, run, after);
    if (!status) result.verdict.failure = std::string("the call failed: ") + status.message();
    check_side_effects(rope, result);
    return result;
  }

 private:
  Result apply(const Rope& rope, const Call& run) {
    const auto axes = workload_.config.axes;
    const Positions positions = run.direction == Direction::forward
                                    ? Positions(static_cast<const std::int64_t*>(ids64_.data()), axes)
                                    : Positions(static_cast<const std::int32_t*>(ids32_.data()), axes);
    return call(rope, workload_, run, input_.data(), output_.data(), positions, stream_.handle());
  }

  void check_side_effects(const Rope& rope, RunResult& result) {
    std::string& failure = result.verdict.failure;
    const auto expected = static_cast<Path>(rope.info().path);
    if (failure.empty() && result.path != expected) {
      failure = fmt::format("the call took the path {}, the Rope's is {}", to_string(result.path), to_string(expected));
    }
    hiprope_position_errors errors{};
    if (failure.empty() && (!rope.read_position_errors(errors, stream_.handle()) || errors.count != 0)) {
      failure = fmt::format("{} positions were counted as outside the table", errors.count);
    }
    if (result.run.in_place) return;
    Bytes input_after(workload_.input.size(), kNotDownloaded);
    input_.download(input_after);
    if (failure.empty() && input_after != workload_.input) failure = "the input of an out-of-place call was changed";
  }

  // In place only the rotary part of a head moves.
  std::uint64_t touched_bytes(const Call& run) const {
    const std::int64_t heads = (run.rotates_q() ? workload_.q.heads : 0) + (run.rotates_k() ? workload_.k.heads : 0);
    const std::int64_t dim = run.in_place ? rotary_dim_of(workload_.config) : workload_.config.head_dim;
    return static_cast<std::uint64_t>(2 * workload_.tokens * heads * dim * workload_.format.bytes);
  }

  const Workload& workload_;
  Stream stream_;
  DeviceBuffer input_, output_, ids64_, ids32_;
};

}  // namespace

const char* name_of(Function function) {
  constexpr std::array<const char*, 3> names{"apply_rope_device (q)", "apply_rope_device (k)",
                                             "apply_position_embeddings_device"};
  return names[static_cast<std::size_t>(function)];
}

Verifier::Verifier(const Model& model, Device device)
    : model_(model), device_(device), rope_(create(model, device)), cpu_rope_(create(model, Device::cpu())) {}

std::vector<RunResult> Verifier::verify(DataType type, std::int64_t tokens, std::uint64_t seed) const {
  const Workload workload(model_, type, tokens, seed);
  Harness tested(workload, device_);
  Harness reference(workload, Device::cpu());
  const bool on_gpu = rope_.info().path == hiprope_path_gpu;
  std::vector<RunResult> results;
  Bytes after, cpu_after;
  for (Call run : distinct_runs(model_)) {
    const RunResult cpu = reference.run(cpu_rope_, run, cpu_after);
    for (const bool replayed : {false, true}) {
      if (replayed && !on_gpu) continue;
      run.replayed = replayed;
      RunResult result = tested.run(rope_, run, after);
      result.bitwise_equal_cpu = after == cpu_after;
      if (result.verdict.failure.empty() && !cpu.verdict.failure.empty()) {
        result.verdict.failure = "the CPU path: " + cpu.verdict.failure;
      }
      if (result.verdict.failure.empty() && !result.bitwise_equal_cpu) {
        result.verdict.failure = "bits differ from the CPU path's";
      }
      results.push_back(std::move(result));
    }
  }
  return results;
}

}  // namespace hiprope::tools
