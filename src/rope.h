// The handle: what a Rope knows of its config and its device, unchanged after creation but for its counters.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "config/frequencies.h"
#include "config/table.h"
#include "gpu/gpu.h"
#include "hiprope/hiprope.h"
#include "launch.h"
#include "tuning.h"

namespace hiprope::internal {

struct StateCloser {
  void operator()(gpu::State* state) const { gpu::close(state); }
};

struct Counters {
  std::atomic<std::uint64_t> launches{0};
  std::atomic<std::uint64_t> cpu_calls{0};
  std::atomic<std::uint64_t> fallbacks{0};
  std::atomic<std::uint64_t> table_uploads{0};
  std::atomic<std::uint64_t> bytes_host_to_device{0};
  std::atomic<std::uint64_t> bytes_device_to_host{0};
  // Tokens out of range on the CPU; a GPU counts in words of its own.
  std::atomic<std::uint64_t> out_of_range{0};
  std::atomic<std::uint64_t> first_out_of_range{~std::uint64_t{0}};
};

}  // namespace hiprope::internal

struct hiprope_rope {
  hiprope_config config = {};  // defaults filled in; its pointers are not kept
  hiprope::internal::Frequencies frequencies;
  hiprope::Layout layout = hiprope::Layout::half_split;
  std::int32_t block_in = 0;   // B of the pairs read
  std::int32_t block_out = 0;  // B of the pairs written
  std::int32_t device = hiprope_device_cpu;
  std::int32_t path = hiprope_path_cpu;
  std::int32_t compute_units = 0;
  hiprope::internal::gpu::KernelSupport kernels;  // of a Rope on a GPU
  char architecture[64] = "cpu";
  bool log_calls = false;
  hiprope::internal::Tuning tuning = {};  // what HIPROPE_TUNING sets
  std::uint64_t table_bytes = 0;
  hiprope::internal::Table host_table;  // where the CPU does the work
  std::unique_ptr<hiprope::internal::gpu::State, hiprope::internal::StateCloser> gpu_state;
  hiprope::internal::gpu::DeviceTables device_tables;
  mutable hiprope::internal::Counters counters;
};
