// Aligned tables for a person to read; coloured only on a terminal that has not set NO_COLOR.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

namespace hiprope::tools {

enum class Mood { plain, good, bad };

struct Cell {
  Cell(std::string content, Mood colour = Mood::plain) : text(std::move(content)), mood(colour) {}
  Cell(const char* content) : text(content) {}
  std::string text;
  Mood mood = Mood::plain;
};

// A column whose heading starts with '>' is aligned to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> headings) : headings_(std::move(headings)) {}
  void add_row(std::vector<Cell> cells) { rows_.push_back(std::move(cells)); }
  void print(std::FILE* file) const;

 private:
  std::vector<std::string> headings_;
  std::vector<std::vector<Cell>> rows_;
};

bool is_terminal(std::FILE* file);
// `text` in the mood's colour where `file` shows colours, else as it is.
std::string painted(const std::string& text, Mood mood, std::FILE* file);

}  // namespace hiprope::tools
