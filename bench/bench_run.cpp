// Runs the benchmark's cases on one device, reusing one allocation for all of them.
#include "bench/bench_run.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <span>

#include "tools/tool_error.h"
#include "tools/verify.h"

namespace hiprope::tools {
namespace {

constexpr std::int64_t kFewestCalls = 5, kMostCalls = 200;  // in one round
constexpr int kChoosingRounds = 5;
constexpr std::int64_t kCheckedTokens = 512;  // of each of three ranges
// A finite number in every element type: what a case leaves unwritten may be a later case's input.
constexpr std::byte kPoison{0x5A};
constexpr std::size_t kRandomBytes = std::size_t{32} << 20;
constexpr std::int64_t kOracleTokens = 8, kOraclePositions = 4096;
constexpr const char* kTuningVariable = "HIPROPE_TUNING";
// Accesses a thread, and whether angles are from factors, which threads of eight alone can.
constexpr std::array kSweptThreads{std::pair{2, false}, std::pair{4, false}, std::pair{8, false}, std::pair{8, true}};
constexpr std::array kSweptBlocks{64, 128, 256};

// Random bits under `keep`, and `set`, make numbers of magnitude 0.5 to 2: finite, and so after any rotation.
struct RandomBits {
  std::uint64_t keep, set;
};
constexpr RandomBits kRandomBits[] = {{0x80FFFFFF80FFFFFF, 0x3F0000003F000000},   // f32
                                      {0x87FF87FF87FF87FF, 0x3800380038003800},   // f16
                                      {0x80FF80FF80FF80FF, 0x3F003F003F003F00}};  // bf16

std::int64_t ceil_div(std::size_t value, std::size_t divisor) {
  return static_cast<std::int64_t>((value + divisor - 1) / divisor);
}

std::size_t aligned(std::size_t bytes) {
  return (bytes + 255) / 256 * 256;
}

void require(const Result& result, const BenchCase& bench_case) {
  if (!result)
    refuse("{}, {} tokens: {} ({})", bench_case.shape.name, bench_case.tokens, result.message(), result.name());
}

// Sets an environment variable for the time of a scope.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const std::string& value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    if (!value.empty()) setenv(name, value.c_str(), 1);
  }
  ~ScopedVariable() { old_.empty() ? unsetenv(name_) : setenv(name_, old_.c_str(), 1); }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

 private:
  const char* name_;
  std::string old_;
};

// Where a token range of a view lies in the arena.
struct Slice {
  TensorView view;  // of the range, data on the device
  std::size_t offset, bytes;

  Slice(const TensorView& whole, std::int64_t first, std::int64_t count, const void* arena) : view(whole) {
    const std::int64_t element_bytes = whole.data_type == hiprope_f32 ? 4 : 2;
    view.data = static_cast<std::byte*>(whole.data) + first * whole.token_stride * element_bytes;
    view.tokens = count;
    offset = static_cast<std::size_t>(static_cast<const std::byte*>(view.data) - static_cast<const std::byte*>(arena));
    bytes = static_cast<std::size_t>(span_of(view) * element_bytes);
  }
};

// Q and K of a token range with what must become of them.
struct CheckedRange {
  std::int64_t first, count;
  std::vector<Slice> out;                        // q, k
  std::vector<std::vector<std::byte>> expected;  // likewise
};

}  // namespace

std::string Choice::name() const {
  return fmt::format("accesses={},block={},angles={},ahead={}", accesses_per_thread, block_threads,
                     factors ? "factors" : "table", ahead);
}

std::string Choice::heading() const {
  return fmt::format("{}{} by {}", accesses_per_thread, factors ? "f" : "", block_threads);
}

Timing summarise_rounds(std::vector<double> microseconds) {
  std::ranges::sort(microseconds);
  const std::size_t last = microseconds.size() - 1;
  return {microseconds[last / 2], microseconds[last / 4], microseconds[last - last / 4]};
}

struct BenchRunner::Plan {
  BenchCase bench_case;
  BenchSets sets;
  std::int64_t set_count, calls;
  bool evict;

