#include "cli/doctor/verdict.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cli/console/figures.h"

namespace clockshim::cli {
namespace {

// NTP slews the kernel's clock by up to 500 ppm, in either direction, so the two halves of a
// measurement may differ by 1000.
constexpr double kMostSlewPpm = 500;
constexpr double kMostPaceChangePpm = 2 * kMostSlewPpm;
// Claims are exact to their last digit, but the clock that they are compared with may be slewed,
// and a claim in MHz is off by up to a kHz.
constexpr double kMostClaimPpm = 2 * kMostSlewPpm;

constexpr std::string_view kUnstable = "Marking TSC unstable due to ";

void find_trap(const Evidence& seen, std::vector<Finding>& findings) {
  if (seen.machine.counter_forbidden) {
    findings.push_back({Verdict::trapped, "this process may not read the counter (PR_SET_TSC)"});
    return;
  }
  const auto& counter = seen.measured.counter;
  // An instruction that costs more than entering the kernel enters something, too: the hypervisor.
  if (!counter || counter->median <= seen.measured.null_syscall.median) return;
  findings.push_back({Verdict::trapped, "rdtsc takes " + ns(counter->median) +
                                            ", more than a system call that does nothing (" +
                                            ns(seen.measured.null_syscall.median) +
                                            "): the hypervisor intercepts it"});
}

void find_warp(const Evidence& seen, std::vector<Finding>& findings) {
  const WarpPair worst = seen.warp.worst();
  if (worst.backward == 0) return;
  const double mhz = seen.measured.frequency.mhz;
  std::string text = "the counters of CPU " + std::to_string(worst.first) + " and " +
                     std::to_string(worst.second) + " disagree by " +
                     std::to_string(worst.greatest) + " ticks";
  if (mhz > 0) text += " (" + ns(static_cast<double>(worst.greatest) * 1e3 / mhz) + ")";
  findings.push_back({Verdict::unsynchronised, text + " or more"});
}

void find_bad_pace(const Evidence& seen, std::vector<Finding>& findings) {
  const Measured& m = seen.measured;
  if (!m.counter) return;
  if (m.frequency.mhz <= 0) {
    findings.push_back(
        {Verdict::untrustworthy, "the counter did not go forward while the clock did"});
    return;
  }
  if (std::fabs(m.pace_change_ppm) - m.pace_error_ppm > kMostPaceChangePpm) {
    findings.push_back(
        {Verdict::untrustworthy,
         "the counter's pace changed by " + ppm(m.pace_change_ppm) + " within the measurement"});
  }
  for (const FrequencyClaim& claim : seen.machine.processor.claims) {
    const double off = (m.frequency.mhz / claim.mhz - 1) * 1e6;
    if (!claim.exact || std::fabs(off) - m.frequency.error_ppm <= kMostClaimPpm) continue;
    findings.push_back({Verdict::untrustworthy, "the counter runs at " + mhz(m.frequency.mhz) +
                                                    ", " + ppm(off) + " off what " + claim.by +
                                                    " says (" + mhz(claim.mhz) + ")"});
  }
}

// The kernel rejects the TSC because of what it measured, or because of what it assumes of a CPU or
// a board. Only the former counts.
void find_kernels_doubts(const Evidence& seen, std::vector<Finding>& findings) {
  const std::string reason = kernels_reason(seen.machine);
  const auto says = [&](const char* part) { return reason.find(part) != std::string::npos; };
  if (says("watchdog"))
    findings.push_back(
        {Verdict::untrustworthy,
         "the kernel's watchdog saw it part from another clock: \"" + reason + "\""});
  if (says("halts in idle"))
    findings.push_back(
        {Verdict::untrustworthy, "it stops when the CPU is idle: \"" + reason + "\""});
  if (says("check_tsc_sync_source") || says("warp")) {
    // The kernel's finding stands if our own test found the same, or found nothing out.
    const bool agree_now = !seen.warp.pairs.empty() && seen.warp.worst().backward == 0;
    findings.push_back({agree_now ? Verdict::untrustworthy : Verdict::unsynchronised,
                        "the kernel saw the CPUs' counters disagree: \"" + reason + "\""});
  }
  const Machine& machine = seen.machine;
  if (!machine.processor.guest && !machine.processor.invariant && machine.flags_known &&
      !(has_flag(machine, "constant_tsc") && has_flag(machine, "nonstop_tsc"))) {
    findings.push_back(
        {Verdict::untrustworthy, "the CPU does not promise a constant rate (no invariant TSC)"});
  }
}

void find_slow_clocks(const Evidence& seen, std::vector<Finding>& findings) {
  std::string slow;
  double dearest = 0;
  bool in_kernel = false;
  for (const char* name : {"realtime", "monotonic"}) {
    const ClockCosts* clock = find_clock(seen.measured, name);
    if (clock == nullptr || !clock->there) continue;
    const bool by_kernel = clock->served_by == ServedBy::system_call;
    if (!by_kernel && clock->bare.median <= seen.measured.null_syscall.median) continue;
    slow += (slow.empty() ? "" : " and ") + std::string(name);
    dearest = std::max(dearest, clock->bare.median);
    in_kernel = in_kernel || by_kernel;
  }
  if (slow.empty()) return;
  std::string text = slow + (in_kernel ? ": a system call of " : ": the vDSO takes ") + ns(dearest);
  if (seen.measured.fenced)
    text += ", where the counter is read in " + ns(seen.measured.fenced->median);
  if (in_kernel) text += " (clocksource " + seen.machine.clocksource + ")";
  findings.push_back({Verdict::slow_clock, text});
}

}  // namespace

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::slow_clock: return "slow clock";
    case Verdict::untrustworthy: return "untrustworthy TSC";
    case Verdict::unsynchronised: return "unsynchronised TSC";
    case Verdict::trapped: return "trapped TSC";
    case Verdict::healthy: break;
  }
  return "healthy";
}

