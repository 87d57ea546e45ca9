// What `hiprope bench` measures: shapes, and where the tensors of one case lie in the memory all cases share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "hiprope/hiprope.hpp"

namespace hiprope::tools {

struct BenchShape {
  std::string name;
  std::int64_t heads = 32;
  std::int64_t kv_heads = 0;                       // 0: one tensor, apply_rope_device
  std::int64_t token_stride = 0, head_stride = 0;  // of Q, in elements; 0: dense. K is dense
  RopeConfig config;
};

const std::vector<BenchShape>& bench_shapes();

enum class BenchPositions {
  random,      // each token's, on each axis its own
  text,        // each token's random, the same on every axis, as M-RoPE has them for text
  image,       // of a square image at a random place: one on the first axis, rows on the second, columns on the others
  sequential,  // from 0, computed by the kernel
};

struct BenchCase {
  BenchShape shape;
  DataType type = DataType::bf16;
  std::int64_t tokens = 1;
  bool out_of_place = false;
  Direction direction = Direction::forward;
  bool cold = true;
  BenchPositions positions = BenchPositions::random;
  std::size_t id_bytes = 8;  // of a position, 4 or 8

  std::int64_t element_bytes() const { return type == DataType::f32 ? 4 : 2; }
  // Elements of a head that a call reads and writes.
  std::int64_t head_elements() const { return out_of_place ? shape.config.head_dim : shape.config.rotary_dim; }
  // Of Q and K as a call reads them, and again as it writes them.
  std::size_t tensor_bytes() const;
};

// Q, K and their outputs of one set; several sets lie behind each other.
class BenchSets {
 public:
  BenchSets(const BenchCase& bench_case, void* arena);

  std::size_t set_bytes() const { return set_bytes_; }
  // Set 0 is where a case is checked.
  TensorView q(std::int64_t set) const { return view(set, 0, false); }
  TensorView k(std::int64_t set) const { return view(set, q_bytes_, true); }
  TensorView q_out(std::int64_t set) const { return view(set, out_of_place_ ? q_bytes_ + k_bytes_ : 0, false); }
  TensorView k_out(std::int64_t set) const {
    return view(set, (out_of_place_ ? q_bytes_ + k_bytes_ : 0) + q_bytes_, true);
  }
  bool has_k() const { return k_view_.heads > 0; }

 private:
  TensorView view(std::int64_t set, std::size_t offset, bool of_k) const;

  TensorView q_view_, k_view_;
  std::size_t q_bytes_, k_bytes_, set_bytes_;
  bool out_of_place_;
};

// Elements from a view's first to behind its last.
std::int64_t span_of(const hiprope_tensor& view);

const char* type_name(DataType type);

}  // namespace hiprope::tools
