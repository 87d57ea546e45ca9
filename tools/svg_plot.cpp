// Draws line plots: axes with ticks, one coloured line a series, a legend to the right.
#include "tools/svg_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <set>

#include "tools/tool_error.h"

namespace hiprope::tools {
namespace {

// Pixels.
constexpr double kWidth = 860, kHeight = 480;
constexpr double kLeft = 70, kRight = 660, kTop = 44, kBottom = 420;
constexpr std::size_t kMostMarks = 12;

// Distinct also for most colour-blind readers.
constexpr std::array kColours{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c564b"};

std::string escaped(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (c == '<') {
      safe += "&lt;";
    } else if (c == '&') {
      safe += "&amp;";
    } else {
      safe += c;
    }
  }
  return safe;
}

// One axis: from values to pixels, and where its marks are.
struct Axis {
  Axis(const std::set<double>& values, bool is_log, double start, double end) : log(is_log), from(start), to(end) {
    low = values.empty() ? 1 : *values.begin();
    high = values.empty() ? 2 : *values.rbegin();
    if (log && values.size() <= kMostMarks) {
      marks.assign(values.begin(), values.end());
    } else if (log) {
      for (double mark = std::pow(10, std::floor(std::log10(low))); mark <= high * 1.001; mark *= 10) {
        if (mark >= low * 0.999) marks.push_back(mark);
      }
    } else {
      mark_evenly();
    }
    if (high <= low) high = low + 1;
  }

  // Marks at 1, 2 or 5 times a power of ten, about six of them; the axis begins and ends at one.
  void mark_evenly() {
    const double rough = (high > low ? high - low : 1) / 6;
    const double power = std::pow(10, std::floor(std::log10(rough)));
    const double step = rough <= 2 * power ? 2 * power : rough <= 5 * power ? 5 * power : 10 * power;
    const double first = std::floor(low / step + 1e-9), last = std::ceil(high / step - 1e-9);
    for (double i = first; i <= last; ++i) marks.push_back(i * step);
    low = first * step;
    high = last * step;
  }

  double pixel(double value) const {
    const double part = log ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
    return from + part * (to - from);
  }

  bool log;
  double from, to, low, high;
  std::vector<double> marks;
};

std::string draw_axes(const Plot& plot, const Axis& x, const Axis& y) {
  std::string svg;
  for (const double mark : y.marks) {
    const double at = y.pixel(mark);
    svg += fmt::format(R"(<line x1="{}" y1="{:.1f}" x2="{}" y2="{:.1f}" stroke="#ddd"/>)", kLeft, at, kRight, at);
    svg += fmt::format(R"(<text x="{}" y="{:.1f}" text-anchor="end">{:.6g}</text>)", kLeft - 8, at + 4, mark);
  }
  for (const double mark : x.marks) {
    const double at = x.pixel(mark);
    svg +=
        fmt::format(R"(<line x1="{0:.1f}" y1="{1}" x2="{0:.1f}" y2="{2}" stroke="#888"/>)", at, kBottom, kBottom + 5);
    svg += fmt::format(R"(<text x="{:.1f}" y="{}" text-anchor="middle">{:.6g}</text>)", at, kBottom + 20, mark);
  }
  svg += fmt::format(R"(<path d="M{0} {1}V{2}H{3}" fill="none" stroke="#444"/>)", kLeft, kTop, kBottom, kRight);
  const double middle = (kLeft + kRight) / 2, half_height = (kTop + kBottom) / 2;
  svg +=
      fmt::format(R"(<text x="{}" y="{}" text-anchor="middle">{}</text>)", middle, kBottom + 44, escaped(plot.x_label));
  svg += fmt::format(R"svg(<text transform="translate(18 {}) rotate(-90)" text-anchor="middle">{}</text>)svg",
                     half_height, escaped(plot.y_label));
  svg +=
      fmt::format(R"(<text x="{}" y="24" text-anchor="middle" font-size="15">{}</text>)", middle, escaped(plot.title));
  return svg + "\n";
}

std::string draw_series(const PlotSeries& series, std::size_t index, const Axis& x, const Axis& y) {
  const char* colour = kColours[index % kColours.size()];
  const char* dashes = index < kColours.size() ? "none" : "6 3";
  std::string path, dots;
  for (const auto& [value_x, value_y] : series.points) {
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x.pixel(value_x), y.pixel(value_y));
    dots += fmt::format(R"(<circle cx="{:.1f}" cy="{:.1f}" r="{}"/>)", x.pixel(value_x), y.pixel(value_y),
                        series.points.size() > 40 ? 0 : 3);
  }
  const double legend_y = kTop + 8 + 20 * static_cast<double>(index);
  return fmt::format(R"(<path d="{}" fill="none" stroke="{}" stroke-width="1.8" stroke-dasharray="{}"/>)", path, colour,
                     dashes) +
         fmt::format(R"(<g fill="{}">{}</g>)", colour, dots) +
         fmt::format(R"(<path d="M{} {}h22" stroke="{}" stroke-width="3" stroke-dasharray="{}"/>)", kRight + 16,
                     legend_y, colour, dashes) +
         fmt::format(R"(<text x="{}" y="{}">{}</text>)", kRight + 46, legend_y + 4, escaped(series.name)) + "\n";
}

}  // namespace

std::string to_svg(const Plot& plot) {
  std::set<double> xs, ys;
  for (const PlotSeries& series : plot.series) {
    for (const auto& [x, y] : series.points) {
      xs.insert(x);
      ys.insert(y);
    }
  }
  const Axis x(xs, plot.log_x, kLeft, kRight), y(ys, plot.log_y, kBottom, kTop);
  std::string svg =
      fmt::format(R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" height="{1}" )"
                  R"(font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>)",
                  kWidth, kHeight);
  svg += draw_axes(plot, x, y);
  for (std::size_t index = 0; index < plot.series.size(); ++index) svg += draw_series(plot.series[index], index, x, y);
  return svg + "</svg>\n";
}

void write_svg(const Plot& plot, const std::string& path) {
  std::ofstream file(path);
  file << to_svg(plot);
  file.close();
  if (!file) refuse("{}: cannot be written; name a file in a folder that exists", path);
}

}  // namespace hiprope::tools