  Rounds rounds(int count) const { return {calls, count, evict}; }
};

BenchRunner::BenchRunner(const BenchOptions& options)
    : options_(options),
      device_(options.device.ordinal < 0 ? make_cpu_bench(options.cache_bytes)
                                         : make_gpu_bench(options.device.ordinal, options.cache_bytes)),
      random_(options.seed) {
  for (const DataType type : options.types) {
    for (const BenchShape& shape : options.shapes) {
      for (const std::int64_t tokens : options.tokens) {
        for (const bool cold : options.cold) {
          cases_.push_back({shape, type, tokens, options.out_of_place,
                            options.inverse ? Direction::inverse : Direction::forward, cold, options.positions,
                            options.id_bytes});
        }
      }
    }
  }
  std::size_t arena_bytes = kRandomBytes, position_bytes = 0;
  for (const BenchCase& bench_case : cases_) {
    const Plan needed = plan(bench_case);
    const auto sets = static_cast<std::size_t>(needed.set_count);
    arena_bytes = std::max({arena_bytes, sets * needed.sets.set_bytes(), 2 * aligned(bench_case.tensor_bytes())});
    position_bytes = std::max(position_bytes, sets * static_cast<std::size_t>(bench_case.shape.config.axes) *
                                                  static_cast<std::size_t>(bench_case.tokens) * bench_case.id_bytes);
  }
  arena_ = std::make_unique<DeviceBuffer>(options.device.ordinal, arena_bytes);
  position_buffer_ = std::make_unique<DeviceBuffer>(options.device.ordinal, position_bytes);
}

std::vector<BenchCase> BenchRunner::cases() const {
  return cases_;
}

BenchRunner::Plan BenchRunner::plan(const BenchCase& bench_case) const {
  const BenchSets sets(bench_case, arena_ == nullptr ? nullptr : arena_->data());
  const std::size_t wanted = working_set(*device_);
  const std::int64_t calls = std::clamp(ceil_div(2 * wanted, sets.set_bytes()), kFewestCalls, kMostCalls);
  const std::int64_t count = bench_case.cold ? std::min(ceil_div(wanted, sets.set_bytes()), calls) : 1;
  const bool evict = bench_case.cold && static_cast<std::size_t>(count) * sets.set_bytes() < wanted;
  return {bench_case, sets, count, calls, evict};
}

void BenchRunner::use_shape(const BenchShape& shape, const std::string& tuning) {
  if (shape.name != shape_name_) {
    ropes_.clear();
    shape_name_ = shape.name;
    if (options_.device.ordinal >= 0) {
      reference_ = Rope(shape.config, Device::cpu());
      if (!reference_) refuse("{} on the CPU: {}", shape.name, reference_.created().message());
    }
  }
  if (!ropes_.contains(tuning)) {
    const ScopedVariable variable(kTuningVariable, tuning);
    ropes_.emplace(tuning, Rope(shape.config, options_.device, Fallback::forbid));
  }
  rope_ = &ropes_.at(tuning);
  if (!*rope_) {
    refuse("{}: {} ({})", shape.name, rope_->created().message(), rope_->created().name());
  }
}

void BenchRunner::use_type(DataType type) {
  if (filled_type_ == static_cast<int>(type)) return;
  const RandomBits& bits = kRandomBits[static_cast<std::size_t>(type)];
  std::vector<std::uint64_t> words(kRandomBytes / sizeof(std::uint64_t));
  std::ranges::generate(words, [&] { return (random_() & bits.keep) | bits.set; });
  arena_->upload(std::as_bytes(std::span(words)));
  auto* const arena = static_cast<std::byte*>(arena_->data());
  for (std::size_t filled = kRandomBytes; filled < arena_->size(); filled *= 2) {
    device_->copy(arena + filled, arena, std::min(filled, arena_->size() - filled));
  }
  device_->synchronize();
  filled_type_ = static_cast<int>(type);
}

