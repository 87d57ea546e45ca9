// Buffers, views and comparisons of a case.
#include "tests/support/case.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include <fmt/format.h>

#include "tests/support/random.h"

namespace hiprope::test {
namespace {

constexpr auto kPoison = std::byte{0xA5};

std::size_t element_bytes(const Case& c) {
  return static_cast<std::size_t>(format_of(c.type).bytes);
}

void fill_view(const Case& c, const Side& side, std::vector<std::byte>& image, Random& random) {
  for (std::int64_t token = 0; token < c.tokens; ++token) {
    for (std::int64_t head = 0; head < side.heads; ++head) {
      for (std::int64_t dim = 0; dim < c.config.head_dim; ++dim) {
        std::byte* at = &image[byte_of(c, side, token, head, dim)];
        const bool any_bits = c.wild && random.chance(40);
        const double magnitude = c.wild ? std::ldexp(1.0, static_cast<int>(random.between(-20, 12))) : 2.0;
        const double value = random.signed_unit() * magnitude;
        store_bits(at, c.type, any_bits ? static_cast<std::uint32_t>(random.bits()) : encode(value, c.type));
      }
    }
  }
}

void poison_view(const Case& c, const Side& side, std::vector<std::byte>& image) {
  for (std::int64_t token = 0; token < c.tokens; ++token) {
    for (std::int64_t head = 0; head < side.heads; ++head) {
      std::memset(&image[byte_of(c, side, token, head, 0)], static_cast<int>(kPoison),
                  static_cast<std::size_t>(c.config.head_dim) * element_bytes(c));
    }
  }
}

TensorView view_of(const Case& c, const Side& side, const std::array<std::byte*, kBuffers>& bases) {
  std::byte* data = bases[static_cast<std::size_t>(side.buffer)];
  if (data != nullptr) data += byte_of(c, side, 0, 0, 0);
  return {data, c.type, c.tokens, side.heads, c.config.head_dim, side.token_stride, side.head_stride};
}

// Copies the bits of `expected` over those of `actual` wherever a rotation wrote NaN into both.
void unify_nans(const Case& c, const Images& expected, Images& actual) {
  for (const Flow& flow : flows(c)) {
    for (std::int64_t token = 0; token < c.tokens; ++token) {
      if (is_out_of_range(c, token)) continue;
      for (std::int64_t head = 0; head < flow.out.heads; ++head) {
        for (std::int64_t dim = 0; dim < c.rotary_dim(); ++dim) {
          const std::size_t at = byte_of(c, flow.out, token, head, c.config.rotary_offset + dim);
          const std::byte* want = &expected[static_cast<std::size_t>(flow.out.buffer)][at];
          std::byte* got = &actual[static_cast<std::size_t>(flow.out.buffer)][at];
          if (std::isnan(decode(load_bits(want, c.type), c.type)) &&
              std::isnan(decode(load_bits(got, c.type), c.type))) {
            std::memcpy(got, want, element_bytes(c));
          }
        }
      }
    }
  }
}

std::string describe(const Side& side) {
  return fmt::format("{{buffer {}, {} heads, strides {} {}, offset {}}}", side.buffer, side.heads, side.token_stride,
                     side.head_stride, side.offset);
}

}  // namespace

std::vector<Flow> flows(const Case& c) {
  std::vector<Flow> list{{c.q, c.q_out.value_or(c.q)}};
  if (c.k) list.push_back({*c.k, c.k_out.value_or(*c.k)});
  return list;
}

std::size_t byte_of(const Case& c, const Side& side, std::int64_t token, std::int64_t head, std::int64_t dim) {
  const std::int64_t element = side.offset + token * side.token_stride + head * side.head_stride + dim;
  return kGuardBytes + static_cast<std::size_t>(element) * element_bytes(c);
}

Images make_images(const Case& c) {
  Images images;
  Random random(c.seed);
  for (const Flow& flow : flows(c)) {
    for (const Side& side : {flow.in, flow.out}) {
      const bool empty = c.tokens == 0 || side.heads == 0;
      const std::size_t end = empty ? kGuardBytes : byte_of(c, side, c.tokens - 1, side.heads - 1, c.config.head_dim);
      auto& image = images[static_cast<std::size_t>(side.buffer)];
      image.resize(std::max(image.size(), end + kGuardBytes));
    }
  }
  for (auto& image : images) {
    for (auto& byte : image) byte = static_cast<std::byte>(random.bits() >> 56);
  }
  for (const Flow& flow : flows(c)) poison_view(c, flow.out, images[static_cast<std::size_t>(flow.out.buffer)]);
  for (const Flow& flow : flows(c)) fill_view(c, flow.in, images[static_cast<std::size_t>(flow.in.buffer)], random);
  return images;
}

PairPlace pair_place(const Case& c, std::int64_t pair, bool output) {
  const std::int64_t r = c.rotary_dim();
  if (output && c.config.output_pairing == OutputPairing::half_split) return {pair, r / 2};
  switch (c.config.pairing) {
    case Pairing::half_split:
      return {pair, r / 2};
    case Pairing::interleaved:
      return {2 * pair, 1};
    case Pairing::blocked:
      break;
  }
  const std::int64_t half = c.config.pair_block / 2;
  return {pair / half * c.config.pair_block + pair % half, half};
}

std::optional<std::int64_t> position_of(const Case& c, std::int64_t token, int axis) {
  std::int64_t position = 0;
  if (c.ids_bytes == 0) {
    if (__builtin_add_overflow(c.start, token, &position)) return std::nullopt;
  } else {
    const std::int64_t stride = c.axis_stride != 0 ? c.axis_stride : c.tokens;
    const std::int64_t row = c.position_axes == 1 ? 0 : axis * stride;
    position = c.ids[static_cast<std::size_t>(row + token)];
    if (c.ids_bytes == 4) position = static_cast<std::int32_t>(position);
  }
  if (position < 0 || position >= c.config.max_positions) return std::nullopt;
  return position;
}

bool is_out_of_range(const Case& c, std::int64_t token) {
  for (int axis = 0; axis < c.config.axes; ++axis) {
    if (!position_of(c, token, axis)) return true;
  }
  return false;
}

std::vector<std::byte> id_bytes(const Case& c) {
  std::vector<std::byte> bytes(c.ids.size() * static_cast<std::size_t>(c.ids_bytes));
  for (std::size_t i = 0; i < c.ids.size() && c.ids_bytes != 0; ++i) {
    const auto narrow = static_cast<std::int32_t>(c.ids[i]);
    const void* from = c.ids_bytes == 4 ? static_cast<const void*>(&narrow) : &c.ids[i];
    std::memcpy(&bytes[i * static_cast<std::size_t>(c.ids_bytes)], from, static_cast<std::size_t>(c.ids_bytes));
  }
  return bytes;
}

CallArguments arguments_of(const Case& c, const std::array<std::byte*, kBuffers>& bases, const void* ids) {
  CallArguments arguments;
  arguments.positions = Positions::from(c.start);
  if (c.ids_bytes == 4) {
    arguments.positions = Positions(static_cast<const std::int32_t*>(ids), c.position_axes, c.axis_stride);
  } else if (c.ids_bytes == 8) {
    arguments.positions = Positions(static_cast<const std::int64_t*>(ids), c.position_axes, c.axis_stride);
  }
  arguments.q = view_of(c, c.q, bases);
  arguments.q_out = view_of(c, c.q_out.value_or(c.q), bases);
  if (c.k) arguments.k = view_of(c, *c.k, bases);
  if (c.k) arguments.k_out = view_of(c, c.k_out.value_or(*c.k), bases);
  return arguments;
}

Result call(const Case& c, const Rope& rope, const std::array<std::byte*, kBuffers>& bases, const void* ids,
            void* stream) {
  const CallArguments arguments = arguments_of(c, bases, ids);
  Apply apply;
  apply.direction = c.direction;
  if (c.q_out) apply.out = &arguments.q_out;
  if (c.k_out) apply.k_out = &arguments.k_out;
  if (!c.k) return apply_rope_device(rope, arguments.q, arguments.positions, stream, apply);
  return apply_position_embeddings_device(rope, arguments.q, arguments.k, arguments.positions, stream, apply);
}

std::array<std::byte*, kBuffers> bases_of(Images& images) {
  std::array<std::byte*, kBuffers> bases{};
  for (std::size_t i = 0; i < bases.size(); ++i) bases[i] = images[i].empty() ? nullptr : images[i].data();
  return bases;
}

Outcome run_cpu(const Case& c, const Rope& rope, Images& images) {
  if (!rope) return {rope.created().status(), rope.created().message()};
  const std::vector<std::byte> ids = id_bytes(c);
  hiprope_position_errors errors{};
  const Result cleared = rope.clear_position_errors();
  const Result result = call(c, rope, bases_of(images), ids.data(), nullptr);
  const Result read = rope.read_position_errors(errors);
  if (!cleared || !read) return {read.status(), "position errors: " + read.message()};
  return {result.status(), result.message(), result.path(), errors.count, errors.first_token};
}

Outcome run_cpu(const Case& c, Images& images) {
  return run_cpu(c, Rope(c.config, Device::cpu()), images);
}

Images expected_images(const Case& c, const Images& before) {
  Images images = before;
  const Outcome outcome = run_cpu(c, images);
  if (outcome.status != hiprope_ok) throw std::runtime_error("the CPU path refused a case: " + outcome.message);
  return images;
}

std::string difference(const Case& c, const Images& expected, const Images& actual) {
  if (expected == actual) return {};
  Images unified = actual;
  unify_nans(c, expected, unified);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto [want, got] =
        std::mismatch(expected[i].begin(), expected[i].end(), unified[i].begin(), unified[i].end());
    if (want == expected[i].end()) continue;
    const auto byte = static_cast<std::int64_t>(want - expected[i].begin()) - static_cast<std::int64_t>(kGuardBytes);
    const auto width = static_cast<std::int64_t>(element_bytes(c));
    const std::int64_t element = (byte >= 0 ? byte : byte - width + 1) / width;
    const auto start = static_cast<std::size_t>(element * width + static_cast<std::int64_t>(kGuardBytes));
    return fmt::format("buffer {} element {}: expected {} (0x{:x}), got {} (0x{:x})", i, element,
                       decode(load_bits(&expected[i][start], c.type), c.type), load_bits(&expected[i][start], c.type),
                       decode(load_bits(&actual[i][start], c.type), c.type), load_bits(&actual[i][start], c.type));
  }
  return {};
}

