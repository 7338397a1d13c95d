#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/console/figures.h"
#include "cli/doctor/render_doctor.h"
#include "os/base_name.h"
#include "report/saved.h"
#include "report/wrap.h"

namespace clockshim::cli {
namespace {

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : " ") + part;
  return text.empty() ? "unknown" : text;
}

std::string grouped_figure(double value) {
  return grouped(static_cast<std::uint64_t>(std::llround(std::max(value, 0.0))));
}

std::string line(const std::string& name, const std::string& value) {
  return fmt::format("  {:<16}{}\n", name, value);
}

// Text behind a heading, wrapped where there is a width.
std::string paragraph(const std::string& first, const std::string& text, std::size_t width) {
  return width == 0 ? first + text + "\n" : wrapped_behind(first, text, width);
}

std::string list(const std::string& heading, const std::vector<std::string>& lines,
                 std::size_t width) {
  if (lines.empty()) return "";
  std::string text = "\n" + heading + "\n";
  for (const std::string& l : lines) text += paragraph("  ", l, width);
  return text;
}

std::string_view served_by_name(ServedBy served_by) {
  switch (served_by) {
    case ServedBy::vdso: return "vDSO";
    case ServedBy::system_call: return "system call";
    case ServedBy::unknown: break;
  }
  return "unknown";
}

std::string cell(const Cost* cost) { return cost == nullptr ? "-" : ns(cost->median); }

std::string machine(const Machine& m) {
  std::string text = "machine\n" + line("kernel", m.kernel.empty() ? "unknown" : m.kernel) +
                     line("CPU", m.cpu.empty() ? "unknown" : m.cpu);
  text += line("hypervisor", std::string(hypervisor_name(m.hypervisor)) +
                                 (m.machine_name.empty() ? "" : " (" + m.machine_name + ")"));
  if (const auto habits = hypervisor_habits(m.hypervisor); !habits.empty())
    text += line("", "it " + std::string(habits));
  text += line("clocksource", m.clocksource + " (available: " + joined(m.available) + ")");
  if (!m.parameters.empty()) text += line("command line", joined(m.parameters));
  text += line("NTP", m.ntp) + line("time namespace", m.time_namespace);
  if (m.seccomp) text += line("seccomp", "a filter is on this process");
  return text;
}

std::string clocks(const Evidence& seen) {
  constexpr const char* kLine = "  {:<18}{:<13}{:>13}{:>13}{:>13}{:>13}\n";
  std::string text = "\nclocks: the median of a call\n" +
                     fmt::format(kLine, "clock", "answered by", "bare", "system call",
                                 "shim strict", "shim relaxed");
  for (const ClockCosts& clock : seen.measured.clocks) {
    if (!clock.there) continue;
    const Row* strict = seen.strict.row(clock.name);
    const Row* relaxed = seen.relaxed.row(clock.name);
    text += fmt::format(kLine, clock.name, served_by_name(clock.served_by), cell(&clock.bare),
                        cell(&clock.raw), cell(strict == nullptr ? nullptr : &strict->cost),
                        cell(relaxed == nullptr ? nullptr : &relaxed->cost));
  }
  return text;
}

std::string saved(const SavedCounters& saved) {
  if (saved.path.empty()) return "nothing of this boot (clockshim doctor --save)";
  return saved.path + ": " +
         (saved.usable() ? text_of(saved.file) : "not believed: " + saved.problem);
}

