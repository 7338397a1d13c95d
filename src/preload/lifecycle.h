// What the exported functions share with start and exit.
#pragma once

#include <ctime>

namespace clockshim {

// CLOCKSHIM_PROFILE=off. Zero before the constructor: calls are counted until it says otherwise.
extern constinit bool g_uncounted;

// The C library's own timespec_get, for bases other than TIME_UTC; 0 (its answer to a base it does not know) before start.
int real_timespec_get(timespec* ts, int base) noexcept;

}  // namespace clockshim
