// From the text of a file to its JSON object, by stricter rules than JSON's own and with Python's additions.
#pragma once

#include <string_view>

#include "fields.h"

namespace hiprope::model_config_internal {

// Refuses what is no JSON object, a key that stands twice in one object, since readers differ in which of its values
// they take, and objects that are nested too deep. Infinity, -Infinity and NaN, which Python writes, become strings, so
// that a field that needs a number refuses them by name and any other may have them.
Json parse_json(std::string_view text);

}  // namespace hiprope::model_config_internal