std::string counter(const Evidence& seen) {
  const Measured& m = seen.measured;
  std::string text = "\ncounter\n";
  if (m.counter) {
    text +=
        line("to read it", "rdtsc " + ns(m.counter->median) + ", fenced " + ns(m.fenced->median) +
                               (m.with_cpu ? ", rdtscp " + ns(m.with_cpu->median) : "") +
                               "; a system call that does nothing " + ns(m.null_syscall.median));
    text += line("frequency", mhz(m.frequency.mhz) + " by CLOCK_MONOTONIC, to within " +
                                  printed("%.1f ppm", m.frequency.error_ppm));
    for (const FrequencyClaim& claim : seen.machine.processor.claims) {
      text += line("", mhz(claim.mhz) + " by " + claim.by + (claim.exact ? "" : " (roughly)") +
                           ": drift " + ppm((m.frequency.mhz / claim.mhz - 1) * 1e6));
    }
    text +=
        line("pace", "second half of the measurement against the first " + ppm(m.pace_change_ppm) +
                         ", to within " + printed("%.1f ppm", m.pace_error_ppm));
  } else {
    text += line("to read it", "not allowed in this process");
  }
  const WarpPair worst = seen.warp.worst();
  std::uint64_t handoffs = 0;
  for (const WarpPair& pair : seen.warp.pairs) handoffs += pair.handoffs;
  text += line(
      "between CPUs",
      "pairs compared " + std::to_string(seen.warp.pairs.size()) +
          (seen.warp.untested > 0 ? ", not compared " + std::to_string(seen.warp.untested) : "") +
          ", " + std::to_string(handoffs) + " handoffs, greatest warp " +
          std::to_string(worst.greatest) + " ticks" +
          (worst.backward == 0 && !seen.warp.pairs.empty()
               ? "; apart by " + std::to_string(seen.warp.within()) + " at most"
               : ""));
  if (!seen.counters.text.empty())
    text += line("verdict", seen.counters.text +
                                (seen.counters.found == CountersFound::agree
                                     ? "; margin " + std::to_string(seen.counters.margin) + " ticks"
                                     : ""));
  text += line("saved", saved(seen.saved));
  text += line("invariant", seen.machine.processor.invariant
                                ? "promised by the CPU (CPUID 80000007H EDX bit 8)"
                                : "not promised by the CPU");
  for (const CounterFlag& flag : kCounterFlags) {
    if (seen.machine.flags_known)
      text += line(flag.name, (has_flag(seen.machine, flag.name) ? "yes: " : "no  (") +
                                  std::string(flag.meaning) +
                                  (has_flag(seen.machine, flag.name) ? "" : ")"));
  }
  return text;
}

// What a call costs here, and under the shim, by CLOCK_MONOTONIC.
struct Costs {
  double bare = 0;
  double served = 0;
  [[nodiscard]] bool worth_it() const { return is_worth_it(bare, served); }
};
Costs costs_of(const Evidence& seen) {
  const ClockCosts* const bare = find_clock(seen.measured, "monotonic");
  const Row* const shim = seen.strict.row("monotonic");
  if (bare == nullptr || shim == nullptr || !seen.strict.served()) return {};
  return {bare->bare.median, shim->cost.median};
}

// The second line: what clockshim would gain here, in figures.
std::string gain(const DoctorReport& report) {
  const Evidence& seen = report.seen;
  const ProgramFacts* const program = report.program ? &*report.program : nullptr;
  const auto share = report.cpu_share_saved();
  const Costs costs = costs_of(seen);
  if (program != nullptr && program->saved_share) {
    constexpr double kLeastShare = 0.0005;  // 0.1 %, rounded
    return fmt::format("process {} reads the clock {} times a second, and clockshim saves {} there",
                       *program->pid, grouped_figure(*program->calls_a_second),
                       *share < kLeastShare ? "nothing to speak of"
                                            : fmt::format("{:.1f} % of a core", *share * 100));
  }
  if (!seen.strict.problem.empty())
    return "unknown: clockshim could not be tried: " + seen.strict.problem;
  if (!seen.strict.served())
    return "none: clockshim would serve nothing here, and only count (" +
           (seen.strict.mode_reason.empty() ? "mode passthrough" : seen.strict.mode_reason) + ")";
  const std::string call =
      fmt::format("a call takes {}, served {}", ns(costs.bare), ns(costs.served));
  if (!costs.worth_it())
    return "none to speak of: the clock is cheap here (" + call +
           "); clockshim would count who reads it";
  if (share) {
    return fmt::format(
        "process {} makes {} system calls a second for the clock: clockshim would "
        "save {:.1f} % of a core ({})",
        *program->pid, grouped_figure(*program->calls_a_second), *share * 100, call);
  }
  constexpr double kCalls = 100'000;
  return fmt::format(
             "clockshim would save {} a call ({}): {:.1f} % of a core per {} calls a second",
             ns(costs.bare - costs.served), call, kCalls * (costs.bare - costs.served) / 1e7,
             grouped_figure(kCalls)) +
         (program != nullptr && program->pid ? "; how many it makes could not be counted" : "");
}

