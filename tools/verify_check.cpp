// The random workload of `hiprope verify` and its judgement by the float64 oracle.
#include "tools/verify_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace hiprope::tools {
namespace {

constexpr std::int64_t kGuard = 64;  // elements; keeps 16-byte alignment
constexpr std::byte kPoison{0xFF};   // a NaN in every type

// Mostly 2^-6 to 4 in magnitude; one element in 64 is a negative zero, a subnormal or huge.
std::uint32_t random_bits(const NumberFormat& format, std::mt19937_64& random) {
  const std::uint64_t draw = random();
  const int mantissa_bits = format.mantissa_bits;
  const auto mantissa = static_cast<std::uint32_t>(draw) & ((1U << mantissa_bits) - 1);
  const auto sign = static_cast<std::uint32_t>(draw >> 63) << (format.exponent_bits + mantissa_bits);
  int exponent = format.bias() - 6 + static_cast<int>((draw >> 32) % 8);
  if ((draw >> 40) % 64 == 0) {
    switch ((draw >> 48) % 3) {
      case 0:
        return 1U << (format.exponent_bits + mantissa_bits);
      case 1:
        return sign | mantissa;
      default:
        exponent = format.bias() + (format.bias() * 7) / 8;  // far enough below the maximum for a rotation to fit
    }
  }
  return sign | static_cast<std::uint32_t>(exponent) << mantissa_bits | mantissa;
}

class Judge {
 public:
  Judge(const Workload& workload, const Call& run, const Bytes& after)
      : workload_(workload), run_(run), after_(after), untouched_(after), before_(workload.before(run)) {}

  Verdict verdict() {
    if (after_.size() != before_.size()) return {0, 0, "the output has another size"};
    for (std::int64_t token = 0; token < workload_.tokens; ++token) {
      turn_to(token);
      if (run_.rotates_q()) judge_token("q", workload_.q, token);
      if (run_.rotates_k()) judge_token("k", workload_.k, token);
    }
    if (untouched_ != before_) {
      const auto byte = std::ranges::mismatch(untouched_, before_).in1 - untouched_.begin();
      blame("byte {} of the allocation, outside the views, was overwritten", byte);
    }
    return verdict_;
  }

 private:
  struct Turn {
    double cos, sin;
  };

  void turn_to(std::int64_t token) {
    const OracleFrequencies& frequencies = workload_.frequencies;
    turns_.clear();
    for (std::size_t pair = 0; pair < frequencies.inv_freq.size(); ++pair) {
      const std::int64_t axis = workload_.config.axes > 1 ? frequencies.axis_of_pair[pair] : 0;
      const auto position = workload_.positions[static_cast<std::size_t>(axis * workload_.tokens + token)];
      const double angle = static_cast<double>(position) * frequencies.inv_freq[pair];
      const double sign = run_.direction == Direction::inverse ? -1 : 1;
      turns_.push_back(
          {frequencies.attention_scaling * std::cos(angle), sign * frequencies.attention_scaling * std::sin(angle)});
    }
  }

  void judge_token(const char* tensor, const TensorLayout& layout, std::int64_t token) {
    const RopeConfig& config = workload_.config;
    const std::int32_t rotary_end = config.rotary_offset + rotary_dim_of(config);
    for (std::int64_t head = 0; head < layout.heads; ++head) {
      place_ = {tensor, token, head, layout.first + token * layout.row + head * layout.head_stride};
      for (std::int32_t pair = 0; pair < rotary_dim_of(config) / 2; ++pair) judge_pair(pair);
      for (std::int32_t dim = 0; dim < config.head_dim; ++dim) {
        const bool rotated = dim >= config.rotary_offset && dim < rotary_end;
        if (!rotated && load(after_, dim) != load(workload_.input, dim)) blame_dim(dim, "is not the input's");
        workload_.format.store(element(untouched_, dim), load(before_, dim));
      }
    }
  }

  void judge_pair(std::int32_t pair) {
    const NumberFormat& format = workload_.format;
    const auto [in_x, in_y] = pair_elements(workload_.config, pair);
    const auto [out_x, out_y] = output_elements(workload_.config, pair);
    const double x = format.value(load(workload_.input, in_x));
    const double y = format.value(load(workload_.input, in_y));
    const Turn& turn = turns_[static_cast<std::size_t>(pair)];
    const double magnitude = std::abs(workload_.frequencies.attention_scaling) * std::sqrt(x * x + y * y);
    judge_value(out_x, x * turn.cos - y * turn.sin, magnitude);
    judge_value(out_y, y * turn.cos + x * turn.sin, magnitude);
  }

