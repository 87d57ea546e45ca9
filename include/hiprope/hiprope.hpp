// The C++17 interface of hiprope: value types and one call per operation, a thin header-only layer over hiprope.h.
//
// Nothing here throws except std::bad_alloc from the std::vectors of a RopeConfig. Statuses, shapes, units and what a
// bad argument does are documented at the C declaration each function calls.
#ifndef HIPROPE_HPP
#define HIPROPE_HPP

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "hiprope/hiprope.h"

namespace hiprope {

enum class DataType : std::int32_t { f32 = hiprope_f32, f16 = hiprope_f16, bf16 = hiprope_bf16 };
enum class Pairing : std::int32_t {
  half_split = hiprope_half_split,
  interleaved = hiprope_interleaved,
  blocked = hiprope_blocked
};
enum class OutputPairing : std::int32_t { as_input = hiprope_output_as_input, half_split = hiprope_output_half_split };
enum class Angles : std::int32_t { exact = hiprope_angles_exact, float32 = hiprope_angles_float32 };
enum class ScalingType : std::int32_t {
  none = hiprope_scaling_default,
  linear = hiprope_scaling_linear,
  dynamic = hiprope_scaling_dynamic,
  ntk = hiprope_scaling_ntk,
  yarn = hiprope_scaling_yarn,
  longrope = hiprope_scaling_longrope,
  llama3 = hiprope_scaling_llama3,
  proportional = hiprope_scaling_proportional,
  custom = hiprope_scaling_custom
};
enum class AxisLayout : std::int32_t {
  chunked = hiprope_axes_chunked,
  interleaved = hiprope_axes_interleaved,
  ernie = hiprope_axes_ernie,
  round_robin = hiprope_axes_round_robin,
  rarest_first = hiprope_axes_rarest_first,
  custom = hiprope_axes_custom
};
enum class FrequencyLayout : std::int32_t {
  continuous = hiprope_frequencies_continuous,
  restart = hiprope_frequencies_restart,
  strided = hiprope_frequencies_strided
};
enum class Direction : std::int32_t { forward = hiprope_forward, inverse = hiprope_inverse };
enum class Fallback : std::int32_t { allow = hiprope_fallback_allow, forbid = hiprope_fallback_forbid };
enum class Path : std::int32_t {
  none = hiprope_path_none,
  gpu = hiprope_path_gpu,
  cpu = hiprope_path_cpu,
  cpu_fallback = hiprope_path_cpu_fallback
};

inline const char* to_string(Path path) {
  constexpr std::array<const char*, 4> names{"none", "gpu", "cpu", "cpu_fallback"};
  return names[static_cast<std::size_t>(path)];
}

// Scaling of the frequencies; zero and empty select hiprope_scaling's defaults. Fields as in hiprope_scaling.
struct Scaling {
  ScalingType type = ScalingType::none;
  bool truncate = true;
  std::int32_t active_pairs = 0;
  double factor = 0, alpha = 0, mixed_b = 0;
  double low_freq_factor = 0, high_freq_factor = 0;
  double beta_fast = 0, beta_slow = 0, extrapolation_factor = 0;
  double attention_factor = 0, attn_factor = 0, mscale = 0, mscale_all_dim = 0, mscale_coefficient = 0;
  std::int64_t original_max_positions = 0, sequence_length = 0;
  double short_mscale = 0, long_mscale = 0;
  std::vector<double> short_factor, long_factor, inv_freq, freq_factors;
};

// What a checkpoint says about its rotary embedding. Fields as in hiprope_config.
struct RopeConfig {
  std::int32_t head_dim = 0;
  std::int32_t rotary_dim = 0;  // 0: all of the head after rotary_offset
  std::int32_t rotary_offset = 0;
  double base = 10000.0;
  std::int64_t max_positions = 0;
  Pairing pairing = Pairing::half_split;
  std::int32_t pair_block = 0;
  OutputPairing output_pairing = OutputPairing::as_input;
  Angles angles = Angles::exact;
  Scaling scaling;
  std::int32_t axes = 1;
  AxisLayout axis_layout = AxisLayout::chunked;
  FrequencyLayout frequency_layout = FrequencyLayout::continuous;
  std::array<std::int32_t, 4> sections{};
  std::vector<std::uint8_t> axis_of_pair;

