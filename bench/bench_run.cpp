// Runs the benchmark's cases on one device, reusing one allocation for all of them.
#include "bench/bench_run.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <span>

#include "bench/bench_check.h"
#include "tools/tool_error.h"

namespace hiprope::tools {
namespace {

constexpr int kChoosingRounds = 9;
constexpr const char* kTuningVariable = "HIPROPE_TUNING";
constexpr int kSweptAccesses[] = {1, 2, 4};  // of a thread
constexpr int kSweptBlocks[] = {64, 128, 256};

// Sets an environment variable for the time of a scope, where `value` is not empty.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const std::string& value) : name_(name), set_(!value.empty()) {
    if (const char* old = std::getenv(name)) old_ = old;
    if (set_) setenv(name, value.c_str(), 1);
  }
  ~ScopedVariable() {
    if (set_) old_.empty() ? unsetenv(name_) : setenv(name_, old_.c_str(), 1);
  }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

 private:
  const char* name_;
  bool set_;
  std::string old_;
};

BenchPositions positions_of(const BenchOptions& options, std::int64_t tokens) {
  if (options.id_bytes == 0) return BenchPositions::sequential;
  if (options.positions != BenchPositions::by_tokens) return options.positions;
  return tokens <= kDecodeTokens ? BenchPositions::random : BenchPositions::sequential;
}

// [axis][token]
std::vector<std::int64_t> make_positions(const BenchCase& bench_case, std::mt19937_64& random) {
  const RopeConfig& config = bench_case.model.config;
  const std::int64_t tokens = bench_case.tokens;
  std::uniform_int_distribution<std::int64_t> position(0, config.max_positions - 1);
  const auto side = static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(tokens))));
  const std::int64_t corner = position(random);
  std::vector<std::int64_t> positions(static_cast<std::size_t>(config.axes * tokens));
  for (std::int64_t axis = 0; axis < config.axes; ++axis) {
    const auto row = positions.begin() + axis * tokens;
    for (std::int64_t token = 0; token < tokens; ++token) {
      const std::int64_t place = axis == 0 ? 0 : axis == 1 ? token / side : token % side;
      switch (bench_case.positions) {
        case BenchPositions::sequential:
          row[token] = token % config.max_positions;
          break;
        case BenchPositions::image:
          row[token] = (corner + place) % config.max_positions;
          break;
        case BenchPositions::text:
          row[token] = axis == 0 ? position(random) : positions[static_cast<std::size_t>(token)];
          break;
        case BenchPositions::random:
        case BenchPositions::by_tokens:
          row[token] = position(random);
      }
    }
  }
  return positions;
}

}  // namespace

Timing summarise_rounds(std::vector<double> rounds) {
  std::ranges::sort(rounds);
  const std::size_t last = rounds.size() - 1;
  return {rounds[last / 2], rounds[last / 4], rounds[last - last / 4]};
}

BenchRunner::BenchRunner(const BenchOptions& options)
    : options_(options),
      device_(options.device.ordinal < 0 ? make_cpu_bench(options.layers)
                                         : make_gpu_bench(options.device.ordinal, options.layers)),
      random_(options.seed) {
  std::size_t arena_bytes = 0, position_bytes = 0;
  for (const DataType type : options.types) {
    for (const Model& model : options.models) {
      for (const std::int64_t tokens : options.tokens) {
        const Direction direction = options.inverse ? Direction::inverse : Direction::forward;
        const BenchCase one{
            model, type, tokens, options.out_of_place, direction, positions_of(options, tokens), options.id_bytes};
        arena_bytes = std::max(arena_bytes, BenchBuffers(one, nullptr).bytes());
        position_bytes = std::max(position_bytes, static_cast<std::size_t>(model.config.axes * tokens) * 8);
        cases_.push_back(one);
      }
    }
  }
  arena_ = std::make_unique<DeviceBuffer>(options.device.ordinal, arena_bytes);
  position_buffer_ = std::make_unique<DeviceBuffer>(options.device.ordinal, position_bytes);
  device_->reserve(cases_);
}

const Rope* BenchRunner::rope_of(const BenchCase& bench_case, const std::string& tuning) {
  const Model& model = bench_case.model;
  if (model.name != model_name_) {
    ropes_.clear();
    model_name_ = model.name;
    if (options_.device.ordinal >= 0) {
      reference_ = Rope(model.config, Device::cpu());
      if (!reference_) refuse("{} on the CPU: {}", model.name, reference_.created().message());
    }
  }
  if (!ropes_.contains(tuning)) {
    const ScopedVariable variable(kTuningVariable, tuning);
    ropes_.emplace(tuning, Rope(model.config, options_.device, Fallback::forbid));
  }
  const Rope& rope = ropes_.at(tuning);
  if (!rope && !tuning.empty() && rope.created().status() == hiprope_error_environment) return nullptr;
  if (!rope) refuse("{}: {} ({})", model.name, rope.created().message(), rope.created().name());
  return &rope;
}

