// Drawing of random cases, and shrinking.
#include "tests/support/property.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace hiprope::test {
namespace {

// Frequencies, angles and factors by every rule; they change the table alone.
void random_scaling(Random& random, RopeConfig& config) {
  config.angles = random.pick({Angles::exact, Angles::exact, Angles::float32});
  if (config.rotary_dim < 4 || random.chance(50)) return;
  const auto pairs = static_cast<std::size_t>(config.rotary_dim / 2);
  const auto factors = [&] {
    std::vector<double> list(pairs);
    for (double& factor : list) factor = 1.0 + 7.0 * std::abs(random.signed_unit());
    return list;
  };
  Scaling& scaling = config.scaling;
  scaling.type = random.pick({ScalingType::linear, ScalingType::dynamic, ScalingType::ntk, ScalingType::yarn,
                              ScalingType::longrope, ScalingType::llama3, ScalingType::custom});
  scaling.factor = static_cast<double>(random.between(2, 8));
  if (scaling.type == ScalingType::dynamic) scaling.sequence_length = 4 * config.max_positions;
  if (scaling.type == ScalingType::yarn || scaling.type == ScalingType::longrope ||
      scaling.type == ScalingType::llama3) {
    scaling.original_max_positions = random.between(2, 64);
  }
  if (scaling.type == ScalingType::longrope) {
    scaling.short_factor = factors();
    scaling.long_factor = factors();
    scaling.sequence_length = random.between(1, 128);
  }
  if (scaling.type == ScalingType::llama3) {
    scaling.low_freq_factor = 1;
    scaling.high_freq_factor = 4;
  }
  if (scaling.type == ScalingType::custom) {
    scaling.factor = 0;
    scaling.inv_freq = factors();
  } else if (random.chance(30)) {
    scaling.freq_factors = factors();
  }
}

RopeConfig random_config(Random& random) {
  RopeConfig config;
  config.head_dim = static_cast<std::int32_t>(
      random.chance(70) ? random.between(2, 48) : random.pick({64, 72, 80, 96, 112, 128, 192, 256, 320, 576}));
  const auto room = config.head_dim;
  config.rotary_dim = static_cast<std::int32_t>(random.chance(40) ? room / 2 * 2 : 2 * random.between(1, room / 2));
  if (random.chance(50))
    config.rotary_dim =
        std::max(8, config.rotary_dim / 8 * 8) <= room ? std::max(8, config.rotary_dim / 8 * 8) : config.rotary_dim;
  const std::int32_t slack = room - config.rotary_dim;
  config.rotary_offset = static_cast<std::int32_t>(random.chance(50) ? 0 : random.between(0, slack));
  if (random.chance(50)) config.rotary_offset = config.rotary_offset / 8 * 8;
  // 8 positions have a coarse row each and share a fine one, and after 2048 the coarse ones begin anew, see coarse_row.
  config.max_positions = random.chance(70) ? random.between(1, 40) : random.between(41, 600);
  if (random.chance(5)) config.max_positions = random.pick({7, 8, 9, 2047, 2048, 2049, 4097});
  config.base = random.pick({10000.0, 500000.0, 100.0, 1e7});
  config.pairing = random.pick({Pairing::half_split, Pairing::interleaved, Pairing::blocked});
  if (config.pairing == Pairing::blocked) {
    std::int32_t block = 2 * static_cast<std::int32_t>(random.between(1, config.rotary_dim / 2));
    while (config.rotary_dim % block != 0) block += 2;
    config.pair_block = block;
  }
  if (config.pairing == Pairing::interleaved && random.chance(30)) config.output_pairing = OutputPairing::half_split;
  if (random.chance(30)) {
    config.axes = static_cast<std::int32_t>(random.between(2, 4));
    std::int32_t left = config.rotary_dim / 2;
    for (std::int32_t axis = 0; axis < config.axes; ++axis) {
      const auto part = axis + 1 == config.axes ? left : static_cast<std::int32_t>(random.between(0, left));
      config.sections[static_cast<std::size_t>(axis)] = part;
      left -= part;
    }
    if (std::count(config.sections.begin(), config.sections.begin() + config.axes, 0) != 0 || random.chance(40)) {
      config.sections = {};
      config.axis_layout = AxisLayout::custom;
      for (std::int32_t pair = 0; pair < config.rotary_dim / 2; ++pair) {
        config.axis_of_pair.push_back(static_cast<std::uint8_t>(random.between(0, config.axes - 1)));
      }
    }
  }
  random_scaling(random, config);
  return config;
}

// Strides that never overlap: tokens outside heads or heads outside tokens, with or without gaps.
Side random_side(Random& random, const Case& c, int buffer, std::int64_t heads, bool aligned) {
  const std::int64_t unit = aligned ? 8 : 1;
  const auto gap = [&] { return random.chance(50) ? 0 : unit * random.between(0, aligned ? 3 : 17); };
  const auto up = [&](std::int64_t stride) { return aligned ? (stride + 7) / 8 * 8 : stride; };
  Side side{buffer, heads, 0, 0, unit * random.between(0, aligned ? 2 : 9)};
  const std::int64_t inner = up(c.config.head_dim) + gap();
  if (random.chance(60)) {
    side.head_stride = inner;
    side.token_stride = inner * std::max<std::int64_t>(heads, 1) + gap();
  } else {
    side.token_stride = inner;
    side.head_stride = inner * std::max<std::int64_t>(c.tokens, 1) + gap();
  }
  return side;
}

std::int64_t random_id(Random& random, const Case& c) {
  if (random.chance(85)) return random.between(0, c.config.max_positions - 1);
  constexpr auto kMin64 = std::numeric_limits<std::int64_t>::min();
  constexpr auto kMax64 = std::numeric_limits<std::int64_t>::max();
  const std::int64_t id = random.pick({c.config.max_positions, std::int64_t{-1}, kMin64, kMax64, std::int64_t{1} << 32,
                                       static_cast<std::int64_t>(random.bits()), std::int64_t{1} << 31});
  return c.ids_bytes == 4 ? static_cast<std::int32_t>(id) : id;
}

void draw_positions(Random& random, Case& c) {
  c.ids_bytes = random.pick({0, 4, 8, 8});
  c.start = random.chance(80) ? random.between(0, c.config.max_positions)
                              : random.pick({std::int64_t{-2}, std::numeric_limits<std::int64_t>::min(),
                                             std::numeric_limits<std::int64_t>::max() - 1});
  if (c.ids_bytes == 0) return;
  c.position_axes = random.chance(70) ? c.config.axes : 1;
  c.axis_stride = random.chance(50) ? 0 : c.tokens + random.between(0, 3);
  const std::int64_t stride = c.axis_stride != 0 ? c.axis_stride : c.tokens;
  for (std::int64_t i = 0; i < stride * c.position_axes; ++i) c.ids.push_back(random_id(random, c));
  // Text has one position on all axes.
  for (std::int64_t token = 0; c.position_axes > 1 && token < c.tokens; ++token) {
    if (random.chance(50)) continue;
    const std::int64_t position = c.ids[static_cast<std::size_t>(token)];
    for (std::int64_t axis = 1; axis < c.position_axes; ++axis) {
      c.ids[static_cast<std::size_t>(axis * stride + token)] = position;
    }
  }
}

// One step towards a smaller case; false when the case is already that small or would become invalid.
using Step = bool (*)(Case&);

bool set_config(Case& c, std::int32_t head_dim, std::int32_t rotary_dim, std::int32_t rotary_offset) {
  if (c.config.axes > 1 || c.config.scaling.type != ScalingType::none || rotary_dim < 2 || rotary_offset < 0 ||
      head_dim < rotary_dim + rotary_offset)
    return false;
  if (c.config.pairing == Pairing::blocked && rotary_dim % c.config.pair_block != 0) return false;
  const bool changed =
      c.config.head_dim != head_dim || c.rotary_dim() != rotary_dim || c.config.rotary_offset != rotary_offset;
  c.config.head_dim = head_dim;
  c.config.rotary_dim = rotary_dim;
  c.config.rotary_offset = rotary_offset;
  return changed;
}

bool set_tokens(Case& c, std::int64_t tokens) {
  if (tokens < 1 || tokens >= c.tokens || (c.position_axes > 1 && c.axis_stride == 0)) return false;
  c.tokens = tokens;
  return true;
}

bool set_heads(Case& c, std::int64_t q_heads, std::int64_t k_heads) {
  if (q_heads < 1 || (c.k && k_heads < 1) || (q_heads == c.q.heads && (!c.k || k_heads == c.k->heads))) return false;
  c.q.heads = q_heads;
  if (c.q_out) c.q_out->heads = q_heads;
  if (c.k) c.k->heads = k_heads;
  if (c.k_out) c.k_out->heads = k_heads;
  return true;
}

constexpr Step kSteps[] = {
    [](Case& c) { return set_tokens(c, 1); },
    [](Case& c) { return set_tokens(c, c.tokens / 2); },
    [](Case& c) { return set_tokens(c, c.tokens - 1); },
    [](Case& c) {
      if (!c.k) return false;
      c.k.reset();
      c.k_out.reset();
      return true;
    },
    [](Case& c) {
      if (!c.k) return false;
      c.q = *c.k;
      c.q_out = c.k_out;
      c.k.reset();
      c.k_out.reset();
      return true;
    },
    [](Case& c) { return set_heads(c, 1, 1); },
    [](Case& c) { return set_heads(c, c.q.heads - 1, c.k ? c.k->heads : 0); },
    [](Case& c) { return c.k && set_heads(c, c.q.heads, c.k->heads - 1); },
    [](Case& c) {
      if (!c.q_out || c.config.output_pairing != OutputPairing::as_input) return false;
      c.q_out.reset();
      c.k_out.reset();
      return true;
    },
    [](Case& c) {
      const bool changed = c.ids_bytes != 0;
      c.ids_bytes = 0;
      c.start = 0;
      c.ids.clear();
      c.position_axes = 1;
      c.axis_stride = 0;
      return changed;
    },
    [](Case& c) {
      if (c.config.axes == 1) return false;
      c.config.axes = 1;
      c.config.sections = {};
      c.config.axis_of_pair.clear();
      c.config.axis_layout = AxisLayout::chunked;
      c.position_axes = 1;
      return true;
    },
    [](Case& c) {
      const bool changed = c.config.scaling.type != ScalingType::none || c.config.angles != Angles::exact;
      c.config.scaling = {};
      c.config.angles = Angles::exact;
      return changed;
    },
    [](Case& c) { return set_config(c, c.rotary_dim(), c.rotary_dim(), 0); },
    [](Case& c) { return set_config(c, c.config.head_dim, c.rotary_dim() / 4 * 2, c.config.rotary_offset); },
    [](Case& c) { return set_config(c, c.config.head_dim, c.rotary_dim() - 2, c.config.rotary_offset); },
    [](Case& c) { return set_config(c, c.config.head_dim, c.rotary_dim(), 0); },
    [](Case& c) {
      return set_config(c, c.rotary_dim() + c.config.rotary_offset, c.rotary_dim(), c.config.rotary_offset);
    },
    [](Case& c) {
      const bool changed = c.wild || c.direction == Direction::inverse;
      c.wild = false;
      c.direction = Direction::forward;
      return changed;
    },
    [](Case& c) {
      const bool changed = c.q.offset != 0 || (c.k && c.k->offset != 0);
      c.q.offset = 0;
      if (c.k) c.k->offset = 0;
      return changed;
    },
    [](Case& c) {
      bool changed = false;
      for (Side* side : {&c.q, c.k ? &*c.k : &c.q, c.q_out ? &*c.q_out : &c.q, c.k_out ? &*c.k_out : &c.q}) {
        const Side dense{side->buffer, side->heads, side->heads * c.config.head_dim, c.config.head_dim, side->offset};
        changed = changed || side->token_stride != dense.token_stride || side->head_stride != dense.head_stride;
        *side = dense;
      }
      return changed;
    },
};

Case shrink(Case failing, const Property& property) {
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (const Step step : kSteps) {
      Case candidate = failing;
      if (!step(candidate) || property(candidate).empty()) continue;
      failing = candidate;
      smaller = true;
    }
  }
  return failing;
}

}  // namespace