  // The C struct; its pointers live as long as this object is unchanged. Lists of different lengths are kept apart by
  // their own check: a list whose length differs from the first non-empty one is reported as length -1.
  hiprope_config to_c() const;
};

// A status as a value: true when it is success. message() is the sentence of the call that made it.
class [[nodiscard]] Result {
 public:
  Result() = default;
  explicit Result(hiprope_status status, Path path = Path::none)
      : status_(status), path_(path), message_(status == hiprope_ok ? "" : hiprope_last_error()) {}
  explicit operator bool() const { return status_ == hiprope_ok; }
  hiprope_status status() const { return status_; }
  const char* name() const { return hiprope_status_name(status_); }
  const std::string& message() const { return message_; }
  Path path() const { return path_; }  // which path ran

 private:
  hiprope_status status_ = hiprope_ok;
  Path path_ = Path::none;
  std::string message_;
};

// Where a Rope lives.
struct Device {
  std::int32_t ordinal;
  static constexpr Device cpu() { return {hiprope_device_cpu}; }
  static constexpr Device gpu(std::int32_t ordinal = 0) { return {ordinal}; }
};

// Owns a hiprope_rope. Not copyable; safe to use from many threads and streams.
class Rope {
 public:
  Rope() = default;
  explicit Rope(const RopeConfig& config, Device device = Device::gpu(), Fallback fallback = Fallback::allow) {
    const hiprope_config c_config = config.to_c();
    created_ = Result(hiprope_create(&c_config, device.ordinal, static_cast<std::int32_t>(fallback), &rope_));
  }
  Rope(Rope&& other) noexcept : rope_(std::exchange(other.rope_, nullptr)), created_(std::move(other.created_)) {}
  Rope& operator=(Rope&& other) noexcept {
    std::swap(rope_, other.rope_);
    std::swap(created_, other.created_);
    return *this;
  }
  Rope(const Rope&) = delete;
  Rope& operator=(const Rope&) = delete;
  ~Rope() { hiprope_destroy(rope_); }

  explicit operator bool() const { return rope_ != nullptr; }
  const Result& created() const { return created_; }  // why, when the Rope is false
  hiprope_rope* get() const { return rope_; }

  hiprope_rope_info info() const {
    hiprope_rope_info info{};
    info.size = sizeof(info);
    if (hiprope_get_rope_info(rope_, &info) != hiprope_ok) info = {};
    return info;
  }
  hiprope_stats stats() const {
    hiprope_stats stats{};
    stats.size = sizeof(stats);
    if (hiprope_get_stats(rope_, &stats) != hiprope_ok) stats = {};
    return stats;
  }
  Result read_position_errors(hiprope_position_errors& errors, void* stream = nullptr) const {
    errors = {};
    errors.size = sizeof(errors);
    return Result(hiprope_read_position_errors(rope_, stream, &errors));
  }
  Result clear_position_errors(void* stream = nullptr) const {
    return Result(hiprope_clear_position_errors(rope_, stream));
  }

 private:
  hiprope_rope* rope_ = nullptr;
  Result created_;
};

// A view [tokens, heads, head_dim]; see hiprope_tensor.
struct TensorView : hiprope_tensor {
  TensorView() : hiprope_tensor{} { size = sizeof(hiprope_tensor); }
  TensorView(void* pointer, DataType type, std::int64_t token_count, std::int64_t head_count, std::int32_t dim,
             std::int64_t stride_of_token, std::int64_t stride_of_head)
      : TensorView() {
    data = pointer;
    data_type = static_cast<std::int32_t>(type);
    tokens = token_count;
    heads = head_count;
    head_dim = dim;
    token_stride = stride_of_token;
    head_stride = stride_of_head;
  }

