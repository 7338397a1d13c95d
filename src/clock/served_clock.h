// HOT PATH: the counter, then Timeline::read(), then SiteTable::count_again(); preload/interpose.cpp strings them together.
// No system call, lock, allocation, division, errno, shared write. Anything added has a measured price in the commit message.
#pragma once

#include <ctime>

#include "arch/counter.h"
#include "base/attributes.h"
#include "clock/timeline.h"
#include "os/real_clock.h"

namespace clockshim {

// The CPU's counter and the kernel's clocks.
struct KernelSource {
  static Ticks counter() noexcept { return Arch::ordered(); }
  static bool real(clockid_t id, Nanos& out) noexcept { return real::read(id, out); }
};

// This process's timeline and how to read the counter for it. All-zero: nothing is served, the order is strict.
struct ServedClock {
  Timeline<KernelSource> timeline;
  bool relaxed = false;  // CLOCKSHIM_ORDER=relaxed

  CLOCKSHIM_INLINE Ticks counter() const noexcept { return CLOCKSHIM_UNLIKELY(relaxed) ? Arch::unordered() : Arch::ordered(); }
};

extern constinit ServedClock g_clock;

// The gate was shut. `out` is the answer, and the result where it comes from; none: ask the real function.
CLOCKSHIM_SLOW Answer read_slow(unsigned id, timespec& out) noexcept;

}  // namespace clockshim
