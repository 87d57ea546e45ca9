// Packing a checked call for the CPU path, and staging GPU tensors through host memory.
#include "fallback.h"

#include <memory>
#include <new>

#include "cpu/rotate.h"
#include "rope.h"
#include "status.h"

namespace hiprope::internal {
namespace {

HostCall host_call(const hiprope_rope& rope, const CheckedCall& call) {
  HostCall host;
  host.data_type = call.in[0].data_type;
  host.head_dim = rope.config.head_dim;
  host.rotary_dim = rope.config.rotary_dim;
  host.rotary_offset = rope.config.rotary_offset;
  host.block_in = rope.block_in;
  host.block_out = rope.block_out;
  host.sin_sign = call.direction == hiprope_inverse ? -1.0F : 1.0F;
  host.table = rope.host_table.get();
  host.axis_of_pair = rope.frequencies.axis_of_pair.get();
  host.ids = call.positions.ids;
  host.ids_bytes = call.positions.type == hiprope_position_int64 ? 8 : 4;
  host.axes = rope.frequencies.axes;
  host.axis_stride = call.positions.axis_stride;
  host.start = call.positions.start;
  host.max_positions = rope.config.max_positions;
  host.tokens = call.in[0].tokens;
  return host;
}

HostTensor host_tensor(const hiprope_tensor& in, const hiprope_tensor& out) {
  return {in.data, out.data, in.heads, in.token_stride, in.head_stride, out.token_stride, out.head_stride};
}

void count_out_of_range(const hiprope_rope& rope, const RefusedTokens& found) {
  if (found.count == 0) return;
  rope.counters.out_of_range.fetch_add(found.count, std::memory_order_relaxed);
  store_min(rope.counters.first_out_of_range, static_cast<std::uint64_t>(found.first));
}

using HostBytes = std::unique_ptr<char[]>;

hiprope_status allocate(std::int64_t bytes, HostBytes& memory) {
  memory.reset(new (std::nothrow) char[static_cast<std::size_t>(bytes)]);
  if (memory != nullptr) return hiprope_ok;
  return fail(hiprope_error_out_of_host_memory, "the CPU fallback could not allocate ", bytes, " bytes for staging");
}

// A part [first, first + dim) of every head, between a strided device view and its packed copy [tokens, heads, D].
struct Staging {
  const hiprope_rope& rope;
  void* stream;

  hiprope_status copy(const hiprope_tensor& view, char* packed, std::int32_t first, std::int32_t dim,
                      bool to_host) const {
    const std::int64_t bytes = element_bytes(view.data_type);
    const std::int64_t packed_head = view.head_dim;
    const std::int64_t packed_token = view.heads * packed_head;
    // Rows of one pitch in both places go in one copy; otherwise the smaller count is looped over.
    const bool one_pitch = view.tokens == 1 || view.token_stride == view.heads * view.head_stride;
    const bool loop_heads = !one_pitch && view.heads <= view.tokens;
    const std::int64_t loops = one_pitch ? 1 : (loop_heads ? view.heads : view.tokens);
    const std::int64_t rows = view.tokens * view.heads / loops;
    const std::int64_t pitch = loop_heads ? view.token_stride : view.head_stride;
    const std::int64_t packed_pitch = loop_heads ? packed_token : packed_head;
    for (std::int64_t i = 0; i < loops; ++i) {
      const std::int64_t from = i * (loop_heads ? view.head_stride : view.token_stride) + first;
      const std::int64_t packed_from = i * (loop_heads ? packed_head : packed_token) + first;
      const gpu::Rows device{static_cast<char*>(view.data) + from * bytes, static_cast<std::size_t>(pitch * bytes)};
      const gpu::Rows host{packed + packed_from * bytes, static_cast<std::size_t>(packed_pitch * bytes)};
      const auto row_bytes = static_cast<std::size_t>(dim * bytes);
      const auto count = static_cast<std::size_t>(rows);
      const auto status = to_host ? gpu::copy_rows_to_host(*rope.gpu_state, host, device, row_bytes, count, stream)
                                  : gpu::copy_rows_to_device(*rope.gpu_state, device, host, row_bytes, count, stream);
      if (status != hiprope_ok) return status;
    }
    auto& counter = to_host ? rope.counters.bytes_device_to_host : rope.counters.bytes_host_to_device;
    counter.fetch_add(static_cast<std::uint64_t>(view.tokens * view.heads * dim * bytes), std::memory_order_relaxed);
    return hiprope_ok;
  }
};

// Copies queued on a stream; waits for them before the host memory they use is freed, even when a call ends early.
class QueuedCopies {
 public:
  QueuedCopies(const hiprope_rope& rope, void* stream, const char* what) : rope_(rope), stream_(stream), what_(what) {}
  QueuedCopies(const QueuedCopies&) = delete;
  QueuedCopies& operator=(const QueuedCopies&) = delete;
  ~QueuedCopies() {
    if (!done_) (void)wait();
  }
  [[nodiscard]] hiprope_status wait() {
    const auto status = gpu::wait(*rope_.gpu_state, stream_, what_);
    done_ = status == hiprope_ok;
    return status;
  }