  // [tokens, heads, head_dim], contiguous; a batch [B, S, H, D] is B * S tokens.
  static TensorView thd(void* data, DataType type, std::int64_t tokens, std::int64_t heads, std::int32_t head_dim) {
    return {data, type, tokens, heads, head_dim, heads * head_dim, head_dim};
  }
  // [heads, tokens, head_dim], contiguous.
  static TensorView htd(void* data, DataType type, std::int64_t tokens, std::int64_t heads, std::int32_t head_dim) {
    return {data, type, tokens, heads, head_dim, head_dim, tokens * head_dim};
  }
  // Heads first_head .. first_head + heads - 1 of rows of row_heads heads: Q or K inside packed QKV.
  static TensorView packed(void* data, DataType type, std::int64_t tokens, std::int64_t row_heads,
                           std::int64_t first_head, std::int64_t heads, std::int32_t head_dim) {
    return thd(data, type, tokens, row_heads, head_dim).head_range(first_head, heads);
  }

  TensorView head_range(std::int64_t first_head, std::int64_t count) const {
    return moved(first_head * head_stride, count, head_dim);
  }
  // Elements first .. first + dim - 1 of every head: the rotary part of DeepSeek's Q is dim_range(128, 64).
  TensorView dim_range(std::int32_t first, std::int32_t dim) const { return moved(first, heads, dim); }

