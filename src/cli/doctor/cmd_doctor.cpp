#include "cli/doctor/cmd_doctor.h"

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>

#include "cli/console/command_line.h"
#include "cli/console/installed_places.h"
#include "cli/console/output.h"
#include "cli/console/progress.h"
#include "cli/console/terminal_width.h"
#include "cli/doctor/live_rate.h"
#include "cli/doctor/render_doctor.h"
#include "cli/doctor/save_counters.h"
#include "cli/machine/cpu_set.h"
#include "os/log.h"
#include "os/process.h"

namespace clockshim::cli {
namespace {

// How long each measurement takes: quick stays below a second on a machine that is not emulated.
struct Thoroughness {
  Nanos clock;  // for each clock and way of reading it
  Comparison counters;
  Nanos calls;  // for counting a process's calls
};
constexpr Thoroughness kQuick{milliseconds(2), {}, milliseconds(100)};
constexpr Thoroughness kFull{milliseconds(20),
                             {.pass = milliseconds(500),
                              .longest = milliseconds(20),
                              .patience = milliseconds(500),
                              .pause = milliseconds(1000)},
                             milliseconds(1000)};

Evidence gather(const Thoroughness& how) {
  Progress progress;
  Evidence seen;
  progress.show("reading /proc and /sys");
  seen.machine = read_machine("", read_cpu_facts());
  const bool allowed = !seen.machine.counter_forbidden;
  progress.show("measuring the clocks");
  seen.measured = measure_clocks(how.clock, allowed, has_flag(seen.machine, "rdtscp"));
  const Budget budget{how.clock, Nanos{}, Nanos{}};
  for (ShimTrial* shimmed : {&seen.strict, &seen.relaxed}) {
    const std::string order = shimmed == &seen.strict ? "strict" : "relaxed";
    progress.show("measuring the clocks under the shim, " + order);
    *shimmed = try_shim(order, budget, allowed);
  }
  progress.show("comparing the CPUs' counters");
  if (allowed)
    seen.counters =
        compare_counters(allowed_cpus(), Settings{}.tolerance, counter_of, how.counters);
  seen.warp = seen.counters.warp;
  seen.saved = find_saved(counter_places());
  return seen;
}

}  // namespace

std::vector<std::string> DoctorReport::unseen() const {
  std::vector<std::string> all = seen.machine.unseen;
  if (!seen.measured.vdso_proved)
    all.emplace_back(
        "proof of what the vDSO answers (no seccomp filter can be installed): told by the calls' "
        "cost");
  if (seen.warp.untested > 0) {
    all.push_back(
        "whether all CPUs agree: pairs not compared: " + std::to_string(seen.warp.untested) +
        " (no time, not allowed, or too busy to tell)");
  }
  if (!seen.strict.problem.empty()) all.push_back("the shim: " + seen.strict.problem);
  if (program) all.insert(all.end(), program->unseen.begin(), program->unseen.end());
  return all;
}

std::optional<double> DoctorReport::cpu_share_saved() const {
  if (!program) return std::nullopt;
  if (program->saved_share || !program->calls_a_second) return program->saved_share;
  return *program->calls_a_second * std::max(saved_ns(seen, "monotonic"), 0.0) / 1e9;
}

namespace {

// How often the process reads the clock.
void find_rate(ProgramFacts& program, Nanos length) {
  std::string why_not;
  if (program.loaded) {
    if (const auto rate = read_live_rate(*program.pid, length, why_not)) {
      program.calls_a_second = rate->calls_a_second;
      program.saved_share = rate->saved_share;
    } else {
      program.unseen.push_back("how often the process asks: " + why_not);
    }
    return;
  }
  program.calls_a_second = count_clock_calls(*program.pid, length, why_not);
  if (!program.calls_a_second)
    program.unseen.push_back("how often the process asks: " + why_not +
                             "; clockshim run --tolerance 0 counts it without privileges");
}

struct DoctorOptions {
  bool quick = false;
  bool verbose = false;
  bool json = false;
  bool save = false;
  std::string target;  // a command or a pid; "": only the machine
};

int doctor(const DoctorOptions& options) {
  const Thoroughness& how = options.quick ? kQuick : kFull;
  DoctorReport report;
  if (!options.target.empty()) {
    std::string problem;
    report.program = inspect_program(options.target, problem);
    if (!problem.empty()) {
      say(LogLevel::error, LogLevel::error, problem);
      return kError;
    }
  }
  report.seen = gather(how);
  if (report.program && report.program->pid) find_rate(*report.program, how.calls);
  report.diagnosis = diagnose(report.seen);
  report.remedies = remedies(report.seen, report.diagnosis);
  report.remedies_page = page_path(executable_path(), "slow-clocks.md");
  print(options.json ? render_doctor_json(report)
                     : render_doctor_text(report, options.verbose, terminal_width(STDOUT_FILENO)));
  const bool takes = !report.program || report.program->takes();
  return report.diagnosis.verdict == Verdict::healthy && takes ? kHealthy : kFinding;
}

}  // namespace

void add_doctor_command(CommandLine& line) {
  auto options = std::make_shared<DoctorOptions>();
  Command& command = line.add(
      "doctor", "clockshim doctor [--quick] [--verbose, --json or --save] [COMMAND or PID]",
      "say why the clock is slow here, and what would help", [options] {
        if (!options->save) return doctor(*options);
        if (!options->target.empty()) throw BadUsage("--save takes no program");
        return save_counters_of_boot();
      });
  command.flag("--quick", options->quick, "take less than a second");
  command.flag("--verbose", options->verbose,
               "also print the machine's facts, the clocks' costs, and the counter's");
  command.flag("--json", options->json, "print JSON, for programs");
  command.flag("--save", options->save,
               "only compare the CPUs' counters, and save what is found for all programs until the "
               "next boot");
  command.exclusive("--verbose", "--json");
  for (const char* other : {"--quick", "--verbose", "--json"}) command.exclusive("--save", other);
  command.arguments("COMMAND|PID", "also say whether the shim will work in this program",
                    [options](const std::string& value) -> std::string {
                      if (!options->target.empty()) return "must be one command or process id";
                      options->target = value;
                      return "";
                    });
  command.footer(
      "Exit status: 0: healthy, or saved; 1: a finding, or the shim will not work in the program, "
      "or "
      "nothing is proved of the counters; 2: an error.");
}

}  // namespace clockshim::cli
