#include "cli/bench/render_bench.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/console/figures.h"
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

std::string whole(double value) { return printed("%.0f", value); }
std::string tenth(double value) { return printed("%.1f", value); }

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
  text += "\n" + left("clock", 17) + left("way", 8) + right("run, times", 12) +
          right("total, ns", 14) + right("average", 10) + right("median", 10) + right("p99", 10) +
          right("spread", 9) + right("resolution", 12) + right("backward", 10) + right("worst", 8) +
          "\n";
  for (const std::string& clock : clocks_of(report)) {
    for (const char* way : kWays) {
      const Row* row = find_row(report, clock, way);
      if (row == nullptr) continue;
      const Cost& cost = row->cost;
      text += left(clock, 17) + left(way, 8) + right(std::to_string(cost.calls), 12) +
              right(whole(cost.total), 14) + right(tenth(cost.average()), 10) +
              right(tenth(cost.median), 10) + right(tenth(cost.p99), 10) +
              right(tenth(cost.spread()), 9) + right(std::to_string(row->steps.resolution), 12) +
              right(std::to_string(row->steps.backward), 10) +
              right(std::to_string(row->steps.worst), 8) + "\n";
    }
  }
  text +=
      "\nns a call, of batches of calls; spread: p10 to p90; resolution: least step seen, ns; "
      "backward: steps seen, and the worst, ns\n";
  if (report.throughput.empty()) return text;
  text += "\ncalls a second of CLOCK_MONOTONIC, all threads together\n" + left("way", 8) +
          right("threads", 8) + right("calls/s", 16) + "\n";
  for (const Throughput& t : report.throughput)
    text += left(t.way, 8) + right(std::to_string(t.threads), 8) +
            right(whole(t.calls_a_second), 16) + "\n";
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
