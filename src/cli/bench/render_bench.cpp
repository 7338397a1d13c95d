#include "cli/bench/render_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "cli/machine/rows_json.h"
#include "report/fitted_table.h"
#include "report/text.h"
#include "report/wrap.h"

namespace clockshim::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchemaVersion = 1;
constexpr const char* kWays[] = {"bare", "raw", "strict", "relaxed"};

std::string in_tenths(double ns) { return fmt::format("{:.1f}", ns); }
std::string whole_number(double n) { return grouped(static_cast<std::uint64_t>(std::llround(n))); }

std::string shim_line(const ShimTrial& shim) {
  if (!shim.problem.empty()) return "shim " + shim.order + ": not measured: " + shim.problem;
  return "shim " + shim.order + ": mode " + (shim.mode.empty() ? "unknown" : shim.mode) +
         (shim.mode_reason.empty() ? "" : " (" + shim.mode_reason + ")");
}

}  // namespace

std::vector<std::string> clocks_of(const BenchReport& report) {
  std::vector<std::string> clocks;
  for (const Row& row : report.rows) {
    if (std::find(clocks.begin(), clocks.end(), row.clock) == clocks.end())
      clocks.push_back(row.clock);
  }
  return clocks;
}

const Row* find_row(const BenchReport& report, const std::string& clock, const std::string& way) {
  for (const Row& row : report.rows) {
    if (row.clock == clock && row.way == way) return &row;
  }
  return nullptr;
}

std::string render_bench_text(const BenchReport& report, std::size_t width) {
  const auto wrapped_to_width = [width](const std::string& line) {
    return width == 0 ? line + "\n" : wrapped_behind("", line, width);
  };
  using Side = TableColumn::Side;
  std::string text = wrapped_to_width(report.cpu + ", Linux " + report.kernel + ", clocksource " +
                                      report.clocksource);
  for (const ShimTrial& shim : report.shims) text += wrapped_to_width(shim_line(shim));
  FittedTable costs({{"clock"},
                     {"way"},
                     {"average", Side::right},
                     {"median", Side::right},
                     {"p99", Side::right},
                     {"spread", Side::right},
                     {"resolution", Side::right},
                     {"backward", Side::right},
                     {"worst", Side::right},
                     {"run, times", Side::right},
                     {"total, ns", Side::right}});
  for (const std::string& clock : clocks_of(report)) {
    for (const char* way : kWays) {
      const Row* row = find_row(report, clock, way);
      if (row == nullptr) continue;
      const Cost& cost = row->cost;
      costs.add_row({clock, way, in_tenths(cost.average()), in_tenths(cost.median),
                     in_tenths(cost.p99), in_tenths(cost.spread()),
                     row->steps.resolution == 0 ? "-" : std::to_string(row->steps.resolution),
                     std::to_string(row->steps.backward), std::to_string(row->steps.worst),
                     grouped(cost.calls), whole_number(cost.total)});
    }
  }
  text += "\n" + costs.text(2, width) + "\n";
  text += wrapped_to_width(
      "ns a call, of batches of calls; spread: p10 to p90; resolution: least step seen, ns; "
      "backward: steps seen, and the worst, ns");
  if (report.throughput.empty()) return text;
  text += "\ncalls a second of CLOCK_MONOTONIC, all threads together\n";
  FittedTable throughput({{"way"}, {"threads", Side::right}, {"calls/s", Side::right}});
  for (const Throughput& t : report.throughput)
    throughput.add_row({t.way, std::to_string(t.threads), whole_number(t.calls_a_second)});
  return text + throughput.text(0, 0);
}

std::string render_bench_json(const BenchReport& report) {
  Json shims = Json::object();
  for (const ShimTrial& s : report.shims)
    shims[s.order] = {{"problem", s.problem}, {"mode", s.mode}, {"mode_reason", s.mode_reason}};
  Json json{
      {"schema_version", kSchemaVersion}, {"version", CLOCKSHIM_VERSION},      {"cpu", report.cpu},
      {"kernel", report.kernel},          {"clocksource", report.clocksource}, {"shim", shims},
  };
  write_rows(json, report.rows, report.throughput);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace clockshim::cli
