// The picture of rates over time. It consists of steps, because only the average of each interval
// is known. It needs no script.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analysis/rates.h"
#include "base/duration.h"
#include "report/text.h"

namespace clockshim {
namespace {

constexpr double kLeft = 90;  // the part of the picture for figures
constexpr double kChartWidth = 1200;
constexpr double kTop = 10;
constexpr double kHeight = 200;
constexpr std::size_t kMostColumns = 600;  // more intervals are combined
constexpr std::size_t kMostLines = 8;      // as many as there are colours

// One interval, or several that are combined.
struct Column {
  double from;
  double to;
  std::size_t first;
  std::size_t end;
};

std::vector<Column> columns_of(const ReportRates& rates) {
  std::vector<Column> out;
  const std::size_t step = (rates.times.size() + kMostColumns - 1) / kMostColumns;
  for (std::size_t first = 0; first < rates.times.size(); first += step) {
    const std::size_t end = std::min(first + step, rates.times.size());
    out.push_back({first == 0 ? 0 : rates.times[first - 1], rates.times[end - 1], first, end});
  }
  return out;
}

double rate_in(const ReportRates::Series& series, const Column& column) {
  double calls = 0;
  for (std::size_t i = column.first; i < column.end; ++i)
    calls += static_cast<double>(series.calls[i]);
  return column.to > column.from ? calls / (column.to - column.from) : 0;
}

// The distance of ticks: 1, 2 or 5 times a power of ten, so that at most `most` of them fit.
double tick_of(double whole, double most) {
  if (!(whole > 1e-9)) return 1;
  const double power = std::pow(10, std::floor(std::log10(whole / most)));
  for (const double factor : {1, 2, 5}) {
    if (whole / (power * factor) <= most) return power * factor;
  }
  return power * 10;
}

std::string figure(double rate) {
  return rate < 10 && rate != std::floor(rate)
             ? fmt::format("{:.1f}", rate)
             : grouped(static_cast<std::uint64_t>(std::min(rate, 1e18) + 0.5));
}

std::string name_of(const ReportRates::Series& series) {
  if (series.caller.empty()) return series.clock;
  return series.caller + (series.module.empty() ? "" : " (" + series.module + ")") + ", " +
         series.clock;
}

std::string legend(const std::vector<ReportRates::Series>& lines, double seconds) {
  std::string out = "<p class=\"keys\">";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    double calls = 0;
    for (const std::uint64_t n : lines[i].calls) calls += static_cast<double>(n);
    out += fmt::format("<span><i class=\"s{}\"></i>{} <b>{}/s</b></span> ", i,
                       markup(name_of(lines[i])), figure(seconds > 0 ? calls / seconds : 0));
  }
  return out + "</p>\n";
}

std::string chart(const ReportRates& rates, const std::vector<ReportRates::Series>& all,
                  const char* what) {
  const std::vector<ReportRates::Series> lines(
      all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), kMostLines)));
  const std::vector<Column> columns = columns_of(rates);
  const double seconds = rates.times.back();
  double most = 0;
  for (const auto& line : lines) {
    for (const Column& column : columns) most = std::max(most, rate_in(line, column));
  }
  const double tick = tick_of(most, 4);
  const double top = std::max(1.0, std::ceil(most / tick)) * tick;
  const auto x = [&](double at) {
    return kLeft + (kChartWidth - kLeft) * (seconds > 0 ? at / seconds : 0);
  };
  const auto y = [&](double rate) { return kTop + kHeight * (1 - rate / top); };
  std::string out = fmt::format(
      "<div class=\"chart\"><svg class=\"rates\" viewBox=\"0 0 {} {}\" role=\"img\" "
      "aria-label=\"calls a second over "
      "time, by {}\">\n",
      kChartWidth, kTop + kHeight + 24, what);
  const auto ticks = std::lround(top / tick);
  for (long i = 0; i <= ticks; ++i) {
    const double rate = static_cast<double>(i) * tick;
    out += fmt::format(
        "<line x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/><text x=\"{3}\" y=\"{4:.1f}\" "
        "text-anchor=\"end\">{5}</text>\n",
        kLeft, kChartWidth, y(rate), kLeft - 8, y(rate) + 4, figure(rate));
  }
  const double step = tick_of(seconds, 10);
  const auto steps = static_cast<long>(seconds / step * (1 + 1e-9));
  for (long i = 0; i <= steps; ++i) {
    const double at = static_cast<double>(i) * step;
    const bool last = x(at) > kChartWidth - 20;
    out += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"{}\">{}</text>\n", x(at),
                       kTop + kHeight + 18, last ? "end" : "middle",
                       at == 0 ? "0" : format_duration(Nanos{std::llround(at * 1e9)}));
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    out += fmt::format("<path class=\"s{}\" d=\"M{:.1f} {:.1f}", i, x(0),
                       y(rate_in(lines[i], columns.front())));
    for (const Column& column : columns)
      out += fmt::format("V{:.1f}H{:.1f}", y(rate_in(lines[i], column)), x(column.to));
    out += "\"/>\n";
  }
  for (const Column& column : columns) {
    std::string title = fmt::format("{:.2f} to {:.2f} s", column.from, column.to);
    for (const auto& line : lines)
      title += fmt::format("\n{}/s {}", figure(rate_in(line, column)), name_of(line));
    out += fmt::format(
        "<rect x=\"{:.2f}\" y=\"{}\" width=\"{:.2f}\" height=\"{}\"><title>{}</title></rect>\n",
        x(column.from), kTop, x(column.to) - x(column.from), kHeight, markup(title));
  }
  return out + "</svg></div>\n" + legend(lines, seconds);
}

}  // namespace

std::string rate_charts(const ReportRates& rates) {
  if (rates.times.empty()) return "";
  std::string out = fmt::format(
      "<h2>Calls a second</h2>\n<p class=\"soft\">Watched for {:.1f} s, in {} intervals. Below "
      "each picture, the averages.</p>\n",
      rates.times.back(), rates.times.size());
  out += chart(rates, rates.clocks, "clock");
  if (!rates.callers.empty())
    out += "<p class=\"soft\">The busiest callers:</p>\n" + chart(rates, rates.callers, "caller");
  return out;
}

}  // namespace clockshim