 private:
  const hiprope_rope& rope_;
  void* stream_;
  const char* what_;
  bool done_ = false;
};

hiprope_status stage_ids(const hiprope_rope& rope, HostCall& host, std::int32_t rows, HostBytes& ids, void* stream) {
  if (host.ids == nullptr) return hiprope_ok;
  const std::int64_t row_bytes = host.tokens * host.ids_bytes;
  if (const auto status = allocate(rows * row_bytes, ids); status != hiprope_ok) return status;
  const auto pitch = static_cast<std::size_t>(rows > 1 ? host.axis_stride * host.ids_bytes : row_bytes);
  const gpu::Rows device{const_cast<char*>(static_cast<const char*>(host.ids)), pitch};
  const gpu::Rows packed{ids.get(), static_cast<std::size_t>(row_bytes)};
  const auto status = gpu::copy_rows_to_host(*rope.gpu_state, packed, device, static_cast<std::size_t>(row_bytes),
                                             static_cast<std::size_t>(rows), stream);
  if (status != hiprope_ok) return status;
  rope.counters.bytes_device_to_host.fetch_add(static_cast<std::uint64_t>(rows * row_bytes), std::memory_order_relaxed);
  host.ids = ids.get();
  host.axis_stride = rows > 1 ? host.tokens : 0;
  return hiprope_ok;
}

}  // namespace

hiprope_status run_on_cpu(const hiprope_rope& rope, const CheckedCall& call) {
  const HostTensor tensors[2] = {host_tensor(call.in[0], call.out[0]), host_tensor(call.in[1], call.out[1])};
  count_out_of_range(rope, rotate_on_host(host_call(rope, call), tensors, call.tensors));
  rope.counters.cpu_calls.fetch_add(1, std::memory_order_relaxed);
  return hiprope_ok;
}

hiprope_status run_through_host(const hiprope_rope& rope, const CheckedCall& call, void* stream) {
  bool capturing = false;
  if (const auto status = gpu::is_capturing(*rope.gpu_state, stream, capturing); status != hiprope_ok) return status;
  if (capturing) {
    return fail(hiprope_error_capturing,
                "the CPU fallback has to wait for the stream while it, or a stream that waits for it, is captured (",
                static_cast<const char*>(rope.kernels.reason), ")");
  }
  const Staging staging{rope, stream};
  HostCall host = host_call(rope, call);
  HostBytes ids;
  HostBytes packed[2];
  HostTensor tensors[2];
  QueuedCopies to_host(rope, stream, "waiting for the copies to the host");
  if (const auto status = stage_ids(rope, host, call.positions.axes, ids, stream); status != hiprope_ok) return status;

  const std::int64_t dim = rope.config.head_dim;
  for (int i = 0; i < call.tensors; ++i) {
    const hiprope_tensor& in = call.in[i];
    const std::int64_t elements = in.tokens * in.heads * dim;
    // Out of place with rewritten pairs needs two copies; one serves otherwise.
    const bool apart = rope.block_in != rope.block_out;
    const std::int64_t bytes = elements * element_bytes(in.data_type);
    if (elements == 0) continue;
    if (const auto status = allocate(apart ? 2 * bytes : bytes, packed[i]); status != hiprope_ok) return status;
    const auto status = staging.copy(in, packed[i].get(), 0, rope.config.head_dim, true);
    if (status != hiprope_ok) return status;
    tensors[i] = {
        packed[i].get(), packed[i].get() + (apart ? bytes : 0), in.heads, in.heads * dim, dim, in.heads * dim, dim};
  }
  if (const auto status = to_host.wait(); status != hiprope_ok) return status;

  count_out_of_range(rope, rotate_on_host(host, tensors, call.tensors));

  QueuedCopies to_device(rope, stream, "waiting for the copies to the GPU (the output may be partly written)");
  for (int i = 0; i < call.tensors; ++i) {
    if (call.in[i].heads == 0) continue;
    // In place only the rotary part goes back, so that pass-through elements are never written.
    const bool in_place = call.in[i].data == call.out[i].data;
    const std::int32_t first = in_place ? rope.config.rotary_offset : 0;
    const std::int32_t part = in_place ? rope.config.rotary_dim : rope.config.head_dim;
    const auto status = staging.copy(call.out[i], static_cast<char*>(tensors[i].out), first, part, false);
    if (status != hiprope_ok) return status;
  }
  if (const auto status = to_device.wait(); status != hiprope_ok) return status;
  rope.counters.fallbacks.fetch_add(1, std::memory_order_relaxed);
  return hiprope_ok;
}

}  // namespace hiprope::internal
