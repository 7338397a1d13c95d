// The evidence about the CPUs' counters that the command passes to the library. If the kernel does
// not vouch for them (a clocksource other than tsc), they are compared before a program is started:
// at least twice, with a pause in between, so that a drift shows, too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/nanos.h"
#include "cli/machine/counter_offsets.h"
#include "cli/machine/warp_probe.h"
#include "os/settings.h"

namespace clockshim::cli {

enum class CountersFound {
  unknown,   // nothing is proved
  agree,     // no difference was seen
  constant,  // constants explain all that was seen
  drifts,    // the differences grow in proportion to time
  jumps      // neither
};

std::string_view name_of(CountersFound found);  // "unknown", "agree" and so on

struct CounterEvidence {
  CountersFound found = CountersFound::unknown;
  std::string text;       // what was found, or why nothing was, for people
  std::vector<int> cpus;  // that were compared, ascending
  std::vector<std::int64_t>
      offsets;                     // of each, in ticks; 0 unless the counters differ by constants
  std::vector<PairBounds> bounds;  // by positions in `cpus`: what all passes allow
  std::uint64_t within = 0;        // ticks: no corrected counter is ahead of another by more
  // Ticks: a handoff would have to be faster than the fastest one seen by so much to show corrected
  // time going back.
  std::int64_t margin = 0;
  double drift_ppm = 0;  // where they drift: the largest, of two CPUs
  WarpResult warp;       // all pairs, as they were without any correction

  [[nodiscard]] bool usable() const {
    return found == CountersFound::agree || found == CountersFound::constant;
  }
  [[nodiscard]] std::int64_t worst_offset() const;  // the largest difference of two offsets
};

// How carefully counters are compared. Each pass goes through all pairs.
struct Comparison {
  TickDelta enough{};                  // by how much counters may differ: see PassTest
  Nanos pass = milliseconds(20);       // the length of a pass, which the rounds share
  Nanos longest = milliseconds(4);     // the most for one round
  Nanos patience = milliseconds(200);  // what each pass may take in addition, if CPUs are busy
  Nanos pause = milliseconds(100);     // between passes, if the counters do not simply agree
};

// Compares the counters of `cpus`. They agree if two passes, 50 ms apart, saw none behind and none
// that can be ahead by more than is allowed. If not, constants are looked for that leave a margin
// in all passes, which are then further apart; and if there are none, a third pass tells drifts
// from jumps.
//
// How long it takes, without what busy CPUs add (at most 200 ms a pass): rounds = CPUs - 1, or as
// many as CPUs if their number is odd; a pass takes 4 ms for 2 CPUs, 20 ms for up to 41, and 0.5 ms
// a round for more: 128 ms for 256. So counters that agree take 60 ms for 2 CPUs, 90 for 41, 310
// for 256; constants with a pause of 100 ms 110, 140 and 400; drifts and jumps 220, 260 and 650.
CounterEvidence compare_counters(const std::vector<int>& cpus, const Comparison& how,
                                 PairComparer& comparer);

// The same on this machine, where counters may differ by a quarter of `tolerance`, or 2 us.
CounterEvidence compare_counters(const std::vector<int>& cpus, Nanos tolerance, ReadCounter read,
                                 Comparison how = {});

// Whether there is a question: the kernel does not vouch for the counters, the settings leave it
// open, and there are several CPUs.
bool is_open(const Settings& settings, std::string_view clocksource, std::size_t online);

// Compares if there is a question. The text is "" if there is none. `online` are the CPUs that run:
// if we may use only some of them, a command might use others.
CounterEvidence find_evidence(const Settings& settings, std::string_view clocksource,
                              const std::vector<int>& cpus, std::size_t online, ReadCounter read);

// How far counters may differ for this tolerance.
Nanos allowed_difference(Nanos tolerance);

}  // namespace clockshim::cli
