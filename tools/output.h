// What every command prints with: text of files made safe for a terminal, JSON in plain ASCII, and output that must
// arrive.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace hiprope::tools {

// `text` with each control character, terminal escape, bidirectional or invisible mark and byte that is no UTF-8
// written as
// \x1b or \u202e. Text that files or arguments hold goes through it before it is printed.
std::string printable(std::string_view text);

// One JSON value on standard output, all of it ASCII.
template <typename Json>
void print_json(const Json& json) {
  fmt::print("{}\n", json.dump(2, ' ', true, Json::error_handler_t::replace));
}

// The sentence that standard output could not be written, for the reason `code`, an errno; 0: not known.
std::string output_failure(int code);
// Writes out what standard output still holds; throws ToolError when any of it could not be written.
void flush_output();

}  // namespace hiprope::tools