  void judge_value(std::int32_t dim, double expected, double magnitude) {
    const NumberFormat& format = workload_.format;
    const double got = format.value(load(after_, dim));
    double error = std::abs(got - expected);
    if (std::isnan(error)) error = std::numeric_limits<double>::infinity();
    // float32 results round once more below its normal numbers, where a step is no longer relative.
    const double rounding = workload_.type == DataType::f32 ? 2 * format.half_step(0) : format.half_step(magnitude);
    verdict_.max_error = std::max(verdict_.max_error, error / std::max(magnitude, format.smallest_normal()));
    if (magnitude <= kOrdinaryMagnitude) verdict_.max_abs_error = std::max(verdict_.max_abs_error, error);
    if (error > kRelativeTolerance * magnitude + rounding) {
      blame_dim(dim, fmt::format("is {:.9g}, expected {:.9g}", got, expected));
    }
  }

  template <typename Value>
  void blame(fmt::format_string<const Value&> format, const Value& value) {
    if (verdict_.failure.empty()) verdict_.failure = fmt::format(format, value);
  }
  void blame_dim(std::int32_t dim, const std::string& what) {
    if (!verdict_.failure.empty()) return;
    verdict_.failure =
        fmt::format("{} token {} head {} dim {} {}", place_.tensor, place_.token, place_.head, dim, what);
  }

  std::size_t offset(std::int32_t dim) const {
    return static_cast<std::size_t>((place_.first + dim) * workload_.format.bytes);
  }
  std::uint32_t load(const Bytes& bytes, std::int32_t dim) const {
    return workload_.format.load(bytes.data() + offset(dim));
  }
  std::byte* element(Bytes& bytes, std::int32_t dim) const { return bytes.data() + offset(dim); }

  struct Place {
    const char* tensor;
    std::int64_t token, head, first;
  };

  const Workload& workload_;
  const Call& run_;
  const Bytes& after_;
  Bytes untouched_;  // `after`, with the views' elements put back as they were
  Bytes before_;
  std::vector<Turn> turns_;  // [pairs] of the current token
  Place place_{};
  Verdict verdict_;
};

}  // namespace

Workload::Workload(const Model& model, DataType data_type, std::int64_t token_count, std::uint64_t seed)
    : config(model.config),
      type(data_type),
      format(number_format(data_type)),
      tokens(token_count),
      q(model.q),
      k(model.k),
      frequencies(oracle_frequencies(model.config)) {
  q.first += kGuard;
  const std::int64_t q_end = kGuard + tokens * q.row + kGuard;
  k.first += model.packed ? kGuard : q_end;
  const std::int64_t elements = model.packed ? q_end : q_end + tokens * k.row + kGuard;

  std::mt19937_64 random(seed);
  const auto element_bytes = static_cast<std::size_t>(format.bytes);
  input.resize(static_cast<std::size_t>(elements) * element_bytes);
  for (std::size_t byte = 0; byte < input.size(); byte += element_bytes) {
    format.store(input.data() + byte, random_bits(format, random));
  }
  std::uniform_int_distribution<std::int64_t> any_position(0, config.max_positions - 1);
  positions.resize(static_cast<std::size_t>(tokens * config.axes));
  for (std::int64_t& position : positions) position = any_position(random);
  if (tokens > 0) positions.front() = config.max_positions - 1;
  if (tokens > 1) positions[1] = 0;
}

TensorView Workload::view(const TensorLayout& layout, void* base) const {
  auto* data = static_cast<std::byte*>(base) + layout.first * format.bytes;
  return {data, type, tokens, layout.heads, config.head_dim, layout.row, layout.head_stride};
}

Bytes Workload::before(const Call& run) const {
  return run.in_place ? input : Bytes(input.size(), kPoison);
}

Verdict judge(const Workload& workload, const Call& run, const Bytes& after) {
  return Judge(workload, run, after).verdict();
}

}  // namespace hiprope::tools
