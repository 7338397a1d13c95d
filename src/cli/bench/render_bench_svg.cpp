// Draws bars of the medians, clocks side by side. The scale is logarithmic, because a counter of 10
// ns and a device of 5 us are in one picture.
#include <algorithm>
#include <cmath>

#include "cli/bench/render_bench.h"
#include "cli/console/figures.h"
#include "report/text.h"

namespace clockshim::cli {
namespace {

struct Bar {
  const char* way;
  const char* colour;
};
constexpr Bar kBars[] = {
    {"bare", "#4c72b0"}, {"raw", "#8c8c8c"}, {"strict", "#55a868"}, {"relaxed", "#dd8452"}};

constexpr double kLabelWidth = 140;
constexpr double kPlotWidth = 520;
constexpr double kBarHeight = 11;
constexpr double kGap = 12;
constexpr double kTop = 60;

std::string number(double value) { return printed("%.1f", value); }

std::string text_at(double x, double y, const std::string& text, const char* more) {
  return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" " + more + ">" + markup(text) +
         "</text>\n";
}

double decades(double value) { return std::log10(std::max(value, 1.0)); }

}  // namespace

std::string render_bench_svg(const BenchReport& report) {
  const std::vector<std::string> clocks = clocks_of(report);
  double most = 10;
  for (const Row& row : report.rows) most = std::max(most, row.cost.median);
  const double width_of_a_decade = kPlotWidth / std::ceil(decades(most));
  const double group = std::size(kBars) * kBarHeight + kGap;
  const double bottom = kTop + group * static_cast<double>(clocks.size());
  std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" +
                    number(kLabelWidth + kPlotWidth + 80) + "\" height=\"" + number(bottom + 40) +
                    "\" font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" "
                    "height=\"100%\" fill=\"white\"/>\n";
  svg += text_at(10, 18,
                 "ns a call (median): " + report.cpu + ", Linux " + report.kernel +
                     ", clocksource " + report.clocksource,
                 "font-size=\"13\"");
  double x = kLabelWidth;
  for (const Bar& bar : kBars) {
    svg += "<rect x=\"" + number(x) + "\" y=\"30\" width=\"10\" height=\"10\" fill=\"" +
           bar.colour + "\"/>\n";
    svg += text_at(x + 14, 39, bar.way, "");
    x += 80;
  }
  for (int decade = 0; decade <= static_cast<int>(std::ceil(decades(most))); ++decade) {
    const double at = kLabelWidth + decade * width_of_a_decade;
    svg += "<line x1=\"" + number(at) + "\" y1=\"" + number(kTop - 8) + "\" x2=\"" + number(at) +
           "\" y2=\"" + number(bottom) + "\" stroke=\"#dddddd\"/>\n";
    svg +=
        text_at(at, bottom + 14, printed("%.0f", std::pow(10, decade)), "text-anchor=\"middle\"");
  }
  svg +=
      text_at(kLabelWidth + kPlotWidth / 2, bottom + 30,
              "ns; the axis is logarithmic: a step is ten times as much", "text-anchor=\"middle\"");
  double y = kTop;
  for (const std::string& clock : clocks) {
    svg += text_at(kLabelWidth - 8, y + group / 2 - kGap / 2, clock, "text-anchor=\"end\"");
    for (const Bar& bar : kBars) {
      const Row* row = find_row(report, clock, bar.way);
      if (row != nullptr) {
        const double length = decades(row->cost.median) * width_of_a_decade;
        svg += "<rect x=\"" + number(kLabelWidth) + "\" y=\"" + number(y) + "\" width=\"" +
               number(length) + "\" height=\"" + number(kBarHeight - 1) + "\" fill=\"" +
               bar.colour + "\"/>\n";
        svg += text_at(kLabelWidth + length + 4, y + kBarHeight - 2, number(row->cost.median),
                       "font-size=\"10\"");
      }
      y += kBarHeight;
    }
    y += kGap;
  }
  return svg + "</svg>\n";
}

}  // namespace clockshim::cli
