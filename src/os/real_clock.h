// The kernel's clock: the vDSO's entry where there is one, else the raw system call. What callers
// are handed on to is the same, but where chain_to() was told of another library that interposes
// these functions. No dlsym, no malloc, no lock, no libc state but errno (and that only where
// said): callable at any time, from the loader's first relocation to after the last destructor, in
// signal handlers and after fork. All-zero state works.
#pragma once

#include <sys/time.h>

#include <ctime>

#include "base/attributes.h"
#include "base/nanos.h"

namespace clockshim::real {

using ClockGettime = int (*)(clockid_t, timespec*);
using Gettimeofday = int (*)(timeval*, void*);
using TimespecGet = int (*)(timespec*, int);

// Other definitions of the functions, which callers are to be handed on to. Null: the kernel's
// clock.
struct Functions {
  ClockGettime clock_gettime = nullptr;
  Gettimeofday gettimeofday = nullptr;
  TimespecGet timespec_get = nullptr;
  TimespecGet c_timespec_get = nullptr;  // the C library's, for bases other than TIME_UTC
};

// From now on the three functions below call these; read() stays with the kernel. At start.
void chain_to(const Functions& functions) noexcept;

// As the C library's own clock_gettime: 0, or -1 with errno set. errno is untouched on success.
int clock_gettime(clockid_t id, timespec* tp) noexcept;

// As the C library's own gettimeofday on this platform: the vDSO's entry is called directly, and
// its result, which on failure is a negative errno, passes through; without a vDSO 0, or -1 with
// errno set.
int gettimeofday(timeval* tv, void* tz) noexcept;

// As the C library's own timespec_get, which succeeds for TIME_UTC whatever became of the reading.
// Before start it knows no other base, and answers 0 to one.
int timespec_get(timespec* ts, int base) noexcept;

// A reading for our own use: no errno. False where the kernel refuses this clock.
bool read(clockid_t id, Nanos& out) noexcept;

// True where the vDSO's clock_gettime was found (it may still fall back to a system call inside).
bool has_vdso() noexcept;

}  // namespace clockshim::real