void BenchRunner::upload_positions(const Plan& plan) {
  const BenchPositions kind = plan.bench_case.positions;
  if (kind == BenchPositions::sequential) return;
  const RopeConfig& config = plan.bench_case.shape.config;
  positions_.resize(static_cast<std::size_t>(plan.set_count * config.axes * plan.bench_case.tokens));
  std::uniform_int_distribution<std::int64_t> position(0, config.max_positions - 1);
  const std::int64_t tokens = plan.bench_case.tokens;
  const auto side = static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(tokens))));
  std::int64_t row = 0, corner = 0;  // of one set's one axis; of an image
  for (auto first = positions_.begin(); first != positions_.end(); first += tokens, ++row) {
    const std::int64_t axis = row % config.axes;
    if (kind == BenchPositions::image) {
      if (axis == 0) corner = position(random_);
      for (std::int64_t token = 0; token < tokens; ++token) {
        const std::int64_t place = axis == 0 ? 0 : axis == 1 ? token / side : token % side;
        first[token] = (corner + place) % config.max_positions;
      }
    } else if (kind == BenchPositions::text && axis != 0) {
      std::copy_n(first - tokens, tokens, first);
    } else {
      std::generate_n(first, tokens, [&] { return position(random_); });
    }
  }
  if (plan.bench_case.id_bytes == sizeof(std::int64_t)) {
    position_buffer_->upload(std::as_bytes(std::span(positions_)));
  } else {
    const std::vector<std::int32_t> narrow(positions_.begin(), positions_.end());
    position_buffer_->upload(std::as_bytes(std::span(narrow)));
  }
}

Result BenchRunner::call(const Plan& plan, std::int64_t set) const {
  const BenchCase& bench_case = plan.bench_case;
  const std::int32_t axes = bench_case.shape.config.axes;
  const std::int64_t first_id = set * axes * bench_case.tokens;
  Positions positions = Positions::from(0);
  if (bench_case.positions != BenchPositions::sequential) {
    const void* const ids = position_buffer_->data();
    positions = bench_case.id_bytes == sizeof(std::int64_t)
                    ? Positions(static_cast<const std::int64_t*>(ids) + first_id, axes)
                    : Positions(static_cast<const std::int32_t*>(ids) + first_id, axes);
  }
  const TensorView q = plan.sets.q(set), k = plan.sets.k(set);
  const TensorView q_out = plan.sets.q_out(set), k_out = plan.sets.k_out(set);
  const Apply apply{&q_out, plan.sets.has_k() ? &k_out : nullptr, bench_case.direction};
  if (!plan.sets.has_k()) return apply_rope_device(*rope_, q, positions, device_->stream(), apply);
  return apply_position_embeddings_device(*rope_, q, k, positions, device_->stream(), apply);
}

