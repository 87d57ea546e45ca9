// Finds the fields that a reader must not pass over in silence.
#include "unused.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace hiprope::model_config_internal {
namespace {

constexpr std::string_view kWords[] = {"rope",        "rotary", "nope",    "position", "cross_attention",
                                       "layer_types", "mrope",  "section", "ntk",      "alibi"};
// Words that contain one of the above, and fields that say nothing of the rotation.
constexpr std::string_view kOther[] = {"property",
                                       "properties",
                                       "composition",
                                       "mlp_layer_types",
                                       "position_biased_input",
                                       "num_position_embeddings",
                                       "position_embedding_size",
                                       "add_cross_attention",
                                       "cross_attention_hidden_size",
                                       "mtp_layer_types"};
constexpr std::size_t kMostNamed = 12;
constexpr std::size_t kNameLength = 60;

bool is_of_rope(std::string name) {
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto contained = [&](std::string_view word) { return name.find(word) != std::string::npos; };
  return std::ranges::any_of(kWords, contained) && std::ranges::none_of(kOther, contained);
}

void collect(const Json& object, const std::string& path, const SeenFields& seen, std::vector<std::string>& unused) {
  for (const auto& [key, value] : object.items()) {
    const std::string name = path + key;
    if (!value.is_null() && is_of_rope(key) && !seen.contains(name)) unused.push_back(name.substr(0, kNameLength));
    // Objects of an object that was named as a whole need no naming of their own.
    else if (value.is_object())
      collect(value, name + ".", seen, unused);
  }
}

}  // namespace

std::vector<std::string> unused_rope_fields(const Fields& root) {
  std::vector<std::string> unused;
  collect(root.object(), root.path(), root.seen(), unused);
  return unused;
}

std::string unused_note(const std::vector<std::string>& unused, const ModelConfig& model) {
  constexpr std::array kPairings{"half_split", "interleaved", "blocked"};
  const std::size_t named = std::min(unused.size(), kMostNamed);
  const std::vector<std::string> shown(unused.begin(), unused.begin() + static_cast<std::ptrdiff_t>(named));
  std::string assumed = "no layer rotates";
  for (const LayerRope& layer : model.layer_types) {
    if (!layer.rotates) continue;
    assumed = fmt::format(
        "{} pairs, {} and {}", kPairings.at(static_cast<std::size_t>(layer.config.pairing)),
        model.layer_types.size() == 1 ? "all layers alike" : fmt::format("{} layer types", model.layer_types.size()),
        layer.config.axes == 1 ? "one axis" : fmt::format("{} axes", layer.config.axes));
    break;
  }
  return fmt::format("not used: {}{}; assumed without: {}", fmt::join(shown, ", "),
                     unused.size() > named ? fmt::format(" and {} more", unused.size() - named) : "", assumed);
}

}  // namespace hiprope::model_config_internal
