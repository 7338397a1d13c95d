// The settings of a timeline. They are written once, before anything is served.
#pragma once

#include <cstdint>

#include "base/clock_id.h"
#include "base/nanos.h"

namespace clockshim {

struct TimelineSettings {
  Nanos tolerance;
  ClockMask clocks = 0;  // 0: nothing is served
  Nanos granularity{0};  // the step in which the real clock advances
  Nanos coarse_tick{0};  // the step in which the coarse clocks advance; 0: there are none, and only
                         // resyncs find steps
  unsigned cpus =
      0;  // the CPUs configured in this machine (initially 0, because this is zeroed memory)
  // The ticks by which each CPU's counter is ahead, kMaxCpus of them: the source of readings takes
  // them off, so that the counters agree. kNoOffset where a CPU was not compared. Null: readings
  // are as the counters are.
  const std::int64_t* offsets = nullptr;
  bool relaxed = false;
  bool per_cpu = false;  // start with one domain for each CPU
  bool can_tell_cpus = false;
  bool may_promote = false;  // to one domain for all CPUs, once the counters were seen to agree
};

}  // namespace clockshim
