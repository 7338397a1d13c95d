// The next definitions, behind ours in the loader's search order, of the functions that this
// library interposes: the C library's own, or another library's. And what the C library has under
// different versions, in different files or not at all, depending on its age: imported by name, it
// would keep the library from being loaded by older ones. All are looked up in one place, at start.
// (What clock calls are passed through to is in os/real_clock.h: most of them need no C library.)
#pragma once

#include <link.h>
#include <pthread.h>
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

  // In libdl.so.2 and libpthread.so.0 before glibc 2.34, which not every host has loaded.
  std::atomic<void* (*)(void*, const char*)> dlsym;
  std::atomic<int (*)(pthread_key_t*, void (*)(void*))> pthread_key_create;
  std::atomic<int (*)(pthread_key_t)> pthread_key_delete;
  std::atomic<int (*)(pthread_key_t, const void*)> pthread_setspecific;
  // From glibc 2.35 on.
  std::atomic<int (*)(void*, void*)> dl_find_object;
  std::atomic<const std::ptrdiff_t*> rseq_offset;
  std::atomic<const unsigned*> rseq_size;

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
