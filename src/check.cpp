// Checks of configs, views and positions, in the order a reader would think of them.
#include "check.h"

#include <cmath>
#include <cstring>

#include "fork.h"
#include "rope.h"
#include "status.h"
#include "views.h"

namespace hiprope::internal {
namespace {

// Highest element index a view may reach, so that byte offsets stay far from overflow.
constexpr std::int64_t kMaxElements = std::int64_t{1} << 58;
constexpr std::int64_t kMaxPositions = std::int64_t{1} << 31;  // kernels number table rows in 32 bits
constexpr std::int32_t kMaxHeadDim = 1 << 16;
constexpr std::int64_t kMaxHeads = (std::int64_t{1} << 31) - 1;

struct NamedTensor {
  const char* name;
  const hiprope_tensor* tensor;
};

hiprope_status check_enum(const char* field, std::int32_t value, std::int32_t last) {
  if (value >= 0 && value <= last) return hiprope_ok;
  return fail(hiprope_error_enum_value, field, " is ", value, ", known values are 0 to ", last);
}

// Whether (count - 1) * stride stays below `limit`.
bool reaches_below(std::int64_t count, std::int64_t stride, std::int64_t limit) {
  return count <= 1 || stride <= limit / (count - 1);
}

hiprope_status check_strides(const NamedTensor& named) {
  const hiprope_tensor& t = *named.tensor;
  if (t.token_stride < 0 || t.head_stride < 0) {
    return fail(hiprope_error_stride, named.name, ".token_stride ", t.token_stride, " and .head_stride ", t.head_stride,
                " must not be negative");
  }
  if (!reaches_below(t.tokens, t.token_stride, kMaxElements) || !reaches_below(t.heads, t.head_stride, kMaxElements)) {
    return fail(hiprope_error_stride, named.name, " reaches past 2^58 elements with token_stride ", t.token_stride,
                " and head_stride ", t.head_stride);
  }
  if (overlaps_itself(t)) {
    return fail(hiprope_error_stride, named.name, " overlaps itself: ", t.tokens, " tokens of stride ", t.token_stride,
                ", ", t.heads, " heads of stride ", t.head_stride, ", head_dim ", t.head_dim);
  }
  return hiprope_ok;
}

hiprope_status check_tensor(const NamedTensor& named, const hiprope_config& config) {
  const hiprope_tensor& t = *named.tensor;
  if (t.data_type < hiprope_f32 || t.data_type > hiprope_bf16) {
    return fail(hiprope_error_enum_value, named.name, ".data_type is ", t.data_type, ", known values are 0 to 2");
  }
  if (t.tokens < 0 || t.heads < 0) {
    return fail(hiprope_error_negative_size, named.name, ".tokens ", t.tokens, " and .heads ", t.heads,
                " must not be negative");
  }
  if (t.heads > kMaxHeads) return fail(hiprope_error_too_large, named.name, ".heads ", t.heads, " exceeds ", kMaxHeads);
  if (t.head_dim != config.head_dim) {
    return fail(hiprope_error_head_dim, named.name, ".head_dim ", t.head_dim, " differs from the config's ",
                config.head_dim);
  }
  if (t.tokens == 0 || t.heads == 0) return hiprope_ok;
  if (t.data == nullptr) return fail(hiprope_error_null_argument, named.name, ".data is null");
  const auto address = reinterpret_cast<std::uintptr_t>(t.data);
  if (address % static_cast<std::uintptr_t>(element_bytes(t.data_type)) != 0) {
    return fail(hiprope_error_alignment, named.name, ".data ", static_cast<std::uint64_t>(address),
                " is not a multiple of its element's ", element_bytes(t.data_type), " bytes");
  }
  return check_strides(named);
}

hiprope_status check_agreement(const NamedTensor& a, const NamedTensor& b, bool same_heads) {
  const hiprope_tensor& x = *a.tensor;
  const hiprope_tensor& y = *b.tensor;
  if (x.data_type != y.data_type) {
    return fail(hiprope_error_data_type, b.name, ".data_type ", y.data_type, " differs from ", a.name, ".data_type ",
                x.data_type);
  }
  if (x.head_dim != y.head_dim) {
    return fail(hiprope_error_head_dim, b.name, ".head_dim ", y.head_dim, " differs from ", a.name, ".head_dim ",
                x.head_dim);
  }
  if (x.tokens != y.tokens) {
    return fail(hiprope_error_shape, b.name, ".tokens ", y.tokens, " differs from ", a.name, ".tokens ", x.tokens);
  }
  if (same_heads && x.heads != y.heads) {
    return fail(hiprope_error_shape, b.name, ".heads ", y.heads, " differs from ", a.name, ".heads ", x.heads);
  }
  return hiprope_ok;
}

hiprope_status check_apart(const NamedTensor& a, const NamedTensor& b) {
  if (!may_overlap(*a.tensor, *b.tensor)) return hiprope_ok;
  return fail(hiprope_error_view_overlap, b.name, " at ", reinterpret_cast<std::uintptr_t>(b.tensor->data),
              " overlaps ", a.name, " at ", reinterpret_cast<std::uintptr_t>(a.tensor->data),
              "; views of one call must be equal or apart");
}

hiprope_status check_output(const hiprope_rope& rope, const NamedTensor& in, const NamedTensor& out) {
  if (const auto status = check_agreement(in, out, true); status != hiprope_ok) return status;
  if (!same_view(*in.tensor, *out.tensor)) return check_apart(in, out);
  if (rope.block_in == rope.block_out || span_of(*in.tensor) == 0) return hiprope_ok;
  return fail(hiprope_error_in_place, in.name,
              " cannot be rotated in place: output_pairing half_split moves elements"
              " between pairs, so ",
              out.name, " must be a view apart from it");
}

// Q and K of one call touch no common element.
hiprope_status check_tensors_apart(const CheckedCall& call, const TensorNames (&names)[2]) {
  const NamedTensor q_in{names[0].in, &call.in[0]};
  const NamedTensor k_in{names[1].in, &call.in[1]};
  const NamedTensor q_out{same_view(call.in[0], call.out[0]) ? names[0].in : names[0].out, &call.out[0]};
  const NamedTensor k_out{same_view(call.in[1], call.out[1]) ? names[1].in : names[1].out, &call.out[1]};
  if (const auto status = check_apart(q_out, k_out); status != hiprope_ok) return status;
  if (const auto status = check_apart(q_out, k_in); status != hiprope_ok) return status;
  return check_apart(q_in, k_out);
}

hiprope_status check_positions(const hiprope_rope& rope, const hiprope_positions* given, std::int64_t tokens,
                               hiprope_positions& positions) {
  if (given == nullptr) return fail(hiprope_error_null_argument, "positions is null");
  constexpr std::size_t smallest = offsetof(hiprope_positions, axis_stride);
  if (const auto status = check_size("positions", given->size, smallest, sizeof(*given)); status != hiprope_ok) {
    return status;
  }
  std::memcpy(&positions, given, given->size);
  if (const auto status = check_enum("positions.type", positions.type, hiprope_position_int64); status != hiprope_ok) {
    return status;
  }
  if (positions.ids == nullptr) return hiprope_ok;
  if (positions.axes == 0) positions.axes = 1;
  const std::int32_t table_axes = rope.frequencies.axes;
  if (positions.axes != 1 && positions.axes != table_axes) {
    return fail(hiprope_error_positions, "positions.axes is ", positions.axes, ", the config needs ", table_axes,
                " or 1 for all of them");
  }
  if (positions.axis_stride == 0) positions.axis_stride = tokens;
  if (positions.axis_stride < tokens && positions.axes > 1) {
    return fail(hiprope_error_positions, "positions.axis_stride ", positions.axis_stride, " is below the ", tokens,
                " tokens of an axis");
  }
  if (!reaches_below(positions.axes, positions.axis_stride, kMaxElements)) {
    return fail(hiprope_error_positions, "positions.axis_stride ", positions.axis_stride, " reaches past 2^58 ids");
  }
  if (positions.axes == 1) positions.axis_stride = 0;
  const std::uintptr_t id_bytes = positions.type == hiprope_position_int64 ? 8 : 4;
  if (reinterpret_cast<std::uintptr_t>(positions.ids) % id_bytes != 0) {
    return fail(hiprope_error_alignment, "positions.ids is not a multiple of ", static_cast<std::uint64_t>(id_bytes),
                " bytes");
  }
  return hiprope_ok;
}

hiprope_status take_tensor(const char* name, const hiprope_tensor* given, const hiprope_config& config,
                           hiprope_tensor& tensor) {
  if (given == nullptr) return fail(hiprope_error_null_argument, name, " is null");
  if (const auto status = check_size(name, given->size, sizeof(*given), sizeof(*given)); status != hiprope_ok) {
    return status;
  }
  tensor = *given;
  if (const auto status = check_tensor({name, &tensor}, config); status != hiprope_ok) return status;
  // The stride of a single token or head leads nowhere; from here on it is 0.
  if (tensor.tokens == 1) tensor.token_stride = 0;
  if (tensor.heads == 1) tensor.head_stride = 0;
  return hiprope_ok;
}

}  // namespace

std::int64_t element_bytes(std::int32_t data_type) {
  return data_type == hiprope_f32 ? 4 : 2;
}

hiprope_status check_size(const char* name, std::size_t size, std::size_t smallest, std::size_t current) {
  // Every struct is aligned to its size field, so no version's size cuts a field.
  if (size >= smallest && size <= current && size % alignof(std::size_t) == 0) return hiprope_ok;
  return fail(hiprope_error_struct_size, name, ".size is ", static_cast<std::uint64_t>(size), ", this version knows ",
              static_cast<std::uint64_t>(smallest), " to ", static_cast<std::uint64_t>(current), " by steps of ",
              static_cast<std::uint64_t>(alignof(std::size_t)), "; set it to sizeof the struct");
}

hiprope_status write_struct(const char* name, void* given, const void* value, std::size_t smallest,
                            std::size_t current) {
  if (given == nullptr) return fail(hiprope_error_null_argument, name, " is null");
  std::size_t size = 0;
  std::memcpy(&size, given, sizeof(size));
  if (const auto status = check_size(name, size, smallest, current); status != hiprope_ok) return status;
  std::memcpy(static_cast<char*>(given) + sizeof(size), static_cast<const char*>(value) + sizeof(size),
              size - sizeof(size));
  return hiprope_ok;
}

hiprope_status check_process() {
  if (watch_forks() == 0) return hiprope_ok;
  return fail(hiprope_error_forked,
              "this process was forked after hiprope was used; GPU contexts and threads do not survive that");
}

hiprope_status check_handle(const hiprope_rope* rope) {
  if (rope == nullptr) return fail(hiprope_error_null_argument, "rope is null");
  if (fork_generation() == 0) return hiprope_ok;
  return fail(hiprope_error_forked,
              "rope was created before this process was forked; create Ropes in the child only"
              " after exec");
}

hiprope_status check_config(const hiprope_config* given, hiprope_config& config) {
  if (given == nullptr) return fail(hiprope_error_null_argument, "config is null");
  constexpr std::size_t smallest = offsetof(hiprope_config, scaling);
  if (const auto status = check_size("config", given->size, smallest, sizeof(config)); status != hiprope_ok) {
    return status;
  }
  config = {};
  std::memcpy(&config, given, given->size);
  config.size = sizeof(config);

  struct EnumField {
    const char* name;
    std::int32_t value;
    std::int32_t last;
  };
  const EnumField enum_fields[] = {
      {"config.pairing", config.pairing, hiprope_blocked},
      {"config.output_pairing", config.output_pairing, hiprope_output_half_split},
      {"config.angles", config.angles, hiprope_angles_float32},
      {"config.scaling.type", config.scaling.type, hiprope_scaling_custom},
      {"config.axis_layout", config.axis_layout, hiprope_axes_custom},
      {"config.frequency_layout", config.frequency_layout, hiprope_frequencies_strided},
  };
  for (const EnumField& field : enum_fields) {
    if (const auto status = check_enum(field.name, field.value, field.last); status != hiprope_ok) return status;
  }

  const std::int32_t d = config.head_dim;
  if (d < 2 || d > kMaxHeadDim) {
    return fail(hiprope_error_head_dim, "config.head_dim is ", d, ", must be 2 to ", kMaxHeadDim);
  }
  if (config.rotary_offset < 0 || config.rotary_offset >= d) {
    return fail(hiprope_error_rotary_dim, "config.rotary_offset ", config.rotary_offset, " is outside head_dim ", d);
  }
  if (config.rotary_dim == 0) config.rotary_dim = d - config.rotary_offset;
  const std::int32_t r = config.rotary_dim;
  if (r < 2 || r % 2 != 0 || r > d - config.rotary_offset) {
    return fail(hiprope_error_rotary_dim, "config.rotary_dim ", r, " must be even, at least 2 and at most head_dim ", d,
                " less rotary_offset ", config.rotary_offset);
  }
  const std::int32_t b = config.pair_block;
  if (config.pairing == hiprope_blocked ? b < 2 || b % 2 != 0 || r % b != 0 : b != 0) {
    return fail(hiprope_error_pairing, "config.pair_block ", b,
                config.pairing == hiprope_blocked ? " must be even and divide rotary_dim "
                                                  : " belongs to pairing blocked, rotary_dim ",
                r);
  }
  if (config.output_pairing == hiprope_output_half_split && config.pairing != hiprope_interleaved) {
    return fail(hiprope_error_pairing, "config.output_pairing half_split needs pairing interleaved, not ",
                config.pairing);
  }
  if (config.base == 0.0) config.base = 10000.0;
  if (!std::isfinite(config.base) || config.base <= 0.0) {
    return fail(hiprope_error_base, "config.base is ", config.base, ", must be finite and above 0");
  }
  if (config.max_positions < 1 || config.max_positions > kMaxPositions) {
    return fail(hiprope_error_max_positions, "config.max_positions is ", config.max_positions, ", must be 1 to ",
                kMaxPositions);
  }
  if (config.axes == 0) config.axes = 1;
  if (config.axes < 1 || config.axes > 4) {
    return fail(hiprope_error_axes, "config.axes is ", config.axes, ", must be 1 to 4");
  }
  return hiprope_ok;
}

hiprope_status check_call(const hiprope_rope* rope, const TensorNames (&names)[2], const hiprope_tensor* x,
                          const hiprope_tensor* k, const hiprope_positions* positions,
                          const hiprope_apply_options* options, CheckedCall& call) {
  if (const auto status = check_handle(rope); status != hiprope_ok) return status;
  hiprope_apply_options chosen = {};
  if (options != nullptr) {
    constexpr std::size_t smallest = offsetof(hiprope_apply_options, k_out);
    if (const auto status = check_size("options", options->size, smallest, sizeof(chosen)); status != hiprope_ok) {
      return status;
    }
    std::memcpy(&chosen, options, options->size);
    if (const auto status = check_enum("options.direction", chosen.direction, hiprope_inverse); status != hiprope_ok) {
      return status;
    }
  }
  call.direction = chosen.direction;
  call.path = chosen.path;
  call.tensors = k != nullptr ? 2 : 1;
  const hiprope_tensor* const inputs[2] = {x, k};
  const hiprope_tensor* const outputs[2] = {chosen.out, chosen.k_out};
  if (k == nullptr && chosen.k_out != nullptr) {
    return fail(hiprope_error_null_argument, names[1].in, " is null but options.k_out is given");
  }
  for (int i = 0; i < call.tensors; ++i) {
    const NamedTensor in{names[i].in, &call.in[i]};
    const NamedTensor out{names[i].out, &call.out[i]};
    auto status = take_tensor(in.name, inputs[i], rope->config, call.in[i]);
    if (status != hiprope_ok) return status;
    call.out[i] = call.in[i];
    if (outputs[i] != nullptr) status = take_tensor(out.name, outputs[i], rope->config, call.out[i]);
    if (status != hiprope_ok) return status;
    if (status = check_output(*rope, in, out); status != hiprope_ok) return status;
    call.in_place = call.in_place && same_view(call.in[i], call.out[i]);
  }
  if (call.tensors == 2) {
    const NamedTensor q{names[0].in, &call.in[0]};
    if (const auto status = check_agreement(q, {names[1].in, &call.in[1]}, false); status != hiprope_ok) return status;
    if (const auto status = check_tensors_apart(call, names); status != hiprope_ok) return status;
    if (call.in[0].heads + call.in[1].heads > kMaxHeads) {
      return fail(hiprope_error_too_large, names[0].in, ".heads and ", names[1].in, ".heads together exceed ",
                  kMaxHeads);
    }
  }
  return check_positions(*rope, positions, call.in[0].tokens, call.positions);
}

}  // namespace hiprope::internal
