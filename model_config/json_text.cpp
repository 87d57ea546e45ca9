// Parses text as JSON.
#include "json_text.h"

#include <fmt/format.h>

#include <set>
#include <string>
#include <vector>

namespace hiprope::model_config_internal {
namespace {

constexpr int kDepthLimit = 100;
constexpr std::string_view kNotFinite[] = {"Infinity", "-Infinity", "NaN"};

// `text` with quotes around each of Python's numbers that JSON does not have.
std::string with_quotes(std::string_view text) {
  std::string quoted;
  bool inside = false;  // a string
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (inside && text[i] == '\\' && i + 1 < text.size()) {
      quoted += text.substr(i++, 2);
      continue;
    }
    if (text[i] == '"') inside = !inside;
    std::string_view word;
    for (const std::string_view candidate : kNotFinite) {
      if (!inside && text.substr(i).starts_with(candidate)) word = candidate;
    }
    if (word.empty()) {
      quoted += text[i];
    } else {
      quoted += fmt::format("\"{}\"", word);
      i += word.size() - 1;
    }
  }
  return quoted;
}

}  // namespace

Json parse_json(std::string_view text) {
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  const auto check = [&](int depth, Json::parse_event_t event, const Json& parsed) {
    if (depth > kDepthLimit) refuse(fmt::format("objects and lists are nested more than {} deep", kDepthLimit));
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second) {
      refuse(fmt::format("{} stands twice in one object", parsed.get<std::string>().substr(0, 60)));
    }
    return true;
  };
  Json root = text.find("Infinity") == std::string_view::npos && text.find("NaN") == std::string_view::npos
                  ? Json::parse(text, check)
                  : Json::parse(with_quotes(text), check);
  if (!root.is_object()) refuse("the file is not a JSON object");
  return root;
}

}  // namespace hiprope::model_config_internal
