// Typed access to JSON fields.
#include "fields.h"

#include <fmt/format.h>

#include <cmath>

namespace hiprope::model_config_internal {
namespace {

constexpr std::size_t kShownCharacters = 60;
constexpr std::int64_t kCountLimit = 1 << 20;

std::string shown(const Json& value) {
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  return text.size() <= kShownCharacters ? text : text.substr(0, kShownCharacters) + "...";
}

double as_number(const Json& value, const std::string& name) {
  if (!value.is_number()) refuse(fmt::format("{} is {}; it must be a number", name, shown(value)));
  const auto number = value.get<double>();
  if (!std::isfinite(number)) refuse(fmt::format("{} is not finite", name));
  return number;
}

std::int64_t as_integer(const Json& value, const std::string& name, std::int64_t minimum, std::int64_t maximum) {
  const double number = as_number(value, name);
  if (number != std::floor(number) || number < static_cast<double>(minimum) || number > static_cast<double>(maximum)) {
    refuse(fmt::format("{} is {}; it must be a whole number from {} to {}", name, shown(value), minimum, maximum));
  }
  return static_cast<std::int64_t>(number);
}

}  // namespace

void refuse(std::string sentence) {
  throw Refusal{std::move(sentence)};
}

const Json* Fields::find(std::string_view name) const {
  seen_->insert(path_ + std::string(name));
  const auto member = object_->find(name);
  return member == object_->end() || member->is_null() ? nullptr : &*member;
}

void Fields::pass_over(Names names) const {
  for (const std::string_view field : names) seen_->insert(name(field));
}

bool Fields::is_null(std::string_view name) const {
  const auto member = object_->find(name);
  return member != object_->end() && member->is_null();
}

const Json* Fields::find(Names names, std::string_view* found) const {
  const Json* first = nullptr;
  std::string_view first_name;
  for (const std::string_view candidate : names) {
    const Json* value = find(candidate);
    if (value == nullptr) continue;
    if (first != nullptr && *first != *value) {
      refuse(fmt::format("{} is {}, but {} is {}", name(first_name), shown(*first), name(candidate), shown(*value)));
    }
    if (first == nullptr) {
      first = value;
      first_name = candidate;
    }
  }
  if (found != nullptr) *found = first_name;
  return first;
}

std::optional<double> Fields::number(Names names) const {
  std::string_view found;
  const Json* value = find(names, &found);
  return value == nullptr ? std::nullopt : std::optional(as_number(*value, name(found)));
}

std::optional<double> Fields::number_of_layers(std::string_view field, const std::vector<std::int32_t>& layers) const {
  const Json* value = find(field);
  if (value == nullptr || !value->is_array()) return number({field});
  const std::vector<double> values = numbers(field);
  std::optional<double> shared;
  for (const std::int32_t layer : layers) {
    const auto index = static_cast<std::size_t>(layer);
    if (index >= values.size()) {
      refuse(fmt::format("{} is a list of {} entries; layer {} has none", name(field), values.size(), layer));
    }
    if (shared && *shared != values[index]) {
      refuse(fmt::format("{}[{}] is {}, but other layers of the same type have {}", name(field), layer, values[index],
                         *shared));
    }
    shared = values[index];
  }
  return shared;
}

std::optional<std::int64_t> Fields::integer(Names names, std::int64_t minimum, std::int64_t maximum) const {
  std::string_view found;
  const Json* value = find(names, &found);
  return value == nullptr ? std::nullopt : std::optional(as_integer(*value, name(found), minimum, maximum));
}

std::optional<std::int32_t> Fields::count(Names names) const {
  const auto value = integer(names, 1, kCountLimit);
  return value ? std::optional(static_cast<std::int32_t>(*value)) : std::nullopt;
}

std::optional<bool> Fields::boolean(std::string_view field) const {
  const Json* value = find(field);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) refuse(fmt::format("{} is {}; it must be true or false", name(field), shown(*value)));
  return value->get<bool>();
}

std::optional<std::string> Fields::text(std::string_view field) const {
  const Json* value = find(field);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) refuse(fmt::format("{} is {}; it must be a string", name(field), shown(*value)));
  return value->get<std::string>();
}

std::optional<Fields> Fields::nested(std::string_view field) const {
  const Json* value = find(field);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) refuse(fmt::format("{} is {}; it must be an object", name(field), shown(*value)));
  return Fields(*value, name(field) + ".", *seen_);
}

const Json& Fields::list(std::string_view field) const {
  static const Json kEmpty = Json::array();
  const Json* value = find(field);
  if (value == nullptr) return kEmpty;
  if (!value->is_array()) refuse(fmt::format("{} is {}; it must be a list", name(field), shown(*value)));
  return *value;
}

std::vector<double> Fields::numbers(std::string_view field) const {
  std::vector<double> values;
  for (const Json& value : list(field)) {
    values.push_back(as_number(value, fmt::format("{}[{}]", name(field), values.size())));
  }
  return values;
}

std::vector<std::int32_t> Fields::integers(std::string_view field) const {
  std::vector<std::int32_t> values;
  for (const Json& value : list(field)) {
    const auto element = fmt::format("{}[{}]", name(field), values.size());
    values.push_back(static_cast<std::int32_t>(as_integer(value, element, 0, kCountLimit)));
  }
  return values;
}

std::vector<std::string> Fields::texts(std::string_view field) const {
  std::vector<std::string> values;
  for (const Json& value : list(field)) {
    if (!value.is_string()) {
      refuse(fmt::format("{}[{}] is {}; it must be a string", name(field), values.size(), shown(value)));
    }
    values.push_back(value.get<std::string>());
  }
  return values;
}

}  // namespace hiprope::model_config_internal
