// Reads GGUF: little-endian, a header, then keys with typed values, then descriptions of tensors, then their data.
#include "gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace hiprope::model_config_internal {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr std::size_t kNameLimit = 65535;     // bytes of a key or a tensor's name
constexpr std::size_t kTextLimit = 1 << 16;   // bytes of a string that is kept
constexpr std::size_t kListLimit = 1 << 16;   // entries of a list that is kept
constexpr std::uint64_t kFactorLimit = 4096;  // entries of a list of factors
constexpr std::uint64_t kTensorLimit = 1 << 20;
constexpr std::uint64_t kKeyLimit = 1 << 16;
constexpr std::uint32_t kDimensions = 4;
constexpr std::uint32_t kFloat32 = 0;  // of a tensor's types
constexpr std::string_view kFactors[] = {"rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"};

enum Type : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text, list, u64, i64, f64, type_count };
constexpr std::size_t kBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

std::string at_most_80(std::string_view name) {
  return std::string(name.substr(0, 80));
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  std::string_view take(std::uint64_t count, std::string_view what) {
    if (count > bytes_.size() - position_) {
      refuse(fmt::format("{} needs {} bytes at offset {}, and the file has {}", at_most_80(what), count, position_,
                         bytes_.size()));
    }
    const auto part = bytes_.substr(position_, static_cast<std::size_t>(count));
    position_ += static_cast<std::size_t>(count);
    return part;
  }
  template <typename Number>
  Number number(std::string_view what) {
    const std::string_view part = take(sizeof(Number), what);
    Number value;
    std::copy_n(part.begin(), sizeof(value), reinterpret_cast<char*>(&value));
    return value;
  }
  std::string_view string(std::string_view what) { return take(number<std::uint64_t>(what), what); }
  std::uint64_t left() const { return bytes_.size() - position_; }
  std::size_t position() const { return position_; }

 private:
  std::string_view bytes_;
  std::size_t position_ = 0;
};

Json read_scalar(Reader& reader, std::uint32_t type, std::string_view key) {
  switch (type) {
    case u8:
      return reader.number<std::uint8_t>(key);
    case i8:
      return reader.number<std::int8_t>(key);
    case u16:
      return reader.number<std::uint16_t>(key);
    case i16:
      return reader.number<std::int16_t>(key);
    case u32:
      return reader.number<std::uint32_t>(key);
    case i32:
      return reader.number<std::int32_t>(key);
    case f32:
      return reader.number<float>(key);
    case boolean: {
      const auto byte = reader.number<std::uint8_t>(key);
      if (byte > 1) refuse(fmt::format("{} is a boolean of value {}", at_most_80(key), byte));
      return byte == 1;
    }
    case u64:
      return reader.number<std::uint64_t>(key);
    case i64:
      return reader.number<std::int64_t>(key);
    case f64:
      return reader.number<double>(key);
    case text: {
      const auto value = reader.string(key);
      return std::string(value.substr(0, kTextLimit));
    }
    default:
      refuse(fmt::format("{} has the type {}, which GGUF does not have", at_most_80(key), type));
  }
}

// Null for a list that is passed over: of strings, or a long one.
Json read_list(Reader& reader, std::string_view key) {
  const auto type = reader.number<std::uint32_t>(key);
  const auto count = reader.number<std::uint64_t>(key);
  if (type >= type_count || type == list) {
    refuse(fmt::format("{} is a list of type {}; it must be of numbers, booleans or strings", at_most_80(key), type));
  }
  if (type == text) {
    // Each string has at least its length.
    if (count > reader.left() / sizeof(std::uint64_t)) {
      refuse(fmt::format("{} has {} strings, more than the file can hold", at_most_80(key), count));
    }
    for (std::uint64_t i = 0; i < count; ++i) reader.string(key);
    return nullptr;
  }
  if (count > reader.left() / kBytes[type]) {
    refuse(fmt::format("{} has {} entries, more than the file can hold", at_most_80(key), count));
  }
  if (count > kListLimit) {
    reader.take(count * kBytes[type], key);
    return nullptr;
  }
  Json values = Json::array();
  for (std::uint64_t i = 0; i < count; ++i) values.push_back(read_scalar(reader, type, key));
  return values;
}

void read_metadata(Reader& reader, std::uint64_t count, Json& metadata) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto name = reader.string(fmt::format("the name of key {}", i));
    if (name.empty() || name.size() > kNameLimit) {
      refuse(fmt::format("the name of key {} has {} bytes; it must have 1 to {}", i, name.size(), kNameLimit));
    }
    const std::string key(name);
    const auto type = reader.number<std::uint32_t>(key);
    Json value = type == list ? read_list(reader, key) : read_scalar(reader, type, key);
    if (!metadata.emplace(key, std::move(value)).second) refuse(at_most_80(key) + " stands twice");
  }
}

