#include "cli/bench/render_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/machine/rows_json.h"

namespace clockshim::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kSchemaVersion = 1;
constexpr const char* kWays[] = {"bare", "raw", "strict", "relaxed"};

std::string shim_line(const ShimTrial& shim) {
  if (!shim.problem.empty()) return "shim " + shim.order + ": not measured: " + shim.problem + "\n";
  return "shim " + shim.order + ": mode " + (shim.mode.empty() ? "unknown" : shim.mode) +
         (shim.mode_reason.empty() ? "" : " (" + shim.mode_reason + ")") + "\n";
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

std::string render_bench_text(const BenchReport& report) {
  std::string text =
      report.cpu + ", Linux " + report.kernel + ", clocksource " + report.clocksource + "\n";
  for (const ShimTrial& shim : report.shims) text += shim_line(shim);
  text += fmt::format("\n{:<17}{:<8}{:>12}{:>14}{:>10}{:>10}{:>10}{:>9}{:>12}{:>10}{:>8}\n",
                      "clock", "way", "run, times", "total, ns", "average", "median", "p99",
                      "spread", "resolution", "backward", "worst");
  for (const std::string& clock : clocks_of(report)) {
    for (const char* way : kWays) {
      const Row* row = find_row(report, clock, way);
      if (row == nullptr) continue;
      const Cost& cost = row->cost;
      text += fmt::format(
          "{:<17}{:<8}{:>12}{:>14.0f}{:>10.1f}{:>10.1f}{:>10.1f}{:>9.1f}{:>12}{:>10}{:>8}\n", clock,
          way, cost.calls, cost.total, cost.average(), cost.median, cost.p99, cost.spread(),
          row->steps.resolution, row->steps.backward, row->steps.worst);
    }
  }
  text +=
      "\nns a call, of batches of calls; spread: p10 to p90; resolution: least step seen, ns; "
      "backward: steps seen, and the worst, ns\n";
  if (report.throughput.empty()) return text;
  text +=
      fmt::format("\ncalls a second of CLOCK_MONOTONIC, all threads together\n{:<8}{:>8}{:>16}\n",
                  "way", "threads", "calls/s");
  for (const Throughput& t : report.throughput)
    text += fmt::format("{:<8}{:>8}{:>16.0f}\n", t.way, t.threads, t.calls_a_second);
  return text;
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
