// One call of the library as data: config, views inside fenced buffers, positions; and what any path makes of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "hiprope/hiprope.hpp"
#include "tests/support/element.h"

namespace hiprope::test {

constexpr int kBuffers = 4;
constexpr std::size_t kGuardBytes = 256;

// One tensor of a call. Element (t, h, d) is offset + t * token_stride + h * head_stride + d of its buffer, in
// elements.
struct Side {
  int buffer = 0;
  std::int64_t heads = 1;
  std::int64_t token_stride = 0;
  std::int64_t head_stride = 0;
  std::int64_t offset = 0;
};

struct Case {
  std::string name;
  RopeConfig config;
  DataType type = DataType::f32;
  std::int64_t tokens = 1;
  Side q;
  std::optional<Side> k, q_out, k_out;  // without an output the tensor is rotated in place
  Direction direction = Direction::forward;
  int ids_bytes = 8;  // 0: contiguous from `start`
  std::int64_t start = 0;
  std::vector<std::int64_t> ids;  // [position_axes][axis_stride, or tokens when that is 0]
  std::int32_t position_axes = 1;
  std::int64_t axis_stride = 0;
  bool wild = false;  // inputs are any bits: NaN, infinities, denormals, extremes
  std::uint64_t seed = 1;

  std::int32_t rotary_dim() const {
    return config.rotary_dim != 0 ? config.rotary_dim : config.head_dim - config.rotary_offset;
  }
  std::int64_t element_count() const { return tokens * (q.heads + (k ? k->heads : 0)) * config.head_dim; }
};

// The bytes of a case's buffers, each with kGuardBytes of random bytes before and after; unused buffers are empty.
using Images = std::array<std::vector<std::byte>, kBuffers>;

struct Outcome {
  hiprope_status status = hiprope_ok;
  std::string message;
  Path path = Path::none;
  std::uint64_t out_of_range = 0;
  std::int64_t first_out_of_range = -1;
};

// Input, and output where it is written, of every tensor of the case.
struct Flow {
  Side in, out;
};
std::vector<Flow> flows(const Case& c);

// Byte of element (token, head, dim) in its buffer's image.
std::size_t byte_of(const Case& c, const Side& side, std::int64_t token, std::int64_t head, std::int64_t dim);

// Random inputs, guards and gaps; outputs hold a finite pattern no input has.
Images make_images(const Case& c);

// Element of pair j's first half, and the distance to its partner, counted from rotary_offset.
struct PairPlace {
  std::int64_t first;
  std::int64_t distance;
};
PairPlace pair_place(const Case& c, std::int64_t pair, bool output);

// Position of a token on an axis, by the contract: start + t, or the id.
std::optional<std::int64_t> position_of(const Case& c, std::int64_t token, int axis);  // nothing: outside the table
bool is_out_of_range(const Case& c, std::int64_t token);

// What the library is given; the k views are unused without k.
struct CallArguments {
  TensorView q, k, q_out, k_out;
  Positions positions;
};
CallArguments arguments_of(const Case& c, const std::array<std::byte*, kBuffers>& bases, const void* ids);

// The library's call for the case; bases[i] is where buffer i's image lies, ids where the ids lie, in their own width.
Result call(const Case& c, const Rope& rope, const std::array<std::byte*, kBuffers>& bases, const void* ids,
            void* stream);
std::vector<std::byte> id_bytes(const Case& c);
// Where images lie in host memory; null for an unused one.
std::array<std::byte*, kBuffers> bases_of(Images& images);

// Runs the case on a Rope of the CPU device, in `images`.
Outcome run_cpu(const Case& c, Images& images);
Outcome run_cpu(const Case& c, const Rope& rope, Images& images);
// What the CPU path makes of the case, which it must accept.
Images expected_images(const Case& c, const Images& before);

// Empty, or the first byte by which two results differ. Any NaN equals any NaN where a rotation wrote it.
std::string difference(const Case& c, const Images& expected, const Images& actual);

std::string describe(const Case& c);

}  // namespace hiprope::test
