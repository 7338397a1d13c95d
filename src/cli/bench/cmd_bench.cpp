#include "cli/bench/cmd_bench.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "cli/bench/render_bench.h"
#include "cli/console/output_file.h"
#include "cli/console/progress.h"
#include "cli/machine/clocks_measured.h"
#include "cli/machine/cpu_set.h"
#include "cli/machine/machine_facts.h"
#include "os/log.h"
#include "os/write.h"

namespace clockshim::cli {
namespace {

constexpr int kFine = 0;
constexpr int kSomethingWrong = 1;
constexpr int kFailed = 2;

constexpr Budget kQuick{milliseconds(1), milliseconds(1), milliseconds(10)};
constexpr Budget kFull{milliseconds(50), milliseconds(50), milliseconds(200)};

void add(BenchReport& report, const std::vector<Row>& rows,
         const std::vector<Throughput>& throughput) {
  report.rows.insert(report.rows.end(), rows.begin(), rows.end());
  report.throughput.insert(report.throughput.end(), throughput.begin(), throughput.end());
}

BenchReport run_all(const Budget& budget) {
  Progress progress;
  BenchReport report;
  const Machine machine = read_machine("", read_cpu_facts());
  report.cpu = machine.cpu.empty() ? "unknown CPU" : machine.cpu;
  report.kernel = machine.kernel.empty() ? "unknown" : machine.kernel;
  report.clocksource = machine.clocksource;
  Timebase base;
  {
    const StayHere stay;
    base = calibrate(milliseconds(10), !machine.counter_forbidden);
  }
  for (const ClockReader* way : {&kBare, &kRawSyscall}) {
    progress.show(std::string("measuring: ") + way->name);
    add(report, measure_rows(*way, budget, base), measure_throughput(*way, budget));
  }
  for (const char* order : {"strict", "relaxed"}) {
    progress.show(std::string("measuring: the shim, ") + order);
    report.shims.push_back(try_shim(order, budget, !machine.counter_forbidden));
    add(report, report.shims.back().rows, report.shims.back().throughput);
  }
  return report;
}

// Writes the SVG. False: it failed, and a line was logged.
bool write_plot(const std::string& path, const std::string& svg) {
  const int error = write_file(path, svg);
  if (error == 0) return true;
  say(LogLevel::error, LogLevel::error,
      "--plot \"" + path + "\": must be a file that can be written: " + std::strerror(error));
  return false;
}

}  // namespace

int bench(const BenchOptions& options) {
  // Check the file before minutes of measuring, not after.
  if (!options.plot.empty() && !write_plot(options.plot, "")) return kFailed;
  const BenchReport report = run_all(options.quick ? kQuick : kFull);
  if (write_all(STDOUT_FILENO,
                options.json ? render_bench_json(report) : render_bench_text(report)) != 0)
    return kFailed;
  if (!options.plot.empty() && !write_plot(options.plot, render_bench_svg(report))) return kFailed;
  const bool backward = std::any_of(report.rows.begin(), report.rows.end(),
                                    [](const Row& row) { return row.steps.backward > 0; });
  const bool missing = std::any_of(report.shims.begin(), report.shims.end(),
                                   [](const ShimTrial& shim) { return !shim.problem.empty(); });
  return backward || missing ? kSomethingWrong : kFine;
}

}  // namespace clockshim::cli