 private:
  TensorView moved(std::int64_t elements, std::int64_t head_count, std::int32_t dim) const {
    TensorView view = *this;
    const std::int64_t element_bytes = data_type == hiprope_f32 ? 4 : 2;
    if (data != nullptr) view.data = static_cast<char*>(data) + elements * element_bytes;
    view.heads = head_count;
    view.head_dim = dim;
    return view;
  }
};

// Position ids; see hiprope_positions. `axes` rows of `axis_stride` (0: tokens) ids each.
struct Positions : hiprope_positions {
  Positions() : hiprope_positions{} { size = sizeof(hiprope_positions); }
  explicit Positions(const std::int64_t* device_ids, std::int32_t axis_count = 1, std::int64_t stride_of_axis = 0)
      : Positions() {
    ids = device_ids;
    type = hiprope_position_int64;
    axes = axis_count;
    axis_stride = stride_of_axis;
  }
  explicit Positions(const std::int32_t* device_ids, std::int32_t axis_count = 1, std::int64_t stride_of_axis = 0)
      : Positions() {
    ids = device_ids;
    type = hiprope_position_int32;
    axes = axis_count;
    axis_stride = stride_of_axis;
  }
  // Token t has position first + t.
  static Positions from(std::int64_t first) {
    Positions positions;
    hiprope_positions& fields = positions;
    fields.start = first;
    return positions;
  }
};

// Output views and direction of a call; the default is in place, forward.
struct Apply {
  const TensorView* out = nullptr;
  const TensorView* k_out = nullptr;
  Direction direction = Direction::forward;
};

namespace detail {
template <typename Call>
Result with_options(const Apply& apply, const Call& call) {
  std::int32_t path = hiprope_path_none;
  hiprope_apply_options options{};
  options.size = sizeof(options);
  options.out = apply.out;
  options.k_out = apply.k_out;
  options.direction = static_cast<std::int32_t>(apply.direction);
  options.path = &path;
  const hiprope_status status = call(&options);
  return Result(status, static_cast<Path>(path));
}
}  // namespace detail

// Rotates one tensor where it lies, or into apply.out.
inline Result apply_rope_device(const Rope& rope, const TensorView& x, const Positions& positions,
                                void* stream = nullptr, const Apply& apply = {}) {
  return detail::with_options(apply, [&](const hiprope_apply_options* options) {
    return hiprope_apply_rope_device(rope.get(), &x, &positions, options, stream);
  });
}
inline Result apply_q_device(const Rope& rope, const TensorView& q, const Positions& positions, void* stream = nullptr,
                             const Apply& apply = {}) {
  return apply_rope_device(rope, q, positions, stream, apply);
}
inline Result apply_k_device(const Rope& rope, const TensorView& k, const Positions& positions, void* stream = nullptr,
                             const Apply& apply = {}) {
  return apply_rope_device(rope, k, positions, stream, apply);
}
// Rotates Q and K in one launch.
inline Result apply_position_embeddings_device(const Rope& rope, const TensorView& q, const TensorView& k,
                                               const Positions& positions, void* stream = nullptr,
                                               const Apply& apply = {}) {
  return detail::with_options(apply, [&](const hiprope_apply_options* options) {
    return hiprope_apply_position_embeddings_device(rope.get(), &q, &k, &positions, options, stream);
  });
}
// The same on host memory, for a Rope on Device::cpu().
inline Result apply_rope_cpu(const Rope& rope, const TensorView& x, const Positions& positions,
                             const Apply& apply = {}) {
  return detail::with_options(apply, [&](const hiprope_apply_options* options) {
    return hiprope_apply_rope_cpu(rope.get(), &x, &positions, options);
  });
}
inline Result apply_position_embeddings_cpu(const Rope& rope, const TensorView& q, const TensorView& k,
                                            const Positions& positions, const Apply& apply = {}) {
  return detail::with_options(apply, [&](const hiprope_apply_options* options) {
    return hiprope_apply_position_embeddings_cpu(rope.get(), &q, &k, &positions, options);
  });
}

inline hiprope_config RopeConfig::to_c() const {
  hiprope_config c{};
  c.size = sizeof(c);
  c.head_dim = head_dim;
  c.rotary_dim = rotary_dim;
  c.rotary_offset = rotary_offset;
  c.pairing = static_cast<std::int32_t>(pairing);
  c.pair_block = pair_block;
  c.output_pairing = static_cast<std::int32_t>(output_pairing);
  c.angles = static_cast<std::int32_t>(angles);
  c.axes = axes;
  c.max_positions = max_positions;
  c.base = base;
  c.axis_layout = static_cast<std::int32_t>(axis_layout);
  c.frequency_layout = static_cast<std::int32_t>(frequency_layout);
  for (std::size_t axis = 0; axis < sections.size(); ++axis) c.sections[axis] = sections[axis];
  c.axis_of_pair_count = static_cast<std::int32_t>(axis_of_pair.size());
  c.axis_of_pair = axis_of_pair.empty() ? nullptr : axis_of_pair.data();

  hiprope_scaling& s = c.scaling;
  s.type = static_cast<std::int32_t>(scaling.type);
  s.no_truncate = scaling.truncate ? 0 : 1;
  s.active_pairs = scaling.active_pairs;
  s.factor = scaling.factor;
  s.alpha = scaling.alpha;
  s.mixed_b = scaling.mixed_b;
  s.low_freq_factor = scaling.low_freq_factor;
  s.high_freq_factor = scaling.high_freq_factor;
  s.beta_fast = scaling.beta_fast;
  s.beta_slow = scaling.beta_slow;
  s.extrapolation_factor = scaling.extrapolation_factor;
  s.attention_factor = scaling.attention_factor;
  s.attn_factor = scaling.attn_factor;
  s.mscale = scaling.mscale;
  s.mscale_all_dim = scaling.mscale_all_dim;
  s.mscale_coefficient = scaling.mscale_coefficient;
  s.original_max_positions = scaling.original_max_positions;
  s.sequence_length = scaling.sequence_length;
  s.short_mscale = scaling.short_mscale;
  s.long_mscale = scaling.long_mscale;
  for (const auto& [list, field] :
       {std::pair{&scaling.short_factor, &s.short_factor}, std::pair{&scaling.long_factor, &s.long_factor},
        std::pair{&scaling.inv_freq, &s.inv_freq}, std::pair{&scaling.freq_factors, &s.freq_factors}}) {
    if (list->empty()) continue;
    const auto count = static_cast<std::int32_t>(list->size());
    s.factor_count = s.factor_count == 0 || s.factor_count == count ? count : -1;
    *field = list->data();
  }
  return c;
}

}  // namespace hiprope

#endif
