// A disturbance of the whole machine (a sleep, a counter that starts again for all CPUs, a clock
// that is slewed beyond measure) looks like counters that disagree, but only once. Counters that
// disagree look so again and again. So evidence is what comes twice in a short while.
//
// Whoever reports to a Suspicion must see to it that one disturbance is reported once, whichever
// threads find it at the same time: by the one compare-and-swap that only one of them wins.
//
// Lock-free, async-signal-safe. Valid when all zero: nothing was reported yet.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/nanos.h"
#include "clock/policy.h"

namespace clockshim {

class Suspicion {
 public:
  // Reports a finding at the time `now` of CLOCK_BOOTTIME, which goes on while the machine sleeps.
  // True: another one came within policy::kSuspicionSpan, so it was no disturbance.
  bool again(Nanos now) noexcept {
    const Nanos last{last_.exchange(now.raw(), std::memory_order_relaxed)};
    return last.raw() != 0 && magnitude(now - last) < policy::kSuspicionSpan;
  }
  void clear() noexcept { last_.store(0, std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> last_{};
};

}  // namespace clockshim