struct Description {
  std::string name;
  std::uint64_t offset;
};

bool is_norm(std::string_view name) {
  return name.starts_with("blk.") && (name.ends_with(".attn_q_norm.weight") || name.ends_with(".attn_k_norm.weight") ||
                                      name.ends_with(".attn_q_norm.bias"));
}

// The tensors that are kept; `factors` receives those whose values are to be read.
std::map<std::string, GgufTensor> read_tensors(Reader& reader, std::uint64_t count, std::vector<Description>& factors) {
  std::map<std::string, GgufTensor> tensors;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string name(reader.string(fmt::format("the name of tensor {}", i)).substr(0, kNameLimit));
    const auto dimensions = reader.number<std::uint32_t>(name);
    if (dimensions > kDimensions) {
      refuse(fmt::format("tensor {} has {} dimensions; the most are {}", at_most_80(name), dimensions, kDimensions));
    }
    GgufTensor tensor;
    for (std::uint32_t d = 0; d < dimensions; ++d) tensor.shape.push_back(reader.number<std::uint64_t>(name));
    const auto type = reader.number<std::uint32_t>(name);
    const auto offset = reader.number<std::uint64_t>(name);
    const bool factor = std::ranges::find(kFactors, name) != std::end(kFactors);
    if (!factor && !is_norm(name)) continue;
    if (factor) {
      if (type != kFloat32 || tensor.shape.size() != 1 || tensor.shape[0] > kFactorLimit) {
        refuse(fmt::format("tensor {} must be one list of at most {} float32 numbers", at_most_80(name), kFactorLimit));
      }
      factors.push_back({name, offset});
    }
    if (!tensors.emplace(name, std::move(tensor)).second)
      refuse(fmt::format("tensor {} stands twice", at_most_80(name)));
  }
  return tensors;
}

std::uint64_t read_alignment(const Json& metadata) {
  constexpr std::uint64_t kDefault = 32;
  const auto found = metadata.find("general.alignment");
  if (found == metadata.end()) return kDefault;
  const std::uint64_t value = found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
  if (value == 0 || (value & (value - 1)) != 0 || value > (1u << 20)) {
    refuse("general.alignment must be a power of two of at most 1048576");
  }
  return value;
}

}  // namespace

bool is_gguf(std::string_view bytes) {
  return bytes.starts_with(kMagic);
}

Gguf parse_gguf(std::string_view bytes) {
  Reader reader(bytes);
  reader.take(kMagic.size(), "the magic number");
  const auto version = reader.number<std::uint32_t>("the version");
  if (version == 1) refuse("GGUF version 1 is not read; convert the file to version 3");
  if (version != 2 && version != 3) {
    refuse(fmt::format("GGUF version {} is not known{}", version,
                       (version & 0xffff) == 0 ? ": the file is big-endian" : ""));
  }
  const auto tensor_count = reader.number<std::uint64_t>("the number of tensors");
  const auto key_count = reader.number<std::uint64_t>("the number of keys");
  if (tensor_count > kTensorLimit) refuse(fmt::format("{} tensors; the limit is {}", tensor_count, kTensorLimit));
  if (key_count > kKeyLimit) refuse(fmt::format("{} keys; the limit is {}", key_count, kKeyLimit));
  Gguf gguf;
  read_metadata(reader, key_count, gguf.metadata);
  std::vector<Description> factors;
  gguf.tensors = read_tensors(reader, tensor_count, factors);
  const std::uint64_t alignment = read_alignment(gguf.metadata);
  const std::uint64_t data = (reader.position() + alignment - 1) / alignment * alignment;
  for (const Description& factor : factors) {
    GgufTensor& tensor = gguf.tensors.at(factor.name);
    const std::uint64_t size = tensor.shape[0] * sizeof(float);
    if (data > bytes.size() || factor.offset > bytes.size() - data || size > bytes.size() - data - factor.offset) {
      refuse(fmt::format("tensor {} ends after the file", factor.name));
    }
    for (std::uint64_t i = 0; i < tensor.shape[0]; ++i) {
      float value = 0;
      std::memcpy(&value, bytes.data() + data + factor.offset + i * sizeof(float), sizeof(float));
      tensor.values.push_back(static_cast<double>(value));
    }
  }
  return gguf;
}

}  // namespace hiprope::model_config_internal
