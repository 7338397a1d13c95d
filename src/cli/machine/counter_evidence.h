// What the command can tell the library of the CPUs' counters. Where the kernel does not vouch for
// them (another clocksource than tsc), they are compared before a program is started: twice, with a
// pause between, so that a drift shows too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/nanos.h"
#include "cli/machine/warp_probe.h"
#include "os/settings.h"

namespace clockshim::cli {

enum class CountersFound { unknown, agree, disagree };

struct CounterEvidence {
  CountersFound found = CountersFound::unknown;
  std::uint64_t within =
      0;  // ticks that no CPU's counter is ahead by more, of one that it was compared with
  std::string text;  // for people: what was found, or why nothing was
};

// Compares the counters of `cpus` with each other, for some 60 ms where there are two. They agree
// where none was ever behind and none can be apart by more than a quarter of `tolerance`.
CounterEvidence compare_counters(const std::vector<int>& cpus, Nanos tolerance, ReadCounter read);

// As far as there is a question, and it may be asked: "" where the settings or the clocksource have
// answered it. `online`: CPUs that run; where we may use only some of them, a command might use
// others.
CounterEvidence find_evidence(const Settings& settings, std::string_view clocksource,
                              const std::vector<int>& cpus, std::size_t online, ReadCounter read);

// The same of this machine. What is found is told where the settings say `info`.
CounterEvidence look_at_counters(const Settings& settings);

// The value of CLOCKSHIM_COUNTERS that says so to the library; "" for what it had better find out
// itself.
std::string handed_over(const CounterEvidence& evidence);

// The pairs that are compared: each CPU with the first, and with each other where they are few.
std::vector<WarpPair> pairs_of_evidence(const std::vector<int>& cpus);

}  // namespace clockshim::cli
