// One schedule's machine, settings and disturbances: all that a case and a seed decide before it
// runs.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <vector>

#include "machine.h"

namespace sim {

enum class Kind {
  wall_step,          // CLOCK_REALTIME and TAI, by `amount` ns
  frequency,          // the kernel's clocks but RAW run faster by `amount` ppm from now on
  counter_forward,    // all counters, by `amount` ns worth of ticks
  counter_backward,   // the same, back
  rate_change,        // all counters, to `amount` thousandths of their rate
  suspend_counting,   // all sleeps for `amount` ns, the counters go on
  suspend_restarted,  // ... and start at 0 again
  suspend_stopped,    // ... and go on from where they were
  cpu_jump,           // one CPU's counter, by `amount` ns worth of ticks
  cpu_drift,          // one CPU's counter runs faster by `amount` ppm from now on
  counter_stop,       // all counters
  steal,              // one CPU runs nothing for `amount` ns
  steal_all,          // none does
};
const char* name_of(Kind kind);

// Where counters differ by constants, the offset between two of them is known but for this.
inline constexpr std::int64_t kOffsetErrorNs = 4;

// An unfenced counter is read by so much early.
inline constexpr std::int64_t kUnfencedNs = 5;

struct Disturbance {
  Kind kind;
  Ps at;
  std::int64_t amount;
  unsigned cpu = 0;
};

struct Plan {
  std::string name;
  std::uint64_t seed = 0;

  // The machine.
  unsigned cpus = 2;
  std::vector<double> hz;             // of each CPU's counter
  std::vector<std::int64_t> offsets;  // its ticks at time 0
  Ps granularity = kNs;               // of the real clock
  Ps cheapest = 20 * kNs;             // what reading it takes
  Ps dearest = 60 * kNs;
  Ps way_there = 10 * kNs;  // of the cheapest: until the value is had. What a reading costs more is
                            // a delay before or after
  Ps tick = 4 * kMs;

  // The settings.
  std::int64_t tolerance = 10'000;
  bool relaxed = false;
  bool per_cpu = false;
  bool may_promote = false;
  // Readings are less these, which are the counters' offsets but for an error: the counters differ
  // by constants. Empty: they are taken as they are. kNoOffset: that CPU was not compared.
  std::vector<std::int64_t> known_offsets;

  // The threads.
  unsigned threads = 3;
  bool pinned = false;         // one to a CPU at least, and no migration
  bool unnumbered = false;     // the last thread never finds a slot
  bool shared_number = false;  // all share one: raw clones, handlers that interrupt a resync
  bool tight = false;          // bursts without pauses, where threads meet
  std::vector<clockid_t> clocks;
  Ps longest_preemption = 50 * kMs;
  std::int64_t accesses_between =
      300;  // accesses to atomics from one preemption to the next, twice that at most
  std::uint64_t long_one_in =
      8;                     // most preemptions are only a cache miss; one in so many is longer
  std::int64_t pause = kUs;  // the usual one between two calls is up to four times this
  bool sleeps = true;        // now and then one for milliseconds

  std::vector<Disturbance> disturbances;
  Ps ends = 0;
  bool exact = false;  // nothing but preemption happens: served times keep the kernel's order, too
                       // (checker.h)
};

// The schedule starts at this time, so that the past is there to be asked for.
inline constexpr Ps kStart = kSec;

struct Case {
  const char* name;
  const char* what;
  unsigned weight;  // how many of the schedules of a round; 0: run only where it is named
  void (*plan)(Plan& plan, Random& random);
};
const std::vector<Case>& cases();
Plan plan_for(const Case& c, std::uint64_t seed);

// Whether the counters of all CPUs agree, whatever happens to all of them together: nothing that
// threads can see may then part the CPUs.
bool counters_agree(const Plan& plan);

}  // namespace sim
