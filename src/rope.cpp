// Making, describing and freeing a Rope.
#include "rope.h"

#include <cstring>
#include <new>

#include "check.h"
#include "config/table.h"
#include "fork.h"
#include "log.h"
#include "status.h"

namespace hiprope::internal {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

void choose_layout(hiprope_rope& rope) {
  const hiprope_config& config = rope.config;
  rope.block_in = config.pairing == hiprope_blocked ? config.pair_block : config.rotary_dim;
  if (config.pairing == hiprope_interleaved) rope.block_in = 2;
  const bool rewrites = config.output_pairing == hiprope_output_half_split;
  rope.block_out = rewrites ? config.rotary_dim : rope.block_in;
  if (rope.block_in == 2) {
    rope.layout = rope.block_out == 2 ? Layout::interleaved : Layout::interleaved_to_half_split;
  }
}

// Opens the GPU and decides, once, whether calls run there or through the host.
hiprope_status open_gpu(hiprope_rope& rope, std::int32_t fallback, bool hidden) {
  hiprope_device_info info = {};
  info.size = sizeof(info);
  if (const auto status = hiprope_get_device_info(rope.device, &info); status != hiprope_ok) return status;
  std::memcpy(rope.architecture, info.architecture, sizeof(rope.architecture));
  rope.compute_units = info.compute_units;

  gpu::State* state = nullptr;
  const auto status = gpu::open(rope.device, state, rope.kernels);
  rope.gpu_state.reset(state);
  if (status != hiprope_ok) return status;
  if (hidden) rope.kernels = {false, "HIPROPE_HIDE_CODE_OBJECTS is set"};
  rope.path = rope.kernels.usable ? hiprope_path_gpu : hiprope_path_cpu_fallback;
  if (rope.kernels.usable || fallback == hiprope_fallback_allow) return hiprope_ok;
  return fail(hiprope_error_no_code_object, "GPU ", rope.device, " (", static_cast<const char*>(rope.architecture),
              ") cannot run the kernels and fallback is forbidden: ", static_cast<const char*>(rope.kernels.reason));
}

hiprope_status upload_table(hiprope_rope& rope, const Table& table) {
  const auto* const axis = rope.frequencies.axis_of_pair.get();
  const std::uint64_t axis_bytes = axis != nullptr ? static_cast<std::uint64_t>(rope.frequencies.pairs) : 0;
  const auto status =
      gpu::upload(*rope.gpu_state, {table.get(), rope.table_bytes}, {axis, axis_bytes}, rope.device_tables);
  if (status != hiprope_ok) return status;
  rope.counters.table_uploads.fetch_add(1, kRelaxed);
  rope.counters.bytes_host_to_device.fetch_add(rope.table_bytes + axis_bytes, kRelaxed);
  return hiprope_ok;
}

hiprope_status fill(hiprope_rope& rope, const hiprope_config* given, std::int32_t device, std::int32_t fallback) {
  if (const auto status = check_process(); status != hiprope_ok) return status;
  if (const auto status = check_config(given, rope.config); status != hiprope_ok) return status;
  if (fallback != hiprope_fallback_allow && fallback != hiprope_fallback_forbid) {
    return fail(hiprope_error_enum_value, "fallback is ", fallback, ", known values are 0 to 1");
  }
  if (const auto status = read_log_setting(rope.log_calls); status != hiprope_ok) return status;
  if (const auto status = read_tuning_override(rope.tuning); status != hiprope_ok) return status;
  bool hidden = false;
  if (const auto status = read_switch("HIPROPE_HIDE_CODE_OBJECTS", hidden); status != hiprope_ok) return status;
  if (const auto status = resolve_frequencies(rope.config, rope.frequencies); status != hiprope_ok) return status;
  rope.table_bytes = table_bytes(rope.config.max_positions, rope.frequencies.pairs);
  if (rope.table_bytes == 0) {
    return fail(hiprope_error_max_positions, "config.max_positions ", rope.config.max_positions,
                " makes a table too large to address");
  }
  choose_layout(rope);
  rope.device = device;
  if (device != hiprope_device_cpu) {
    if (const auto status = open_gpu(rope, fallback, hidden); status != hiprope_ok) return status;
  }
  Table table;
  const auto status = make_table(rope.frequencies, rope.config.max_positions, rope.config.angles, table);
  if (status != hiprope_ok) return status;
  if (rope.path == hiprope_path_gpu) return upload_table(rope, table);
  rope.host_table = std::move(table);
  return hiprope_ok;
}

}  // namespace
}  // namespace hiprope::internal

using namespace hiprope::internal;

hiprope_status hiprope_create(const hiprope_config* config, int32_t device, int32_t fallback, hiprope_rope** rope) {
  if (rope == nullptr) return fail(hiprope_error_null_argument, "rope is null");
  *rope = nullptr;
  std::unique_ptr<hiprope_rope> made(new (std::nothrow) hiprope_rope);
  if (made == nullptr) return fail(hiprope_error_out_of_host_memory, "no host memory for a Rope");
  const auto status = fill(*made, config, device, fallback);
  if (status == hiprope_ok) *rope = made.release();
  return status;
}