std::string kernels_reason(const Machine& machine) {
  std::string reason;
  for (const std::string& line : machine.log) {
    const auto at = line.find(kUnstable);
    if (at != std::string::npos) reason = line.substr(at + kUnstable.size());
    if (line.find("TSC warp between CPUs") != std::string::npos) reason = line;
  }
  return reason;
}

Diagnosis diagnose(const Evidence& seen) {
  Diagnosis diagnosis;
  auto& findings = diagnosis.findings;
  find_trap(seen, findings);
  find_warp(seen, findings);
  find_bad_pace(seen, findings);
  find_kernels_doubts(seen, findings);
  find_slow_clocks(seen, findings);
  std::stable_sort(findings.begin(), findings.end(),
                   [](const Finding& a, const Finding& b) { return a.kind > b.kind; });
  if (findings.empty()) {
    const ClockCosts* clock = find_clock(seen.measured, "monotonic");
    diagnosis.line = "healthy: the vDSO reads the clock" +
                     (clock == nullptr ? "" : " in " + ns(clock->bare.median));
    if (!seen.warp.pairs.empty()) {
      const double mhz = seen.measured.frequency.mhz;
      diagnosis.line += "; the CPUs' counters agree to within " +
                        ns(static_cast<double>(seen.warp.within()) * 1e3 / mhz);
    }
    if (seen.warp.pairs.empty() && seen.warp.untested > 0)
      diagnosis.line += "; whether the CPUs' counters agree was not to be seen";
    return diagnosis;
  }
  diagnosis.verdict = findings.front().kind;
  diagnosis.line = std::string(verdict_name(diagnosis.verdict)) + ": " + findings.front().text;
  return diagnosis;
}

bool found(const Diagnosis& diagnosis, Verdict kind) {
  return std::any_of(diagnosis.findings.begin(), diagnosis.findings.end(),
                     [kind](const Finding& f) { return f.kind == kind; });
}

double saved_ns(const Evidence& seen, std::string_view clock) {
  const ClockCosts* bare = find_clock(seen.measured, clock);
  const Row* shim = seen.strict.row(clock);
  if (bare == nullptr || shim == nullptr || !seen.strict.served()) return 0;
  return bare->bare.median - shim->cost.median;
}

}  // namespace clockshim::cli