// Fills the buffers and the positions.
BenchBuffers BenchRunner::prepare(const BenchCase& bench_case) {
  BenchBuffers buffers(bench_case, arena_->data());
  device_->fill(arena_->data(), buffers.bytes(), bench_case.type);
  device_->synchronize();
  positions_.clear();
  if (bench_case.id_bytes == 0) return buffers;
  positions_ = make_positions(bench_case, random_);
  if (bench_case.id_bytes == sizeof(std::int64_t)) {
    position_buffer_->upload(std::as_bytes(std::span(positions_)));
  } else {
    const std::vector<std::int32_t> narrow(positions_.begin(), positions_.end());
    position_buffer_->upload(std::as_bytes(std::span(narrow)));
  }
  return buffers;
}

LayerCall BenchRunner::rope_call(const BenchCase& bench_case, const BenchBuffers& buffers, const std::string& name,
                                 const Rope& rope) const {
  const std::int32_t axes = bench_case.model.config.axes;
  const void* const ids = position_buffer_->data();
  Positions positions = Positions::from(0);
  if (bench_case.id_bytes == sizeof(std::int64_t)) positions = Positions(static_cast<const std::int64_t*>(ids), axes);
  if (bench_case.id_bytes == sizeof(std::int32_t)) positions = Positions(static_cast<const std::int32_t*>(ids), axes);
  void* const stream = device_->stream();
  const auto enqueue = [&rope, bench_case, buffers, positions, stream](std::int64_t set) {
    const TensorView q_out = buffers.q_out(set), k_out = buffers.k_out(set);
    const Apply apply{&q_out, bench_case.has_k() ? &k_out : nullptr, bench_case.direction};
    require(bench_case.has_k()
                ? apply_position_embeddings_device(rope, buffers.q(set), buffers.k(set), positions, stream, apply)
                : apply_rope_device(rope, buffers.q(set), positions, stream, apply),
            bench_case);
  };
  return {name, enqueue, 2 * bench_case.tensor_bytes()};
}

LayerCall BenchRunner::touch_call(const BenchCase& bench_case, const BenchBuffers& buffers, std::size_t choice,
                                  const std::string& name) const {
  const auto enqueue = [this, bench_case, buffers, choice](std::int64_t set) {
    device_->touch(bench_case, buffers, set, choice);
  };
  return {name, enqueue, 2 * bench_case.tensor_bytes()};
}

// Checks every call, finds the best touch, and then times all of them and it in turn.
CaseResult BenchRunner::time(const BenchCase& bench_case, const BenchBuffers& buffers, std::vector<LayerCall> calls) {
  const CheckedMemory memory{bench_case, buffers, *arena_, positions_, *device_};
  if (options_.check && options_.device.ordinal < 0) check_cpu_path(bench_case, options_.seed);
  for (const LayerCall& call : calls) {
    if (options_.check && options_.device.ordinal >= 0) check_bits(memory, reference_, call);
  }
  std::vector<LayerCall> touches;
  for (const std::string& name : device_->touch_choices(bench_case)) {
    touches.push_back(touch_call(bench_case, buffers, touches.size(), name));
  }
  const std::vector<Timing> tried = device_->time(bench_case, buffers, touches, kChoosingRounds).added;
  const auto best = static_cast<std::size_t>(std::ranges::min_element(tried, {}, &Timing::median) - tried.begin());
  if (options_.check) check_touch(memory, touches[best]);
  calls.push_back(touches[best]);
  const LayerTimes times = device_->time(bench_case, buffers, calls, options_.rounds);
  CaseResult result{
      bench_case, times.without, {}, {"touch", calls.back().bytes, times.added.back()}, touches[best].name};
  for (std::size_t i = 0; i + 1 < calls.size(); ++i) {
    result.calls.push_back({calls[i].name, calls[i].bytes, times.added[i]});
  }
  return result;
}

CaseResult BenchRunner::measure(const BenchCase& bench_case) {
  const Rope& rope = *rope_of(bench_case, "");
  const BenchBuffers buffers = prepare(bench_case);
  return time(bench_case, buffers, {rope_call(bench_case, buffers, "rope", rope)});
}

CaseResult BenchRunner::sweep(const BenchCase& bench_case) {
  std::vector<LayerCall> calls;
  const Rope& rope = *rope_of(bench_case, "");
  const BenchBuffers buffers = prepare(bench_case);
  calls.push_back(rope_call(bench_case, buffers, "unset", rope));
  for (const int accesses : kSweptAccesses) {
    for (const int block : kSweptBlocks) {
      const Rope* const tuned = rope_of(bench_case, fmt::format("accesses={},block={}", accesses, block));
      if (tuned != nullptr)
        calls.push_back(rope_call(bench_case, buffers, fmt::format("{} by {}", accesses, block), *tuned));
    }
  }
  return time(bench_case, buffers, calls);
}

std::pair<double, double> BenchRunner::host_cost() {
  BenchCase one = cases_.front();
  one.tokens = 1;
  const Rope& rope = *rope_of(one, "");
  const BenchBuffers buffers = prepare(one);
  const LayerCall call = rope_call(one, buffers, "rope", rope);
  const double whole = device_->host_nanoseconds([&] { call.enqueue(0); });
  return {whole, device_->host_nanoseconds([&] { device_->launch_empty(); })};
}

}  // namespace hiprope::tools
