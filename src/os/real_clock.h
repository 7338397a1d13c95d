// The kernel's clock: the vDSO's function if there is one, else the raw system call. Calls that
// pass through get the same, unless chain_to() was given another library that interposes these
// functions. Uses no dlsym, no malloc, no lock, and no state of the C library except errno (and
// that only where stated). So it may be called at any time, from the loader's first relocation to
// after the last destructor, in signal handlers and after fork. All-zero state is valid.
#pragma once

#include <sys/time.h>

#include <ctime>

#include "base/attributes.h"
#include "base/nanos.h"

namespace clockshim::real {

using ClockGettime = int (*)(clockid_t, timespec*);
using Gettimeofday = int (*)(timeval*, void*);
using TimespecGet = int (*)(timespec*, int);

// Other definitions of the functions, to which calls are passed on. Null: the kernel's clock.
struct Functions {
  ClockGettime clock_gettime = nullptr;
  Gettimeofday gettimeofday = nullptr;
  TimespecGet timespec_get = nullptr;
  TimespecGet c_timespec_get = nullptr;  // the C library's, for bases other than TIME_UTC
};

// From now on the three functions below call these; read() stays with the kernel. At start only.
void chain_to(const Functions& functions) noexcept;

// Like the C library's own clock_gettime: returns 0, or -1 with errno set. errno is untouched on
// success.
int clock_gettime(clockid_t id, timespec* tp) noexcept;

// Like the C library's own gettimeofday on this platform. The vDSO's function is called directly,
// and its result, a negative errno on failure, is returned as it is. Without a vDSO: 0, or -1 with
// errno set.
int gettimeofday(timeval* tv, void* tz) noexcept;

// Like the C library's own timespec_get, which succeeds for TIME_UTC even if the reading fails.
// Before start it knows no other base, and returns 0 for those.
int timespec_get(timespec* ts, int base) noexcept;

// Reads the kernel's clock for our own use, without touching errno. False: the kernel refuses this
// clock.
bool read(clockid_t id, Nanos& out) noexcept;

// Whether the vDSO's clock_gettime was found (it may still fall back to a system call).
bool has_vdso() noexcept;

}  // namespace clockshim::real