// A GPU's output must have the CPU path's bits; the CPU path is held against float64.
void BenchRunner::check(const Plan& plan) {
  const BenchCase& bench_case = plan.bench_case;
  const BenchShape& shape = bench_case.shape;
  if (options_.device.ordinal < 0) {
    RopeConfig config = shape.config;
    config.max_positions = std::min(config.max_positions, kOraclePositions);
    const Verifier verifier(separate_model(shape.name, config, shape.heads, std::max<std::int64_t>(shape.kv_heads, 1)),
                            Device::cpu());
    for (const RunResult& result : verifier.verify(bench_case.type, kOracleTokens, options_.seed)) {
      if (!result.passed()) refuse("{}: the CPU path is wrong: {}", shape.name, result.verdict.failure);
    }
    return;
  }

  const TensorView q = plan.sets.q(0);
  const std::int64_t last = bench_case.tokens - kCheckedTokens;
  const bool whole = bench_case.tokens <= 3 * kCheckedTokens || q.token_stride < (q.heads - 1) * q.head_stride;
  std::vector<CheckedRange> ranges;
  if (whole) {
    ranges.push_back({0, bench_case.tokens, {}, {}});
  } else {
    for (const std::int64_t first : {std::int64_t{0}, last / 2, last})
      ranges.push_back({first, kCheckedTokens, {}, {}});
  }
  const std::vector<TensorView> inputs{q, plan.sets.k(0)}, outputs{plan.sets.q_out(0), plan.sets.k_out(0)};
  for (CheckedRange& range : ranges) {
    std::vector<std::vector<std::byte>> before;
    std::vector<TensorView> host_in, host_out;
    for (std::size_t i = 0; i < 2; ++i) {
      const Slice in(inputs[i], range.first, range.count, arena_->data());
      before.emplace_back(in.bytes);
      arena_->download(before.back(), in.offset);
      range.out.emplace_back(outputs[i], range.first, range.count, arena_->data());
      range.expected.push_back(before.back());
      host_in.push_back(in.view);
      host_out.push_back(in.view);
    }
    for (std::size_t i = 0; i < 2; ++i) {
      if (bench_case.out_of_place) {
        std::ranges::fill(range.expected[i], kPoison);
        arena_->upload(range.expected[i], range.out[i].offset);
      }
      host_out[i].data = range.expected[i].data();
      host_in[i].data = bench_case.out_of_place ? before[i].data() : host_out[i].data;
    }
    const std::int32_t axes = shape.config.axes;
    const Positions positions = bench_case.positions == BenchPositions::sequential
                                    ? Positions::from(range.first)
                                    : Positions(positions_.data() + range.first, axes, bench_case.tokens);
    const Apply apply{&host_out[0], plan.sets.has_k() ? &host_out[1] : nullptr, bench_case.direction};
    require(plan.sets.has_k() ? apply_position_embeddings_cpu(reference_, host_in[0], host_in[1], positions, apply)
                              : apply_rope_cpu(reference_, host_in[0], positions, apply),
            bench_case);
  }
  require(call(plan, 0), bench_case);
  device_->synchronize();
  for (const CheckedRange& range : ranges) {
    for (std::size_t i = 0; i < 2; ++i) {
      std::vector<std::byte> found(range.expected[i].size());
      arena_->download(found, range.out[i].offset);
      const auto different = std::ranges::mismatch(found, range.expected[i]).in1;
      if (different == found.end()) continue;
      refuse("{} {} {}, {} tokens: {} differs from the CPU path at byte {} behind token {}", shape.name,
             type_name(bench_case.type), bench_case.out_of_place ? "out of place" : "in place", bench_case.tokens,
             i == 0 ? "q" : "k", different - found.begin(), range.first);
    }
  }
}

// The ceiling counts only if it does what it says: every element that a call writes is negated, the others are as
// before.
void BenchRunner::check_touch(const Plan& plan, std::size_t choice) {
  const BenchCase& bench_case = plan.bench_case;
  const std::int64_t count = std::min(bench_case.tokens, kCheckedTokens), first = bench_case.tokens - count;
  const auto size = static_cast<std::size_t>(bench_case.element_bytes());
  const std::int64_t from = bench_case.out_of_place ? 0 : bench_case.shape.config.rotary_offset;
  std::vector<Slice> out;
  std::vector<std::vector<std::byte>> expected;
  for (const bool of_k : {false, true}) {
    // The CPU's touch works on the outputs alone.
    out.emplace_back(of_k ? plan.sets.k_out(0) : plan.sets.q_out(0), first, count, arena_->data());
    const Slice in = options_.device.ordinal < 0
                         ? out.back()
                         : Slice(of_k ? plan.sets.k(0) : plan.sets.q(0), first, count, arena_->data());
    std::vector<std::byte> source(in.bytes), wanted(in.bytes);
    arena_->download(source, in.offset);
    arena_->download(wanted, out.back().offset);
    for (std::int64_t token = 0; token < count; ++token) {
      for (std::int64_t head = 0; head < in.view.heads; ++head) {
        const std::int64_t start = token * in.view.token_stride + head * in.view.head_stride + from;
        for (std::int64_t element = start; element < start + bench_case.head_elements(); ++element) {
          const std::size_t at = static_cast<std::size_t>(element) * size;
          std::copy_n(source.begin() + static_cast<std::ptrdiff_t>(at), size,
                      wanted.begin() + static_cast<std::ptrdiff_t>(at));
          wanted[at + size - 1] ^= std::byte{0x80};
        }
      }
    }
    expected.push_back(std::move(wanted));
  }
  device_->touch(bench_case, plan.sets, 0, choice);
  device_->synchronize();
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::vector<std::byte> found(out[i].bytes);
    arena_->download(found, out[i].offset);
    if (found != expected[i]) refuse("{}, {} tokens: touch is wrong", bench_case.shape.name, bench_case.tokens);
  }
}

