// The kernel's clock, below every interposer: the vDSO's entry where there is one, else the raw system call.
// No dlsym, no malloc, no lock, no libc state but errno (and that only where said): callable at any time, from the
// loader's first relocation to after the last destructor, in signal handlers and after fork. All-zero state works.
#pragma once

#include <sys/time.h>

#include <ctime>

#include "base/attributes.h"
#include "base/nanos.h"

namespace clockshim::real {

// As the C library's own clock_gettime: 0, or -1 with errno set. errno is untouched on success.
int clock_gettime(clockid_t id, timespec* tp) noexcept;

// As the C library's own gettimeofday on this platform: the vDSO's entry is called directly, and its result, which on
// failure is a negative errno, passes through; without a vDSO 0, or -1 with errno set.
int gettimeofday(timeval* tv, void* tz) noexcept;

// A reading for our own use: no errno. False where the kernel refuses this clock.
bool read(clockid_t id, Nanos& out) noexcept;

// True where the vDSO's clock_gettime was found (it may still fall back to a system call inside).
bool has_vdso() noexcept;

}  // namespace clockshim::real
