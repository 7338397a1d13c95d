// The evidence about the CPUs' counters that the command passes to the library. If the kernel does
// not vouch for them (a clocksource other than tsc), they are compared before a program is started:
// twice, with a pause in between, so that a drift shows, too.
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
      0;  // no CPU's counter is ahead of one that it was compared with by more than this many ticks
  std::string text;  // what was found, or why nothing was, for people
};

// Compares the counters of `cpus`, for some 60 ms if there are two. They agree if none was ever
// behind and none can differ by more than a quarter of `tolerance`.
CounterEvidence compare_counters(const std::vector<int>& cpus, Nanos tolerance, ReadCounter read);

// Compares if that is needed and allowed. The text is "" if the settings or the clocksource have
// decided already. `online` are the CPUs that run: if we may use only some of them, a command might
// use others.
CounterEvidence find_evidence(const Settings& settings, std::string_view clocksource,
                              const std::vector<int>& cpus, std::size_t online, ReadCounter read);

// The same for this machine. The finding is logged at level `info`.
CounterEvidence look_at_counters(const Settings& settings);

// The value of CLOCKSHIM_COUNTERS that passes the evidence to the library; "" if the library should
// find out itself.
std::string handed_over(const CounterEvidence& evidence);

// The pairs to compare: each CPU with the first, and all pairs if the CPUs are few.
std::vector<WarpPair> pairs_of_evidence(const std::vector<int>& cpus);

}  // namespace clockshim::cli
