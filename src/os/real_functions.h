// The next definitions, behind ours in the loader's search order, of the functions that this
// library interposes: the C library's own, or another library's. All are looked up in one place, at
// start. (What clock calls are passed through to is in os/real_clock.h: most of them need no C
// library.)
#pragma once

#include <link.h>
#include <sys/time.h>
#include <sys/timex.h>

#include <atomic>
#include <cstddef>
#include <ctime>

#include "base/attributes.h"

namespace clockshim {

// Each is null until it has been looked up, and where there is none. Once it is there, a load is
// all that a call costs: async-signal-safe, without a lock.
struct RealFunctions {
  // <unistd.h> and <sys/prctl.h> declare the first two with "...". In the C library they take seven
  // and five words.
  std::atomic<long (*)(long, long, long, long, long, long, long)> syscall;
  std::atomic<int (*)(int, unsigned long, unsigned long, unsigned long, unsigned long)> prctl;
  std::atomic<int (*)(void*)> dlclose;
  std::atomic<decltype(&::dl_iterate_phdr)> dl_iterate_phdr;
  std::atomic<int (*)(clockid_t, const timespec*)> clock_settime;
  std::atomic<int (*)(const timeval*, const struct timezone*)> settimeofday;
  std::atomic<int (*)(const timeval*, timeval*)> adjtime;
  std::atomic<int (*)(timex*)> adjtimex;
  std::atomic<int (*)(timex*)> ntp_adjtime;
  std::atomic<int (*)(clockid_t, timex*)> clock_adjtime;
  std::atomic<bool> found;
};

// The name is for the assembly in preload/containment.cpp, which reads `syscall`.
CLOCKSHIM_HIDDEN extern constinit RealFunctions g_real_functions asm("clockshim_real_functions");
static_assert(offsetof(RealFunctions, syscall) == 0);

// Looks all of them up. At start: takes the loader's lock.
void find_real_functions() noexcept;

// For a call that may come before start, from a constructor that runs before ours: looks them up
// then. Not in a signal handler before start.
inline RealFunctions& real_functions() noexcept {
  if (CLOCKSHIM_UNLIKELY(!g_real_functions.found.load(std::memory_order_acquire)))
    find_real_functions();
  return g_real_functions;
}

}  // namespace clockshim
