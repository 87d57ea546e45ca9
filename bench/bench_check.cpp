// Holds outputs against the CPU path, the CPU path against float64, and touch against what it claims to do.
#include "bench/bench_check.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "tools/tool_error.h"
#include "tools/verify.h"

namespace hiprope::tools {
namespace {

constexpr std::int64_t kCheckedTokens = 512;  // of each of three ranges
constexpr std::int64_t kOracleTokens = 8, kOraclePositions = 4096;

// A host copy of what a range of tokens takes of the inputs or outputs, gaps and all: the rows of Q, K and V, or those
// of Q and of K.
class HostRange {
 public:
  HostRange(const CheckedMemory& memory, bool of_outputs, std::int64_t first, std::int64_t count) {
    const BenchBuffers& buffers = memory.buffers;
    q = range_of(of_outputs ? buffers.q_out(0) : buffers.q(0), first, count);
    k = range_of(of_outputs ? buffers.k_out(0) : buffers.k(0), first, count);
    const std::int64_t size = memory.bench_case.element_bytes();
    if (memory.bench_case.model.packed) {
      copy(memory.arena, q.data, count * q.token_stride * size);
    } else {
      copy(memory.arena, q.data, span_of(q) * size);
      copy(memory.arena, k.data, span_of(k) * size);
    }
    const std::byte* const q_start = static_cast<std::byte*>(q.data);
    const auto behind_q = static_cast<const std::byte*>(k.data) - q_start;
    q.data = parts_.front().data();
    k.data = parts_.back().data() + (memory.bench_case.model.packed ? behind_q : 0);
  }
  bool operator==(const HostRange& other) const { return parts_ == other.parts_; }

  TensorView q, k;  // data in the copy

 private:
  static TensorView range_of(TensorView view, std::int64_t first, std::int64_t count) {
    const std::int64_t size = view.data_type == hiprope_f32 ? 4 : 2;
    view.data = static_cast<std::byte*>(view.data) + first * view.token_stride * size;
    view.tokens = count;
    return view;
  }
  void copy(const DeviceBuffer& arena, const void* from, std::int64_t bytes) {
    parts_.emplace_back(static_cast<std::size_t>(bytes));
    arena.download(parts_.back(), static_cast<std::size_t>(static_cast<const std::byte*>(from) -
                                                           static_cast<const std::byte*>(arena.data())));
  }

  std::vector<std::vector<std::byte>> parts_;
};

std::vector<std::int64_t> first_tokens(const BenchCase& bench_case, const TensorView& q) {
  // Where tokens lie between each other's heads, those of a range are not a run of bytes.
  const bool whole = bench_case.tokens <= 3 * kCheckedTokens || q.token_stride < (q.heads - 1) * q.head_stride;
  if (whole) return {0};
  const std::int64_t last = bench_case.tokens - kCheckedTokens;
  return {0, last / 2, last};
}

// Turns the sign of what a call writes, from `source` to `expected`.
void negate(const BenchCase& bench_case, const TensorView& source, const TensorView& expected) {
  const std::int64_t size = bench_case.element_bytes();
  const std::int64_t from = bench_case.out_of_place ? 0 : bench_case.model.config.rotary_offset;
  for (std::int64_t token = 0; token < source.tokens; ++token) {
    for (std::int64_t head = 0; head < source.heads; ++head) {
      const std::int64_t start = (token * source.token_stride + head * source.head_stride + from) * size;
      const std::int64_t bytes = bench_case.head_elements() * size;
      auto* const out = static_cast<std::byte*>(expected.data) + start;
      std::memmove(out, static_cast<const std::byte*>(source.data) + start, static_cast<std::size_t>(bytes));
      for (std::int64_t sign = size - 1; sign < bytes; sign += size) out[sign] ^= std::byte{0x80};
    }
  }
}

}  // namespace

void require(const Result& result, const BenchCase& bench_case) {
  if (result) return;
  refuse("{}, {} tokens: {} ({})", bench_case.model.name, bench_case.tokens, result.message(), result.name());
}

void check_bits(const CheckedMemory& memory, const Rope& reference, const LayerCall& call) {
  const auto& [bench_case, buffers, arena, positions, device] = memory;
  const std::vector<std::int64_t> firsts = first_tokens(bench_case, buffers.q(0));
  const std::int64_t count = firsts.size() == 1 ? bench_case.tokens : kCheckedTokens;
  std::vector<HostRange> expected;
  for (const std::int64_t first : firsts) {
    const HostRange in(memory, false, first, count);
    const HostRange& out = expected.emplace_back(memory, true, first, count);
    const Positions ids = positions.empty()
                              ? Positions::from(first)
                              : Positions(positions.data() + first, bench_case.model.config.axes, bench_case.tokens);
    const Apply apply{&out.q, bench_case.has_k() ? &out.k : nullptr, bench_case.direction};
    const TensorView& q = bench_case.out_of_place ? in.q : out.q;
    const TensorView& k = bench_case.out_of_place ? in.k : out.k;
    require(bench_case.has_k() ? apply_position_embeddings_cpu(reference, q, k, ids, apply)
                               : apply_rope_cpu(reference, q, ids, apply),
            bench_case);
  }
  call.enqueue(0);
  device.synchronize();
  for (std::size_t i = 0; i < firsts.size(); ++i) {
    if (HostRange(memory, true, firsts[i], count) == expected[i]) continue;
    refuse("{} {} {}, {} tokens: {} differs from the CPU path's bits in tokens {} to {}", bench_case.model.name,
           type_name(bench_case.type), bench_case.out_of_place ? "out of place" : "in place", bench_case.tokens,
           call.name, firsts[i], firsts[i] + count - 1);
  }
}

void check_cpu_path(const BenchCase& bench_case, std::uint64_t seed) {
  RopeConfig config = bench_case.model.config;
  config.max_positions = std::min(config.max_positions, kOraclePositions);
  const Model& model = bench_case.model;
  const Verifier verifier(separate_model(model.name, config, model.q.heads, std::max<std::int64_t>(model.k.heads, 1)),
                          Device::cpu());
  for (const RunResult& result : verifier.verify(bench_case.type, kOracleTokens, seed)) {
    if (!result.passed()) refuse("{}: the CPU path is wrong: {}", model.name, result.verdict.failure);
  }
}

void check_touch(const CheckedMemory& memory, const LayerCall& touch) {
  const BenchCase& bench_case = memory.bench_case;
  const std::int64_t count = std::min(bench_case.tokens, kCheckedTokens), first = bench_case.tokens - count;
  // The CPU's touch works on the outputs alone.
  const HostRange source(memory, memory.device.stream() == nullptr, first, count);
  const HostRange expected(memory, true, first, count);
  negate(bench_case, source.q, expected.q);
  if (bench_case.has_k()) negate(bench_case, source.k, expected.k);
  touch.enqueue(0);
  memory.device.synchronize();
  if (HostRange(memory, true, first, count) == expected) return;
  refuse("{}, {} tokens: touch is wrong", bench_case.model.name, bench_case.tokens);
}

}  // namespace hiprope::tools
