// What vouches at start that the CPUs' counters agree, or differ by constants.
#pragma once

#include <cstdint>
#include <string>

#include "os/current_cpu.h"
#include "os/settings.h"

namespace clockshim {

struct CountersPlan {
  bool per_cpu = false;      // nothing vouches for them: each CPU gets a domain of its own
  bool may_promote = false;  // to one for all, once the counters were seen to agree
  // The ticks by which each CPU's counter is ahead, kCountersCpus of them; null: none is.
  const std::int64_t* offsets = nullptr;
  std::string mode;    // for the report
  std::string reason;  // for it, too
  std::string unused;  // why a counters file that is there is not believed; "" if there is none
};

// Decides from the settings, the clocksource and the counters file (os/counters_file.h), which is
// looked at only where it matters. `cpus` is how many the machine can have. At start only.
CountersPlan plan_counters(const Settings& settings, const std::string& clocksource, unsigned cpus,
                           const CpuCounter& counter);

}  // namespace clockshim