Case random_case(Random& random) {
  Case c;
  c.name = "random";
  c.config = random_config(random);
  c.type = random.pick({DataType::f32, DataType::f16, DataType::bf16});
  c.tokens = random.chance(5) ? 0 : random.between(1, random.chance(5) ? 80 : 7);
  c.direction = random.pick({Direction::forward, Direction::inverse});
  c.wild = random.chance(40);
  c.seed = random.bits();
  const bool aligned = random.chance(50);
  const bool with_k = random.chance(60);
  const bool must_move = c.config.output_pairing == OutputPairing::half_split;
  const bool q_moves = must_move || random.chance(50);
  const bool k_moves = must_move || (random.chance(80) ? q_moves : !q_moves);
  const std::int64_t q_heads = random.chance(3) ? 0 : random.between(1, 6);
  const std::int64_t k_heads = random.between(1, 3);
  c.q = random_side(random, c, 0, q_heads, aligned);
  if (with_k) c.k = random_side(random, c, 1, k_heads, aligned);
  if (q_moves) c.q_out = random_side(random, c, 2, q_heads, aligned);
  if (k_moves && with_k) c.k_out = random_side(random, c, 3, k_heads, aligned);
  draw_positions(random, c);
  return c;
}

std::string check_property(const Property& property, std::int64_t count, std::uint64_t seed) {
  for (std::int64_t i = 0; i < count; ++i) {
    Random random(seed + static_cast<std::uint64_t>(i));
    const Case c = random_case(random);
    const std::string fault = property(c);
    if (fault.empty()) continue;
    const Case small = shrink(c, property);
    return fmt::format("case {} of HIPROPE_SEED={} fails: {}\n  {}\nsmallest that fails: {}\n  {}", i, seed, fault,
                       describe(c), property(small), describe(small));
  }
  return {};
}

}  // namespace hiprope::test
