// Aligned tables: column widths, alignment and colour.
#include "tools/table_printer.h"

#include <fmt/color.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "tools/output.h"

namespace hiprope::tools {
namespace {

bool shows_colours(std::FILE* file) {
  const char* no_color = std::getenv("NO_COLOR");
  return is_terminal(file) && (no_color == nullptr || *no_color == '\0');
}

}  // namespace

bool is_terminal(std::FILE* file) {
  return isatty(fileno(file)) == 1;
}

std::string painted(const std::string& text, Mood mood, std::FILE* file) {
  if (mood == Mood::plain || !shows_colours(file)) return text;
  return fmt::format(fmt::fg(mood == Mood::good ? fmt::terminal_color::green : fmt::terminal_color::red), "{}", text);
}

void Table::print(std::FILE* file) const {
  std::vector<std::size_t> widths;
  std::vector<bool> right;
  std::vector<Cell> heading;
  // Cells may hold text of files.
  std::vector<std::vector<Cell>> rows = rows_;
  for (auto& row : rows) {
    for (Cell& cell : row) cell.text = printable(cell.text);
  }
  for (std::size_t column = 0; column < headings_.size(); ++column) {
    right.push_back(headings_[column].starts_with('>'));
    heading.emplace_back(headings_[column].substr(right.back() ? 1 : 0));
    std::size_t width = heading.back().text.size();
    for (const auto& row : rows) width = std::max(width, row[column].text.size());
    widths.push_back(width);
  }
  const auto print_row = [&](const std::vector<Cell>& row) {
    std::string line;
    for (std::size_t column = 0; column < row.size(); ++column) {
      const std::string padding(widths[column] - row[column].text.size(), ' ');
      const std::string shown = painted(row[column].text, row[column].mood, file);
      line += (column == 0 ? "" : "  ") + (right[column] ? padding + shown : shown + padding);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    fmt::print(file, "{}\n", line);
  };
  print_row(heading);
  for (const auto& row : rows) print_row(row);
}

}  // namespace hiprope::tools
