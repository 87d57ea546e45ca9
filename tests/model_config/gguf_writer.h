// Writes small GGUF files for tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hiprope::test {

// Keys and tensors in the order of the calls; bytes() is the file. Types are GGUF's numbers.
class GgufWriter {
 public:
  GgufWriter& text(std::string_view key, std::string_view value) {
    add_key(key, 8);
    add_text(keys_, value);
    return *this;
  }
  GgufWriter& u32(std::string_view key, std::uint32_t value) { return scalar(key, 4, value); }
  GgufWriter& f32(std::string_view key, float value) { return scalar(key, 6, value); }
  GgufWriter& boolean(std::string_view key, bool value) { return scalar(key, 7, static_cast<std::uint8_t>(value)); }
  template <typename Number>
  GgufWriter& scalar(std::string_view key, std::uint32_t type, Number value) {
    add_key(key, type);
    add(keys_, value);
    return *this;
  }
  template <typename Number>
  GgufWriter& list(std::string_view key, std::uint32_t type, const std::vector<Number>& values) {
    add_key(key, 9);
    add(keys_, type);
    add(keys_, static_cast<std::uint64_t>(values.size()));
    for (const Number value : values) add(keys_, value);
    return *this;
  }
  GgufWriter& texts(std::string_view key, const std::vector<std::string>& values) {
    add_key(key, 9);
    add(keys_, std::uint32_t{8});
    add(keys_, static_cast<std::uint64_t>(values.size()));
    for (const std::string& value : values) add_text(keys_, value);
    return *this;
  }
  // A float32 tensor; `shape` fastest first.
  GgufWriter& tensor(std::string_view name, const std::vector<std::uint64_t>& shape, const std::vector<float>& values) {
    add_text(tensors_, name);
    add(tensors_, static_cast<std::uint32_t>(shape.size()));
    for (const std::uint64_t size : shape) add(tensors_, size);
    add(tensors_, std::uint32_t{0});
    add(tensors_, static_cast<std::uint64_t>(data_.size()));
    for (const float value : values) add(data_, value);
    data_.resize((data_.size() + 31) / 32 * 32);
    ++tensor_count_;
    return *this;
  }
  std::string bytes() const {
    std::string file = "GGUF";
    add(file, version);
    add(file, tensor_count_);
    add(file, key_count_);
    file += keys_ + tensors_;
    file.resize((file.size() + 31) / 32 * 32);
    return file + data_;
  }

  std::uint32_t version = 3;

 private:
  template <typename Number>
  static void add(std::string& out, Number value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  static void add_text(std::string& out, std::string_view value) {
    add(out, static_cast<std::uint64_t>(value.size()));
    out += value;
  }
  void add_key(std::string_view key, std::uint32_t type) {
    add_text(keys_, key);
    add(keys_, type);
    ++key_count_;
  }

  std::string keys_, tensors_, data_;
  std::uint64_t key_count_ = 0, tensor_count_ = 0;
};

}  // namespace hiprope::test
