// Escapes text and makes sure of the output.
#include "tools/output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "tools/tool_error.h"

namespace hiprope::tools {
namespace {

struct Character {
  char32_t code;
  std::size_t bytes;  // 0: no UTF-8 starts here
};

Character decode(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return {first, 1};
  const std::size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || bytes > text.size()) return {0, 0};
  char32_t code = first & (0x7fu >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0) != 0x80) return {0, 0};
    code = (code << 6) | (next & 0x3fu);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code < kSmallest[bytes] || code > 0x10ffff || surrogate) return {0, 0};
  return {code, bytes};
}

struct Range {
  char32_t first, last;
};

// Controls; soft hyphen; Arabic letter mark; zero width and directional marks; line separators and directional
// embeddings; invisible operators and isolates; byte order mark; tags.
constexpr Range kEscaped[] = {{0, 0x1f},        {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},    {0x200b, 0x200f},
                              {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xe0000, 0xe007f}};

bool is_escaped(char32_t code) {
  for (const Range& range : kEscaped) {
    if (code >= range.first && code <= range.last) return true;
  }
  return false;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string safe;
  while (!text.empty()) {
    const Character character = decode(text);
    if (character.bytes == 0) {
      safe += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
      text.remove_prefix(1);
      continue;
    }
    if (!is_escaped(character.code)) {
      safe += text.substr(0, character.bytes);
    } else {
      const auto code = static_cast<std::uint32_t>(character.code);
      safe += code < 0x80 ? fmt::format("\\x{:02x}", code) : fmt::format("\\u{:04x}", code);
    }
    text.remove_prefix(character.bytes);
  }
  return safe;
}

std::string output_failure(int code) {
  return fmt::format("standard output could not be written{}; send it to a place with room",
                     code == 0 ? std::string() : fmt::format(" ({})", std::strerror(code)));
}

void flush_output() {
  errno = 0;
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) refuse("{}", output_failure(errno));
}

}  // namespace hiprope::tools
