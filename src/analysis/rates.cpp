#include "analysis/rates.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

#include "report/fitted_table.h"
#include "report/text.h"

namespace clockshim {
namespace {

std::string whole(double rate) {
  return grouped(static_cast<std::uint64_t>(std::min(rate, 1e18) + 0.5));
}

void add(const std::vector<ReportRates::Series>& from, std::vector<ReportRates::Series>& to) {
  const auto name = [](const ReportRates::Series& s) {
    return std::tie(s.clock, s.caller, s.module, s.function);
  };
  for (const ReportRates::Series& series : from) {
    const auto same = std::find_if(to.begin(), to.end(), [&](const ReportRates::Series& s) {
      return name(s) == name(series);
    });
    if (same == to.end()) {
      to.push_back(series);
      continue;
    }
    for (std::size_t i = 0; i < same->calls.size(); ++i) same->calls[i] += series.calls[i];
  }
  sort_by_calls(to);
}

// The average of the whole time, and the least and most of an interval.
std::vector<std::string> rate_cells(const ReportRates::Series& series, const ReportRates& rates,
                                    const std::string& caller) {
  double least = std::numeric_limits<double>::max();
  double most = 0;
  double before = 0;
  for (std::size_t i = 0; i < rates.times.size(); ++i) {
    const double length = rates.times[i] - before;
    before = rates.times[i];
    const double rate = length > 0 ? static_cast<double>(series.calls[i]) / length : 0;
    least = std::min(least, rate);
    most = std::max(most, rate);
  }
  const double mean =
      rates.times.back() > 0 ? static_cast<double>(total(series)) / rates.times.back() : 0;
  return {whole(mean), whole(least), whole(most), one_line(series.clock), caller};
}

}  // namespace

std::uint64_t total(const ReportRates::Series& series) {
  std::uint64_t sum = 0;
  for (const std::uint64_t calls : series.calls) sum += calls;
  return sum;
}

void sort_by_calls(std::vector<ReportRates::Series>& all) {
  std::stable_sort(all.begin(), all.end(),
                   [](const ReportRates::Series& a, const ReportRates::Series& b) {
                     return total(a) > total(b);
                   });
}

std::string rates_as_text(const ReportRates& rates, std::size_t width) {
  constexpr std::size_t kMostCallers = 8;
  constexpr std::size_t kCaller = 4;
  constexpr std::size_t kLeastCaller = 20;
  if (rates.times.empty()) return "";
  using Side = TableColumn::Side;
  FittedTable table({{"calls/s", Side::right},
                     {"least", Side::right},
                     {"most", Side::right},
                     {"clock"},
                     {"caller"}});
  for (const ReportRates::Series& series : rates.clocks)
    table.add_row(rate_cells(series, rates, "all callers"));
  if (rates.clocks.empty()) table.add_row({"0", "", "", "", ""});
  for (std::size_t i = 0; i < std::min(rates.callers.size(), kMostCallers); ++i) {
    const ReportRates::Series& series = rates.callers[i];
    table.add_row(rate_cells(
        series, rates,
        one_line(series.caller + (series.module.empty() ? "" : " (" + series.module + ")"))));
  }
  const std::size_t before = table.width_before(kCaller);
  if (width != 0) table.narrow(kCaller, std::max(width - std::min(width, before), kLeastCaller));
  return fmt::format("\nwatched for {:.1f} s, in {} interval{}\n", rates.times.back(),
                     rates.times.size(), rates.times.size() == 1 ? "" : "s") +
         table.text(0, 0);
}

bool merge_rates(const std::vector<Report>& reports, ReportRates& out) {
  out = reports.front().rates;
  for (std::size_t i = 1; i < reports.size(); ++i) {
    const ReportRates& rates = reports[i].rates;
    if (rates.started_at != out.started_at || rates.times != out.times) {
      out = ReportRates{};
      return false;
    }
    add(rates.clocks, out.clocks);
    add(rates.callers, out.callers);
  }
  return true;
}

}  // namespace clockshim