// The third line: the command to run, or what else to do.
std::string next(const DoctorReport& report) {
  const ProgramFacts* const program = report.program ? &*report.program : nullptr;
  const bool gains = report.seen.strict.served() && costs_of(report.seen).worth_it();
  const std::string others =
      report.remedies.empty() ? "" : "; or " + report.remedies.front().what + " (see below)";
  if (program != nullptr && !program->takes()) {
    return "clockshim can't help there: " + program->obstacles.front() +
           (report.remedies.empty() ? ""
                                    : "; instead " + report.remedies.front().what + " (see below)");
  }
  if (program != nullptr && program->loaded)
    return fmt::format("clockshim report {} shows who reads the clock", *program->pid);
  const bool runs = program != nullptr && program->pid;
  const std::string command = program == nullptr ? "PROGRAM"
                              : runs             ? one_line(base_name(program->path))
                                                 : one_line(program->target);
  const std::string run = "clockshim run " + (command.empty() ? "PROGRAM" : command);
  if (gains) return (runs ? "start it again by " + run : run) + others;
  if (report.seen.strict.served() && report.remedies.empty())
    return "nothing needs to be done; " + run + " counts who reads the clock";
  if (report.remedies.empty()) return run + " counts who reads the clock";
  return report.remedies.front().what + " (see below)";
}

std::string trial(const DoctorReport& report) {
  const Evidence& seen = report.seen;
  std::string text = "\nclockshim here\n";
  if (!seen.strict.problem.empty())
    return text + "  could not be tried: " + seen.strict.problem + "\n";
  const std::string reason =
      seen.strict.mode_reason.empty() ? "" : " (" + seen.strict.mode_reason + ")";
  if (!seen.strict.served()) return text + "  would serve nothing, only count" + reason + "\n";
  text += "  serves, mode " + (seen.strict.mode.empty() ? "unknown" : seen.strict.mode) + reason;
  if (seen.strict.error_ns >= 0) text += "; largest error at a resync " + ns(seen.strict.error_ns);
  text += "\n";
  for (const char* name : {"realtime", "monotonic"}) {
    const double saved = saved_ns(seen, name);
    text += "  " + std::string(name) + ": " +
            (saved >= 0 ? "saves " + ns(saved) : "costs " + ns(-saved)) + " a call\n";
  }
  return text;
}

std::string program(const ProgramFacts& facts, std::size_t width) {
  std::string text =
      "\n" + facts.target +
      (facts.path.empty() || facts.path == facts.target ? "" : " (" + facts.path + ")") + "\n";
  text += facts.loaded    ? "  the shim is in it\n"
          : facts.takes() ? "  the shim will take\n"
                          : "  the shim will not take\n";
  for (const std::string& obstacle : facts.obstacles) text += paragraph("  - ", obstacle, width);
  for (const std::string& note : facts.notes) text += paragraph("  note: ", note, width);
  return text;
}

std::string remedies_text(const DoctorReport& report, std::size_t width) {
  if (report.remedies.empty()) return "";
  std::string text = "\nwhat else would help (" + report.remedies_page + ")\n";
  for (const Remedy& remedy : report.remedies) {
    text += paragraph("  * ", remedy.what, width) + paragraph("    how:  ", remedy.how, width) +
            paragraph("    risk: ", remedy.risk, width);
  }
  return text;
}

std::string verdict(const DoctorReport& report) {
  const std::string& source = report.seen.machine.clocksource;
  const std::string& line = report.diagnosis.line;
  const std::string named = "clocksource " + source;
  return line.find(named) != std::string::npos ? line : line + " (" + named + ")";
}

}  // namespace

std::string render_doctor_text(const DoctorReport& report, bool verbose, std::size_t width) {
  std::string text = paragraph("verdict: ", verdict(report), width) +
                     paragraph("gain: ", gain(report), width) +
                     paragraph("next: ", next(report), width);
  std::string also;
  for (std::size_t i = 1; i < report.diagnosis.findings.size(); ++i) {
    const Finding& finding = report.diagnosis.findings[i];
    also +=
        paragraph("also: ", std::string(verdict_name(finding.kind)) + ": " + finding.text, width);
  }
  // Where the counters simply agree there is nothing to be said.
  const CountersFound counters = report.seen.counters.found;
  if (counters != CountersFound::agree && counters != CountersFound::unknown)
    also += paragraph("counters: ", report.seen.counters.text, width);
  if (!report.seen.saved.problem.empty())
    also += paragraph("saved counters: ", saved(report.seen.saved), width);
  if (!also.empty()) text += "\n" + also;
  if (report.program) text += program(*report.program, width);
  text += remedies_text(report, width);
  text += list("could not be seen", report.unseen(), width);
  if (!verbose) return text + "\n--verbose: also the facts about machine, clocks and counter\n";
  text += "\n" + machine(report.seen.machine) + clocks(report.seen) + counter(report.seen);
  return text + trial(report) + list("kernel log", report.seen.machine.log, width);
}

}  // namespace clockshim::cli
