// Line plots as SVG text.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace hiprope::tools {

struct PlotSeries {
  std::string name;
  std::vector<std::pair<double, double>> points;  // (x, y), in the order they are joined
};

struct Plot {
  std::string title, x_label, y_label;
  std::vector<PlotSeries> series;
  bool log_x = false, log_y = false;  // base 10, and labelled where a point's x lies if there are few
};

std::string to_svg(const Plot& plot);
// Throws ToolError when the file cannot be written.
void write_svg(const Plot& plot, const std::string& path);

}  // namespace hiprope::tools
