// Derives a verdict from facts. It is pure: the caller passes in what was seen, so each case can be
// tested on any machine.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/machine/clocks_measured.h"
#include "cli/machine/machine_facts.h"
#include "cli/machine/saved_counters.h"
#include "cli/machine/shim_trial.h"
#include "cli/machine/warp_probe.h"

namespace clockshim::cli {

// What was seen by machine_facts, clocks_measured, counter_evidence, saved_counters and shim_trial.
struct Evidence {
  Machine machine;
  Measured measured;
  WarpResult warp;           // what the comparison of the counters saw
  CounterEvidence counters;  // and what follows from it
  SavedCounters saved;
  ShimTrial strict;
  ShimTrial relaxed;
};

// In ascending order of severity: the verdict is the most severe finding.
enum class Verdict : std::uint8_t { healthy, slow_clock, untrustworthy, unsynchronised, trapped };

std::string_view verdict_name(Verdict verdict);  // "healthy", "slow clock", "untrustworthy TSC",
                                                 // "unsynchronised TSC", "trapped TSC"

struct Finding {
  Verdict kind = Verdict::healthy;
  std::string text;
};

struct Diagnosis {
  Verdict verdict = Verdict::healthy;
  std::string line;               // the verdict and its reason
  std::vector<Finding> findings;  // most severe first; empty: healthy
};

Diagnosis diagnose(const Evidence& seen);

[[nodiscard]] bool found(const Diagnosis& diagnosis, Verdict kind);

// Why the kernel rejected the TSC, in its own words; "" if the log does not say.
std::string kernels_reason(const Machine& machine);

// What the shim saves for each call of this clock, in ns; negative: it costs. Zero if it serves
// nothing or could not be tried.
double saved_ns(const Evidence& seen, std::string_view clock);

}  // namespace clockshim::cli
