// Any bytes as a config, tensors and positions of one call on the CPU: it is refused with a status, or stays within
// the tensors it was given.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <string_view>
#include <vector>

#include "hiprope/hiprope.h"

namespace {

constexpr std::int64_t kMostPositions = 512;
constexpr std::int64_t kMostElements = 1 << 16;
constexpr std::int32_t kListed = 96;  // entries of each list a config points to

void require(bool holds) {
  if (!holds) std::abort();
}

void require_explained(hiprope_status status) {
  require(status < hiprope_ok);
  require(std::string_view(hiprope_status_name(status)).starts_with("hiprope_error_"));
  require(!std::string_view(hiprope_last_error()).empty());
}

// The input as a source of numbers; zeros when it is used up.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  std::uint8_t byte() { return next_ < size_ ? data_[next_++] : 0; }
  // Mostly small numbers, at times any.
  std::int64_t number() {
    const std::uint8_t choice = byte();
    if (choice < 200) return choice - 8;
    std::uint64_t bits = 0;
    for (int i = 0; i < 8; ++i) bits = bits << 8 | byte();
    return static_cast<std::int64_t>(bits);
  }
  double real() {
    const std::int64_t value = number();
    if (value > -1000 && value < 1000) return static_cast<double>(value) / 8;
    double bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    return bits;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_, next_ = 0;
};

enum class Kind { int32, int64, real };

struct Field {
  std::size_t offset;
  Kind kind;
};

#define CONFIG(name, kind) {offsetof(hiprope_config, name), Kind::kind}
constexpr Field kConfigFields[] = {CONFIG(head_dim, int32),
                                   CONFIG(rotary_dim, int32),
                                   CONFIG(rotary_offset, int32),
                                   CONFIG(pairing, int32),
                                   CONFIG(pair_block, int32),
                                   CONFIG(output_pairing, int32),
                                   CONFIG(angles, int32),
                                   CONFIG(axes, int32),
                                   CONFIG(max_positions, int64),
                                   CONFIG(base, real),
                                   CONFIG(axis_layout, int32),
                                   CONFIG(frequency_layout, int32),
                                   CONFIG(sections[0], int32),
                                   CONFIG(sections[1], int32),
                                   CONFIG(sections[2], int32),
                                   CONFIG(sections[3], int32),
                                   CONFIG(axis_of_pair_count, int32),
                                   CONFIG(size, int64),
                                   CONFIG(scaling.type, int32),
                                   CONFIG(scaling.no_truncate, int32),
                                   CONFIG(scaling.active_pairs, int32),
                                   CONFIG(scaling.factor_count, int32),
                                   CONFIG(scaling.factor, real),
                                   CONFIG(scaling.alpha, real),
                                   CONFIG(scaling.mixed_b, real),
                                   CONFIG(scaling.low_freq_factor, real),
                                   CONFIG(scaling.high_freq_factor, real),
                                   CONFIG(scaling.beta_fast, real),
                                   CONFIG(scaling.beta_slow, real),
                                   CONFIG(scaling.extrapolation_factor, real),
                                   CONFIG(scaling.attention_factor, real),
                                   CONFIG(scaling.attn_factor, real),
                                   CONFIG(scaling.mscale, real),
                                   CONFIG(scaling.mscale_all_dim, real),
                                   CONFIG(scaling.mscale_coefficient, real),
                                   CONFIG(scaling.original_max_positions, int64),
                                   CONFIG(scaling.sequence_length, int64),
                                   CONFIG(scaling.short_mscale, real),
                                   CONFIG(scaling.long_mscale, real)};
#undef CONFIG

#define TENSOR(name, kind) {offsetof(hiprope_tensor, name), Kind::kind}
constexpr Field kTensorFields[] = {TENSOR(data_type, int32), TENSOR(head_dim, int32),     TENSOR(tokens, int64),
                                   TENSOR(heads, int64),     TENSOR(token_stride, int64), TENSOR(head_stride, int64),
                                   TENSOR(size, int64)};
#undef TENSOR

template <std::size_t count>
void edit(Input& input, void* record, const Field (&fields)[count]) {
  for (int edits = input.byte() % 12; edits > 0; --edits) {
    const Field field = fields[input.byte() % count];
    char* const at = static_cast<char*>(record) + field.offset;
    if (field.kind == Kind::real) {
      const double value = input.real();
      std::memcpy(at, &value, sizeof(value));
    } else {
      const std::int64_t value = input.number();
      std::memcpy(at, &value, field.kind == Kind::int32 ? 4 : 8);
    }
  }
}

// Elements from a view's data to its last one; more than kMostElements where that, or any size, is not sane.
std::int64_t span_of(const hiprope_tensor& view) {
  constexpr std::int64_t kTooMany = kMostElements + 1;
  const auto bounded = [](std::int64_t value) { return value >= 0 && value <= kMostElements; };
  if (!bounded(view.tokens) || !bounded(view.heads) || !bounded(view.head_dim)) return kTooMany;
  if (view.tokens == 0 || view.heads == 0) return 0;
  if (view.tokens > 1 && !bounded(view.token_stride)) return kTooMany;
  if (view.heads > 1 && !bounded(view.head_stride)) return kTooMany;
  const std::int64_t span = (view.tokens > 1 ? (view.tokens - 1) * view.token_stride : 0) +
                            (view.heads > 1 ? (view.heads - 1) * view.head_stride : 0) + view.head_dim;
  return std::min(span, kTooMany);
}

struct Tensors {
  hiprope_tensor in, out;
  std::unique_ptr<std::byte[]> memory;  // as large as the two views reach, so that AddressSanitizer guards its end
};

Tensors make_tensors(Input& input, const hiprope_config& config, std::int64_t tokens) {
  Tensors tensors{};
  hiprope_tensor& view = tensors.in;
  view = {sizeof(view),   nullptr, hiprope_bf16, config.head_dim, tokens, 2, 2 * std::int64_t{config.head_dim},
          config.head_dim};
  edit(input, &view, kTensorFields);
  tensors.out = view;
  edit(input, &tensors.out, kTensorFields);
  const std::size_t element = view.data_type == hiprope_f32 ? 4 : 2;
  const auto in_bytes = static_cast<std::size_t>(span_of(view)) * element;
  const auto out_bytes = static_cast<std::size_t>(span_of(tensors.out)) * element;
  // The output lies behind the input, or anywhere upon it.
  const std::size_t apart = input.byte() % 2 == 0 ? in_bytes : std::min<std::size_t>(in_bytes, input.byte());
  const std::size_t bytes = std::max(in_bytes, apart + out_bytes);
  tensors.memory = std::make_unique<std::byte[]>(bytes);
  std::generate_n(tensors.memory.get(), std::min<std::size_t>(bytes, 64), [&] { return std::byte{input.byte()}; });
  view.data = tensors.memory.get();
  tensors.out.data = tensors.memory.get() + apart;
  return tensors;
}

bool reachable(const Tensors& tensors) {
  return span_of(tensors.in) <= kMostElements && span_of(tensors.out) <= kMostElements;
}

void call(Input& input, const hiprope_rope* rope, const hiprope_config& config) {
  const std::int64_t tokens = input.byte() % 6;
  const Tensors q = make_tensors(input, config, tokens), k = make_tensors(input, config, tokens);
  if (!reachable(q) || !reachable(k)) return;
  hiprope_positions positions{sizeof(positions), nullptr, input.number(), 0, input.byte() % 4, input.byte() % 6};
  positions.axis_stride = input.byte() % 3 == 0 ? 0 : q.in.tokens + input.byte() % 2;
  // As many bytes as a sound call reads, so that AddressSanitizer guards their end.
  const std::int64_t axis_stride = positions.axis_stride == 0 ? q.in.tokens : positions.axis_stride;
  const std::int64_t count = std::max(positions.axes - 1, 0) * axis_stride + q.in.tokens;
  const std::size_t id_bytes = positions.type == hiprope_position_int32 ? 4 : 8;
  const auto ids = std::make_unique<std::byte[]>(static_cast<std::size_t>(count) * id_bytes);
  for (std::int64_t i = 0; i < std::min<std::int64_t>(count, 64); ++i) {
    const std::int64_t id = input.number();
    std::memcpy(ids.get() + static_cast<std::size_t>(i) * id_bytes, &id, id_bytes);
  }
  if (input.byte() % 2 == 0) positions.ids = ids.get();
  hiprope_apply_options options{};
  std::int32_t path = 0;
  options.size = sizeof(options);
  options.path = &path;
  options.direction = input.byte() % 3;
  const std::uint8_t choice = input.byte();
  if ((choice & 1) != 0) options.out = &q.out;
  if ((choice & 2) != 0) options.k_out = &k.out;
  const bool single = (choice & 4) != 0;
  const hiprope_status status = single ? hiprope_apply_rope_cpu(rope, &q.in, &positions, &options)
                                       : hiprope_apply_position_embeddings_cpu(
                                             rope, &q.in, (choice & 8) != 0 ? nullptr : &k.in, &positions, &options);
  if (status != hiprope_ok) return require_explained(status);
  require(path == hiprope_path_cpu || path == hiprope_path_none);
  hiprope_position_errors errors{};
  errors.size = sizeof(errors);
  require(hiprope_read_position_errors(rope, nullptr, &errors) == hiprope_ok);
  require(errors.count <= static_cast<std::uint64_t>(q.in.tokens));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  hiprope_config config{};
  config.size = sizeof(config);
  config.head_dim = 16;
  config.max_positions = 32;
  edit(input, &config, kConfigFields);
  // Lists are as long as their counts say.
  config.scaling.factor_count = std::min(config.scaling.factor_count, kListed);
  config.axis_of_pair_count = std::min(config.axis_of_pair_count, kListed);
  std::vector<double> list(static_cast<std::size_t>(std::max(config.scaling.factor_count, 0)));
  std::vector<std::uint8_t> axis_of_pair(static_cast<std::size_t>(std::max(config.axis_of_pair_count, 0)));
  const std::uint8_t lists = input.byte();
  if (lists != 0) {
    std::ranges::generate(list, [&] { return input.real(); });
    std::ranges::generate(axis_of_pair, [&] { return input.byte() % 5; });
  }
  if ((lists & 1) != 0) config.scaling.short_factor = list.data();
  if ((lists & 2) != 0) config.scaling.long_factor = list.data();
  if ((lists & 4) != 0) config.scaling.inv_freq = list.data();
  if ((lists & 8) != 0) config.scaling.freq_factors = list.data();
  if ((lists & 16) != 0) config.axis_of_pair = axis_of_pair.data();

  hiprope_frequency_report report{};
  report.size = sizeof(report);
  const hiprope_status described = hiprope_frequencies(&config, &report);
  if (described != hiprope_ok) require_explained(described);
  // What is sound but large would only be slow here.
  if (config.max_positions > kMostPositions || config.head_dim > kMostElements) return 0;
  hiprope_rope* rope = nullptr;
  const hiprope_status created = hiprope_create(&config, hiprope_device_cpu, hiprope_fallback_allow, &rope);
  require((created == hiprope_ok) == (rope != nullptr));
  require(described == created || described == hiprope_ok);
  if (created != hiprope_ok) {
    require_explained(created);
  } else {
    call(input, rope, config);
  }
  hiprope_destroy(rope);
  return 0;
}
