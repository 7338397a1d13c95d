#include <fmt/format.h>

#include "cli/console/figures.h"
#include "cli/doctor/render_doctor.h"

namespace clockshim::cli {
namespace {

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : " ") + part;
  return text.empty() ? "unknown" : text;
}

std::string line(const std::string& name, const std::string& value) {
  return fmt::format("  {:<16}{}\n", name, value);
}
std::string list(const std::string& heading, const std::vector<std::string>& lines) {
  if (lines.empty()) return "";
  std::string text = "\n" + heading + "\n";
  for (const std::string& l : lines) text += "  " + l + "\n";
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

std::string cell(const Cost* cost) {
  return cost == nullptr ? "-" : fmt::format("{:.1f}", cost->median);
}

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
  std::string text =
      "\nclocks: ns a call, medians\n" + fmt::format(kLine, "clock", "answered by", "bare",
                                                     "system call", "shim strict", "shim relaxed");
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

std::string gain(const DoctorReport& report) {
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
  if (const auto share = report.cpu_share_saved()) {
    text += "  process " + std::to_string(*report.program->pid) + " asks " +
            printed("%.0f", *report.program->calls_a_second) +
            " times a second by system call: that would save " + printed("%.1f %%", *share * 100) +
            " of a CPU\n";
  }
  return text;
}

std::string program(const ProgramFacts& facts) {
  std::string text =
      "\n" + facts.target +
      (facts.path.empty() || facts.path == facts.target ? "" : " (" + facts.path + ")") + "\n";
  text += facts.loaded    ? "  the shim is in it\n"
          : facts.takes() ? "  the shim will take\n"
                          : "  the shim will not take\n";
  for (const std::string& obstacle : facts.obstacles) text += "  - " + obstacle + "\n";
  for (const std::string& note : facts.notes) text += "  note: " + note + "\n";
  return text;
}

std::string remedies_text(const DoctorReport& report) {
  if (report.remedies.empty()) return "";
  std::string text = "\nwhat else would help (" + report.remedies_page + ")\n";
  for (const Remedy& remedy : report.remedies)
    text +=
        "  * " + remedy.what + "\n    how:  " + remedy.how + "\n    risk: " + remedy.risk + "\n";
  return text;
}

}  // namespace

std::string render_doctor_text(const DoctorReport& report) {
  std::string text = "verdict: " + report.diagnosis.line + "\n";
  for (std::size_t i = 1; i < report.diagnosis.findings.size(); ++i) {
    const Finding& finding = report.diagnosis.findings[i];
    text += "also: " + std::string(verdict_name(finding.kind)) + ": " + finding.text + "\n";
  }
  text += "\n" + machine(report.seen.machine) + clocks(report.seen) + counter(report.seen);
  text += list("kernel log", report.seen.machine.log);
  text += gain(report);
  if (report.program) text += program(*report.program);
  text += remedies_text(report);
  return text + list("could not be seen", report.unseen());
}

}  // namespace clockshim::cli
