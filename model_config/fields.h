// Typed access to the fields of one JSON object; a bad field is refused by name.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace hiprope::model_config_internal {

using Json = nlohmann::json;
using Names = std::initializer_list<std::string_view>;

// Thrown inside the reader and turned into ModelConfigResult::error at its border.
struct Refusal {
  std::string sentence;
};

[[noreturn]] void refuse(std::string sentence);

// The full names of the fields that some rule has looked at, present or not.
using SeenFields = std::set<std::string>;

// A view of `object`, which must outlive it, as must `seen`. `path` is its place in the file, "text_config.", "" for
// the root. A null member counts as absent everywhere. A list of names holds spellings of one field: if two are present
// with different values, that is refused.
class Fields {
 public:
  Fields(const Json& object, std::string path, SeenFields& seen)
      : object_(&object), path_(std::move(path)), seen_(&seen) {}

  const Json* find(std::string_view name) const;
  const Json* find(Names names, std::string_view* found = nullptr) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }
  // True when the file says null, which is not the same as saying nothing.
  bool is_null(std::string_view name) const;
  std::string name(std::string_view field) const { return path_ + std::string(field); }
  const Json& object() const { return *object_; }
  const std::string& path() const { return path_; }
  SeenFields& seen() const { return *seen_; }

  // Notes that these fields are known and say nothing here.
  void pass_over(Names names) const;

  std::optional<double> number(Names names) const;
  // A number, or the one that a list with an entry a layer holds for all of `layers`.
  std::optional<double> number_of_layers(std::string_view name, const std::vector<std::int32_t>& layers) const;
  std::optional<std::int64_t> integer(Names names, std::int64_t minimum, std::int64_t maximum) const;
  std::optional<std::int32_t> count(Names names) const;  // 1 to 2^20
  std::optional<bool> boolean(std::string_view name) const;
  std::optional<std::string> text(std::string_view name) const;
  std::optional<Fields> nested(std::string_view name) const;
  std::vector<double> numbers(std::string_view name) const;         // empty when absent
  std::vector<std::int32_t> integers(std::string_view name) const;  // empty when absent
  std::vector<std::string> texts(std::string_view name) const;      // empty when absent

 private:
  const Json& list(std::string_view name) const;

  const Json* object_;
  std::string path_;
  SeenFields* seen_;
};

// `value`, or the refusal that names the missing field.
template <typename Value>
Value require(std::optional<Value> value, const Fields& fields, std::string_view name) {
  if (!value) refuse(fields.name(name) + " is missing");
  return *std::move(value);
}

}  // namespace hiprope::model_config_internal
