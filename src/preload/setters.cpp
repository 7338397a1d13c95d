// The functions by which a process sets or slews its clocks. Each lets the real one do it, and then
// closes all published segments, so that the next call serves the new time at once. What other
// processes set is noticed by the timeline's check against the coarse clocks.
#include <sys/time.h>
#include <sys/timex.h>

#include <cerrno>
#include <ctime>

#include "base/attributes.h"
#include "clock/served_clock.h"
#include "os/real_functions.h"

namespace clockshim {
namespace {

// Fails with ENOSYS where there is no real function.
template <class Function, class... Args>
int set_clock(const std::atomic<Function>& real, Args... args) noexcept {
  const Function function = real.load(std::memory_order_relaxed);
  if (function == nullptr) {
    errno = ENOSYS;
    return -1;
  }
  const int result = function(args...);
  g_clock.timeline.clocks_were_set();
  return result;
}

}  // namespace
}  // namespace clockshim

using namespace clockshim;

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library's own names are
// reserved
CLOCKSHIM_EXPORT int clock_settime(clockid_t id, const timespec* tp) noexcept {
  return set_clock(real_functions().clock_settime, id, tp);
}

CLOCKSHIM_EXPORT int settimeofday(const timeval* tv, const struct timezone* tz) noexcept {
  return set_clock(real_functions().settimeofday, tv, tz);
}

CLOCKSHIM_EXPORT int adjtime(const timeval* delta, timeval* olddelta) noexcept {
  return set_clock(real_functions().adjtime, delta, olddelta);
}

CLOCKSHIM_EXPORT int adjtimex(timex* t) noexcept { return set_clock(real_functions().adjtimex, t); }

CLOCKSHIM_EXPORT int ntp_adjtime(timex* t) noexcept {
  return set_clock(real_functions().ntp_adjtime, t);
}

CLOCKSHIM_EXPORT int clock_adjtime(clockid_t id, timex* t) noexcept {
  return set_clock(real_functions().clock_adjtime, id, t);
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
