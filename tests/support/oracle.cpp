// Rotation by its formula in float64, and the comparison with a result.
#include "tests/support/oracle.h"

#include <cmath>
#include <cstring>

#include <fmt/format.h>

namespace hiprope::test {
namespace {

// Radians per position, and axis, of a pair.
struct Turn {
  double frequency;
  int axis;
};

int axis_of(const RopeConfig& config, int pair) {
  if (config.axes == 1) return 0;
  switch (config.axis_layout) {
    case AxisLayout::round_robin:
      return pair % config.axes;
    case AxisLayout::custom:
      return config.axis_of_pair[static_cast<std::size_t>(pair)];
    case AxisLayout::interleaved:
      if (pair % 3 == 1 && pair < 3 * config.sections[1]) return 1;
      return pair % 3 == 2 && pair < 3 * config.sections[2] ? 2 : 0;
    default:
      break;
  }
  int axis = 0;
  for (int end = config.sections[0]; pair >= end; end += config.sections[static_cast<std::size_t>(axis)]) ++axis;
  return axis;
}

std::vector<Turn> turns_of(const Case& c) {
  const RopeConfig& config = c.config;
  const int pairs = c.rotary_dim() / 2;
  std::vector<Turn> turns;
  for (int pair = 0; pair < pairs; ++pair) {
    const int axis = axis_of(config, pair);
    double index = pair;
    double dim = c.rotary_dim();
    if (config.frequency_layout == FrequencyLayout::restart) {
      int of_axis = 0;
      index = 0;
      for (int other = 0; other < pairs; ++other) {
        of_axis += axis_of(config, other) == axis ? 1 : 0;
        index += other < pair && axis_of(config, other) == axis ? 1 : 0;
      }
      dim = 2.0 * of_axis;
    }
    const double scale = config.scaling.type == ScalingType::linear ? config.scaling.factor : 1.0;
    turns.push_back({std::pow(config.base, -2.0 * index / dim) / scale, axis});
  }
  return turns;
}

bool is_plain(const Scaling& scaling) {
  const bool known = scaling.type == ScalingType::none || scaling.type == ScalingType::linear;
  return known && scaling.freq_factors.empty();
}

// What one pair became; empty when that is right.
std::string judge_pair(DataType type, double x, double y, double angle, double new_x, double new_y) {
  if (std::isnan(x) || std::isnan(y)) return std::isnan(new_x) && std::isnan(new_y) ? "" : "a NaN was lost";
  if (std::isinf(x) || std::isinf(y)) return std::isfinite(new_x) && std::isfinite(new_y) ? "an infinity was lost" : "";
  const double magnitude = std::hypot(x, y);
  if (magnitude * (1 + 1e-5) > largest(type)) return "";  // may overflow; the bits are compared with the CPU path's
  const double allowed = 1e-5 * magnitude + (type == DataType::f32 ? 0.0 : 0.5 * ulp(magnitude, type)) + 0x1p-148;
  const double want_x = x * std::cos(angle) - y * std::sin(angle);
  const double want_y = y * std::cos(angle) + x * std::sin(angle);
  if (std::fabs(new_x - want_x) <= allowed && std::fabs(new_y - want_y) <= allowed) return "";
  return fmt::format("({}, {}) turned by {} gave ({}, {}), wanted ({}, {}) within {}", x, y, angle, new_x, new_y,
                     want_x, want_y, allowed);
}

}  // namespace

bool oracle_knows(const RopeConfig& config) {
  return config.angles == Angles::exact && is_plain(config.scaling);
}

std::string oracle_mismatch(const Case& c, const Images& before, const Images& after) {
  const std::vector<Turn> turns = turns_of(c);
  const auto bytes = static_cast<std::size_t>(format_of(c.type).bytes);
  const double sense = c.direction == Direction::forward ? 1.0 : -1.0;
  const auto value = [&](const Images& images, const Side& side, std::size_t at) {
    return decode(load_bits(&images[static_cast<std::size_t>(side.buffer)][at], c.type), c.type);
  };
  Images expected = before;  // with rotated elements taken from `after` once they are judged
  for (const Flow& flow : flows(c)) {
    auto& image = expected[static_cast<std::size_t>(flow.out.buffer)];
    for (std::int64_t token = 0; token < c.tokens; ++token) {
      for (std::int64_t head = 0; head < flow.in.heads; ++head) {
        std::memcpy(&image[byte_of(c, flow.out, token, head, 0)],
                    &before[static_cast<std::size_t>(flow.in.buffer)][byte_of(c, flow.in, token, head, 0)],
                    bytes * static_cast<std::size_t>(c.config.head_dim));
        if (is_refused(c, token)) continue;
        for (std::size_t pair = 0; pair < turns.size(); ++pair) {
          const PairPlace from = pair_place(c, static_cast<std::int64_t>(pair), false);
          const PairPlace to = pair_place(c, static_cast<std::int64_t>(pair), true);
          const std::int64_t offset = c.config.rotary_offset;
          const std::size_t x_in = byte_of(c, flow.in, token, head, offset + from.first);
          const std::size_t y_in = byte_of(c, flow.in, token, head, offset + from.first + from.distance);
          const std::size_t x_out = byte_of(c, flow.out, token, head, offset + to.first);
          const std::size_t y_out = byte_of(c, flow.out, token, head, offset + to.first + to.distance);
          const auto position = static_cast<double>(*position_of(c, token, turns[pair].axis));
          const std::string fault = judge_pair(c.type, value(before, flow.in, x_in), value(before, flow.in, y_in),
                                               sense * position * turns[pair].frequency, value(after, flow.out, x_out),
                                               value(after, flow.out, y_out));
          if (!fault.empty()) return fmt::format("token {} head {} pair {}: {}", token, head, pair, fault);
          const auto& written = after[static_cast<std::size_t>(flow.out.buffer)];
          std::memcpy(&image[x_out], &written[x_out], bytes);
          std::memcpy(&image[y_out], &written[y_out], bytes);
        }
      }
    }
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    for (std::size_t byte = 0; byte < expected[i].size(); ++byte) {
      if (expected[i][byte] == after[i][byte]) continue;
      return fmt::format("buffer {} byte {} of {} (guards of {} bytes included) must be 0x{:x}, is 0x{:x}", i, byte,
                         expected[i].size(), kGuardBytes, static_cast<int>(expected[i][byte]),
                         static_cast<int>(after[i][byte]));
    }
  }
  return {};
}

}  // namespace hiprope::test
