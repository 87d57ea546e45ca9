// Runs one model's calls on the device under test and on the CPU, and keeps what each run showed.
#include "tools/verify.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>

#include "tests/support/gpu_memory.h"
#include "tests/support/random.h"
#include "tools/tool_error.h"

namespace hiprope::tools {
namespace {

using test::Case;
using test::DeviceBuffer;
using test::Graph;
using test::Images;
using test::Outcome;
using test::Side;
using test::Stream;

Rope create(const Model& model, Device device) {
  Rope rope(model.config, device);
  if (!rope)
    refuse("cannot create the Rope of {}: {} ({})", model.name, rope.created().message(), rope.created().name());
  return rope;
}

std::vector<Call> distinct_calls(const Model& model) {
  std::vector<Call> calls;
  for (const Function function : {Function::rope_q, Function::rope_k, Function::position_embeddings}) {
    for (const bool in_place : {true, false}) {
      // A config that rewrites the pair layout cannot be applied in place.
      if (in_place && model.config.output_pairing != OutputPairing::as_input) continue;
      for (const Direction direction : {Direction::forward, Direction::inverse}) {
        calls.push_back({function, in_place, direction, false});
      }
    }
  }
  return calls;
}

Side side_of(const TensorLayout& layout, int buffer) {
  return {buffer, layout.heads, layout.row, layout.head_stride, layout.first};
}

// In place only the rotary part of a head moves.
std::uint64_t touched_bytes(const Case& c) {
  const std::int64_t heads = c.q.heads + (c.k ? c.k->heads : 0);
  const std::int64_t dim = c.q_out ? c.config.head_dim : c.rotary_dim();
  return static_cast<std::uint64_t>(2 * c.tokens * heads * dim * test::format_of(c.type).bytes);
}

// A case's buffers and ids on one device, which may be the CPU.
class Memory {
 public:
  Memory(const Case& c, const Images& images, int device) : stream_(device) {
    const std::vector<std::byte> ids = test::id_bytes(c);
    ids_ = DeviceBuffer(device, ids.size());
    ids_.upload(ids);
    for (std::size_t i = 0; i < images.size(); ++i) {
      if (images[i].empty()) continue;
      buffers_[i] = DeviceBuffer(device, images[i].size());
      buffers_[i].upload(images[i]);
    }
  }

  Result call(const Case& c, const Rope& rope) const {
    std::array<std::byte*, test::kBuffers> bases{};
    for (std::size_t i = 0; i < bases.size(); ++i) bases[i] = buffers_[i].data();
    return test::call(c, rope, bases, ids_.data(), stream_.handle());
  }

  void download(Images& images) const {
    for (std::size_t i = 0; i < images.size(); ++i) {
      std::ranges::fill(images[i], std::byte{0xFF});
      buffers_[i].download(images[i]);
    }
  }

  const Stream& stream() const { return stream_; }

 private:
  Stream stream_;
  std::array<DeviceBuffer, test::kBuffers> buffers_;
  DeviceBuffer ids_;
};

}  // namespace

Case case_of(const Model& model, const Call& call, DataType type, std::int64_t tokens, std::uint64_t seed) {
  Case c;
  c.name = model.name;
  c.config = model.config;
  c.type = type;
  c.tokens = tokens;
  c.direction = call.direction;
  c.seed = seed;
  c.wild = call.direction == Direction::inverse;
  c.ids_bytes = c.wild ? 4 : 8;
  c.position_axes = model.config.axes;
  c.q = side_of(call.function == Function::rope_k ? model.k : model.q, 0);
  if (call.function == Function::position_embeddings) c.k = side_of(model.k, model.packed ? 0 : 1);
  if (!call.in_place) {
    c.q_out = c.q;
    c.q_out->buffer += 2;
    c.k_out = c.k;
    if (c.k_out) c.k_out->buffer += 2;
  }
  // The last position of the model and 0 are among them.
  test::Random random(seed);
  for (std::int64_t i = 0; i < tokens * model.config.axes; ++i) {
    c.ids.push_back(random.between(0, model.config.max_positions - 1));
  }
  if (tokens > 0) c.ids.front() = model.config.max_positions - 1;
  if (tokens > 1) c.ids[1] = 0;
  return c;
}

const char* name_of(Function function) {
  constexpr std::array<const char*, 3> names{"apply_rope_device (q)", "apply_rope_device (k)",
                                             "apply_position_embeddings_device"};
  return names[static_cast<std::size_t>(function)];
}

Verifier::Verifier(const Model& model, Device device)
    : model_(model), device_(device), rope_(create(model, device)), cpu_rope_(create(model, Device::cpu())) {}

RunResult Verifier::run(const Case& c, const Call& call) const {
  const Images before = test::make_images(c);
  const Memory memory(c, before, device_.ordinal);
  Result status;
  const auto work = [&] { status = memory.call(c, rope_); };
  std::optional<Graph> graph;
  if (call.replayed) graph.emplace(memory.stream(), work);
  RunResult result{call, Path::none, {}, false, 0, touched_bytes(c)};
  const auto start = std::chrono::steady_clock::now();
  if (graph) {
    graph->launch(memory.stream());
  } else {
    work();
  }
  memory.stream().synchronize();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  result.path = status.path();

  Images after = before;
  memory.download(after);
  result.verdict = test::judge(c, before, after);
  Images on_cpu = before;
  const Outcome cpu = test::run_cpu(c, cpu_rope_, on_cpu);
  const std::string difference = test::difference(c, on_cpu, after);
  result.bitwise_equal_cpu = difference.empty();

  const auto expected = static_cast<Path>(rope_.info().path);
  hiprope_position_errors errors{};
  const Result read = rope_.read_position_errors(errors, memory.stream().handle());
  std::string& failure = result.verdict.failure;
  if (!status) {
    failure = std::string("the call failed: ") + status.message();
  } else if (cpu.status != hiprope_ok) {
    failure = "the CPU path failed: " + cpu.message;
  } else if (failure.empty() && result.path != expected) {
    failure = fmt::format("the call took the path {}, the Rope's is {}", to_string(result.path), to_string(expected));
  } else if (failure.empty() && (!read || errors.count != 0)) {
    failure = fmt::format("{} positions were counted as outside the table", errors.count);
  } else if (failure.empty() && !result.bitwise_equal_cpu) {
    failure = "bits differ from the CPU path's: " + difference;
  }
  return result;
}

std::vector<RunResult> Verifier::verify(DataType type, std::int64_t tokens, std::uint64_t seed) const {
  const bool on_gpu = rope_.info().path == hiprope_path_gpu;
  std::vector<RunResult> results;
  for (Call call : distinct_calls(model_)) {
    const Case c = case_of(model_, call, type, tokens, seed);
    for (const bool replayed : {false, true}) {
      if (replayed && !on_gpu) continue;
      call.replayed = replayed;
      results.push_back(run(c, call));
    }
  }
  return results;
}

}  // namespace hiprope::tools