void hiprope_destroy(hiprope_rope* rope) {
  // The GPU is the parent's: a forked child only lets go of it.
  if (rope != nullptr && fork_generation() != 0) (void)rope->gpu_state.release();
  delete rope;
}

hiprope_status hiprope_get_stats(const hiprope_rope* rope, hiprope_stats* stats) {
  if (const auto status = check_handle(rope); status != hiprope_ok) return status;
  const Counters& counters = rope->counters;
  const hiprope_stats now = {
      .size = sizeof(now),
      .launches = counters.launches.load(kRelaxed),
      .cpu_calls = counters.cpu_calls.load(kRelaxed),
      .fallbacks = counters.fallbacks.load(kRelaxed),
      .table_uploads = counters.table_uploads.load(kRelaxed),
      .bytes_host_to_device = counters.bytes_host_to_device.load(kRelaxed),
      .bytes_device_to_host = counters.bytes_device_to_host.load(kRelaxed),
  };
  return write_struct("stats", stats, &now, sizeof(now), sizeof(now));
}

hiprope_status hiprope_read_position_errors(const hiprope_rope* rope, void* stream, hiprope_position_errors* errors) {
  if (const auto status = check_handle(rope); status != hiprope_ok) return status;
  std::uint64_t words[2] = {0, ~std::uint64_t{0}};
  if (rope->path == hiprope_path_gpu) {
    bool capturing = false;
    if (const auto status = gpu::is_capturing(*rope->gpu_state, stream, capturing); status != hiprope_ok) return status;
    if (capturing)
      return fail(hiprope_error_capturing,
                  "position errors cannot be read on a stream while it, or a stream that waits for it, is captured");
    if (const auto status = gpu::read_out_of_range(*rope->gpu_state, stream, words); status != hiprope_ok)
      return status;
    rope->counters.bytes_device_to_host.fetch_add(sizeof(words), kRelaxed);
  } else {
    words[0] = rope->counters.out_of_range.load(kRelaxed);
    words[1] = rope->counters.first_out_of_range.load(kRelaxed);
  }
  const hiprope_position_errors now = {
      .size = sizeof(now), .count = words[0], .first_token = words[0] == 0 ? -1 : static_cast<std::int64_t>(words[1])};
  return write_struct("errors", errors, &now, sizeof(now), sizeof(now));
}

hiprope_status hiprope_clear_position_errors(const hiprope_rope* rope, void* stream) {
  if (const auto status = check_handle(rope); status != hiprope_ok) return status;
  if (rope->path == hiprope_path_gpu) return gpu::clear_out_of_range(*rope->gpu_state, stream);
  rope->counters.out_of_range.store(0, kRelaxed);
  rope->counters.first_out_of_range.store(~std::uint64_t{0}, kRelaxed);
  return hiprope_ok;
}

hiprope_status hiprope_get_rope_info(const hiprope_rope* rope, hiprope_rope_info* info) {
  if (const auto status = check_handle(rope); status != hiprope_ok) return status;
  const hiprope_rope_info facts = {
      .size = sizeof(facts),
      .device = rope->device,
      .path = rope->path,
      .head_dim = rope->config.head_dim,
      .rotary_dim = rope->config.rotary_dim,
      .rotary_offset = rope->config.rotary_offset,
      .axes = rope->frequencies.axes,
      .max_positions = rope->config.max_positions,
      .table_bytes = rope->table_bytes,
      .attention_scaling = rope->frequencies.attention_scaling,
      .softmax_scale = rope->frequencies.softmax_scale,
      .architecture = rope->architecture,
      .fallback_reason = rope->kernels.reason,
  };
  return write_struct("info", info, &facts, sizeof(facts), sizeof(facts));
}

hiprope_status hiprope_frequencies(const hiprope_config* config, hiprope_frequency_report* report) {
  hiprope_config checked;
  if (const auto status = check_config(config, checked); status != hiprope_ok) return status;
  if (report == nullptr) return fail(hiprope_error_null_argument, "report is null");
  if (const auto status = check_size("report", report->size, sizeof(*report), sizeof(*report)); status != hiprope_ok) {
    return status;
  }
  const std::int32_t pairs = checked.rotary_dim / 2;
  if ((report->inv_freq != nullptr || report->axis_of_pair != nullptr) && report->capacity < pairs) {
    return fail(hiprope_error_too_large, "report.capacity ", report->capacity, " is below the ", pairs, " pairs");
  }
  Frequencies found;
  if (const auto status = resolve_frequencies(checked, found); status != hiprope_ok) return status;
  for (std::int32_t pair = 0; pair < pairs; ++pair) {
    const auto index = static_cast<std::size_t>(pair);
    if (report->inv_freq != nullptr) report->inv_freq[pair] = found.inv_freq[index];
    if (report->axis_of_pair != nullptr) {
      report->axis_of_pair[pair] = found.axis_of_pair != nullptr ? found.axis_of_pair[index] : std::uint8_t{0};
    }
  }
  report->pairs = pairs;
  report->attention_scaling = found.attention_scaling;
  report->softmax_scale = found.softmax_scale;
  report->effective_base = found.effective_base;
  return hiprope_ok;
}