std::string describe(const Case& c) {
  const RopeConfig& f = c.config;
  std::string text = fmt::format(
      "{}: {} head_dim {} rotary_dim {} offset {} pairing {} pair_block {} output {} base {} max_positions {} axes {} "
      "layout {} sections {} {} {} {} scaling {} angles {}; {} tokens, {}, positions",
      c.name, name_of(c.type), f.head_dim, f.rotary_dim, f.rotary_offset, static_cast<int>(f.pairing), f.pair_block,
      static_cast<int>(f.output_pairing), f.base, f.max_positions, f.axes, static_cast<int>(f.axis_layout),
      f.sections[0], f.sections[1], f.sections[2], f.sections[3], static_cast<int>(f.scaling.type),
      static_cast<int>(f.angles), c.tokens, c.direction == Direction::forward ? "forward" : "inverse");
  if (c.ids_bytes == 0) {
    text += fmt::format(" from {}", c.start);
  } else {
    text += fmt::format(" int{} x {} axes stride {}:", c.ids_bytes * 8, c.position_axes, c.axis_stride);
    for (std::size_t i = 0; i < c.ids.size() && i < 16; ++i) text += fmt::format(" {}", c.ids[i]);
  }
  text += fmt::format("; q {}", describe(c.q));
  if (c.k) text += fmt::format(" k {}", describe(*c.k));
  if (c.q_out) text += fmt::format(" q_out {}", describe(*c.q_out));
  if (c.k_out) text += fmt::format(" k_out {}", describe(*c.k_out));
  return text + fmt::format("; wild {} seed {}", c.wild, c.seed);
}

}  // namespace hiprope::test