Timing BenchRunner::time_rope(const Plan& plan) {
  return device_->time(plan.rounds(options_.rounds),
                       [&](std::int64_t i) { require(call(plan, i % plan.set_count), plan.bench_case); });
}

std::pair<std::string, Timing> BenchRunner::time_touch(const Plan& plan) {
  const std::vector<std::string> names = device_->touch_choices(plan.bench_case);
  const auto time = [&](std::size_t choice, int rounds) {
    return device_->time(plan.rounds(rounds), [&](std::int64_t i) {
      device_->touch(plan.bench_case, plan.sets, i % plan.set_count, choice);
    });
  };
  std::vector<double> medians;
  for (std::size_t choice = 0; choice < names.size(); ++choice) medians.push_back(time(choice, kChoosingRounds).median);
  const auto best = static_cast<std::size_t>(std::ranges::min_element(medians) - medians.begin());
  if (options_.check) check_touch(plan, best);
  return {names[best], time(best, options_.rounds)};
}

CaseResult BenchRunner::measure(const BenchCase& bench_case) {
  use_type(bench_case.type);
  use_shape(bench_case.shape, "");
  const Plan chosen = plan(bench_case);
  upload_positions(chosen);
  if (options_.check) check(chosen);
  CaseResult result{bench_case, 2 * bench_case.tensor_bytes(), chosen.calls, chosen.set_count, {}, {}, {}, {}};
  result.rope = time_rope(chosen);
  std::tie(result.touch_choice, result.touch) = time_touch(chosen);

  const std::size_t copied = bench_case.tensor_bytes(), distance = aligned(copied);
  const auto places = std::min<std::int64_t>(bench_case.cold ? chosen.set_count : 1,
                                             static_cast<std::int64_t>(arena_->size() / (2 * distance)));
  auto* const arena = static_cast<std::byte*>(arena_->data());
  result.copy = device_->time(chosen.rounds(options_.rounds), [&](std::int64_t i) {
    std::byte* const from = arena + static_cast<std::size_t>(i % places) * 2 * distance;
    device_->copy(from + distance, from, copied);
  });
  return result;
}

SweepResult BenchRunner::sweep(const BenchCase& bench_case) {
  use_type(bench_case.type);
  use_shape(bench_case.shape, "");
  const Plan chosen = plan(bench_case);
  upload_positions(chosen);
  SweepResult result{bench_case, time_touch(chosen).second, {}};
  for (const std::string_view ahead : kSweptAhead) {
    for (const auto& [accesses, factors] : kSweptThreads) {
      for (const int block : kSweptBlocks) {
        const Choice choice{accesses, block, factors, ahead};
        use_shape(bench_case.shape, choice.name());
        if (options_.check) check(chosen);
        result.choices.emplace_back(choice, time_rope(chosen));
      }
    }
  }
  return result;
}

std::pair<double, double> BenchRunner::host_cost() {
  BenchCase one = cases_.front();
  one.tokens = 1;
  use_type(one.type);
  use_shape(one.shape, "");
  const Plan chosen = plan(one);
  upload_positions(chosen);
  const double whole = device_->host_nanoseconds([&] { require(call(chosen, 0), one); });
  return {whole, device_->host_nanoseconds([&] { device_->launch_empty(); })};
}

}  // namespace hiprope::tools
