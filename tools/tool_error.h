// The error of a command that could not do its work: one sentence saying what is wrong and what to do next.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

namespace hiprope::tools {

struct ToolError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <typename... Values>
[[noreturn]] void refuse(fmt::format_string<Values...> format, Values&&... values) {
  throw ToolError(fmt::format(format, std::forward<Values>(values)...));
}

}  // namespace hiprope::tools
