// What `hiprope bench` measures: a model's call, and where the tensors of the layer around it lie.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "hiprope/hiprope.hpp"
#include "tools/models.h"

namespace hiprope::tools {

// The model as it is measured: with positions below 131072, and Q, K and V as heads of one row unless it is latent.
Model measured_model(const Model& model);
// As many times the weights as `hidden_size` is the model's.
void set_hidden_size(Model& model, std::int64_t hidden_size);
// Sections in the proportion of Qwen2-VL's 16, 24 and 24 pairs for three axes; even ones otherwise.
void set_axes(RopeConfig& config, std::int32_t axes);

enum class BenchPositions {
  by_tokens,   // random up to kDecodeTokens, sequential above
  random,      // each token's, on each axis its own
  text,        // each token's random, the same on every axis, as M-RoPE has them for text
  image,       // of a square image at a random place: one on the first axis, rows on the second, columns on the others
  sequential,  // from 0, the same on every axis
};
inline constexpr std::int64_t kDecodeTokens = 256;

struct BenchCase {
  Model model;
  DataType type = DataType::bf16;
  std::int64_t tokens = 1;
  bool out_of_place = false;
  Direction direction = Direction::forward;
  BenchPositions positions = BenchPositions::random;
  std::size_t id_bytes = 8;  // of a position, 4 or 8; 0: the call counts from the first, without ids

  std::int64_t element_bytes() const { return type == DataType::f32 ? 4 : 2; }
  std::int64_t rotary_dim() const {
    const RopeConfig& config = model.config;
    return config.rotary_dim > 0 ? config.rotary_dim : config.head_dim - config.rotary_offset;
  }
  // Elements of a head that a call reads and writes.
  std::int64_t head_elements() const { return out_of_place ? model.config.head_dim : rotary_dim(); }
  // Bytes of Q and K that a call reads; it writes as many.
  std::size_t tensor_bytes() const;
  bool has_k() const { return model.k.heads > 0; }
};

// Rows of bytes, `stride` apart.
struct Region {
  void* data;
  std::int64_t rows, row_bytes, stride;
};

// Q, K and V as the projection leaves them, and the outputs where a call is out of place. Layers take turns through
// kSets of them, as an allocator hands them out.
class BenchBuffers {
 public:
  static constexpr std::int64_t kSets = 2;

  BenchBuffers(const BenchCase& bench_case, void* arena);

  std::size_t bytes() const { return static_cast<std::size_t>(kSets) * set_bytes_; }
  std::size_t input_bytes() const { return input_bytes_; }
  void* input(std::int64_t set) const { return place(set, false); }
  TensorView q(std::int64_t set) const { return moved(q_, set, false); }
  TensorView k(std::int64_t set) const { return moved(k_, set, false); }
  TensorView q_out(std::int64_t set) const { return moved(q_, set, out_of_place_); }
  TensorView k_out(std::int64_t set) const { return moved(k_, set, out_of_place_); }
  // Q and K as what stands behind the call reads them; `rotated`: of the outputs.
  Region region(std::int64_t set, bool rotated) const;

 private:
  void* place(std::int64_t set, bool of_outputs) const;
  TensorView moved(TensorView view, std::int64_t set, bool of_outputs) const;

  std::byte* arena_;
  TensorView q_, k_;  // of set 0
  std::size_t input_bytes_, set_bytes_;
  Region region_;
  bool out_of_place_;
};

// Elements from a view's first to behind its last.
std::int64_t span_of(const hiprope_tensor& view);

const char* type_name(DataType type);
const char* positions_name(BenchPositions positions);

}  // namespace hiprope::tools
