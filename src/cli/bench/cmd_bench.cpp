#include "cli/bench/cmd_bench.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "cli/bench/render_bench.h"
#include "cli/console/output.h"
#include "cli/console/output_file.h"
#include "cli/console/progress.h"
#include "cli/console/terminal_width.h"
#include "cli/console/values.h"
#include "cli/machine/clocks_measured.h"
#include "cli/machine/cpu_set.h"
#include "cli/machine/machine_facts.h"
#include "cli/machine/shim_trial.h"
#include "os/log.h"

namespace clockshim::cli {
namespace {

struct BenchOptions {
  bool quick = false;
  bool json = false;
  std::string plot;        // an SVG file to write; "": none
  std::string for_parent;  // not for users: see cli/machine/shim_trial.h
};

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

int bench(const BenchOptions& options) {
  if (!options.for_parent.empty()) return measure_for_parent(options.for_parent);
  // Check the file before minutes of measuring, not after.
  if (!options.plot.empty() && !write_plot(options.plot, "")) return kFailed;
  const BenchReport report = run_all(options.quick ? kQuick : kFull);
  print(options.json ? render_bench_json(report)
                     : render_bench_text(report, terminal_width(STDOUT_FILENO)));
  if (!options.plot.empty() && !write_plot(options.plot, render_bench_svg(report))) return kFailed;
  const bool backward = std::any_of(report.rows.begin(), report.rows.end(),
                                    [](const Row& row) { return row.steps.backward > 0; });
  const bool missing = std::any_of(report.shims.begin(), report.shims.end(),
                                   [](const ShimTrial& shim) { return !shim.problem.empty(); });
  return backward || missing ? kSomethingWrong : kFine;
}

}  // namespace

void add_bench_command(CommandLine& line) {
  auto options = std::make_shared<BenchOptions>();
  Command& command =
      line.add("bench", "clockshim bench [--quick] [--json] [--plot FILE]",
               "measure what each clock costs here: bare, as a system call, under the shim",
               [options] { return bench(*options); });
  command.flag("--quick", options->quick, "take about a second, and be less exact");
  command.flag("--json", options->json, "print JSON, for programs");
  command.option("--plot", "FILE", "also draw the medians, as SVG", file_into(options->plot));
  command.hidden_option("--measure-for-parent", text_into(options->for_parent));
  command.footer(
      "Exit status: 0; 1: a clock stepped backward, or the shim could not be measured; 2: an "
      "error.");
}

}  // namespace clockshim::cli
