// The functions by which a process sets or slews its clocks. The real one does it; then nothing
// that was published before is believed any more, so that the next call sees the new time at once.
// Other processes' setting is found by Timeline's look at the coarse clocks.
#include <dlfcn.h>
#include <sys/time.h>
#include <sys/timex.h>

#include <atomic>
#include <cerrno>
#include <ctime>

#include "base/attributes.h"
#include "clock/served_clock.h"

namespace clockshim {
namespace {

// Calls the next definition of `name` behind ours, looked up at the first call; ENOSYS where there
// is none.
template <class... Args>
int real_then_forget(std::atomic<void*>& cache, const char* name, Args... args) noexcept {
  void* next = cache.load(std::memory_order_acquire);
  if (next == nullptr) {
    next = dlsym(RTLD_NEXT, name);
    if (next == nullptr) {
      errno = ENOSYS;
      return -1;
    }
    cache.store(next, std::memory_order_release);
  }
  const int result = reinterpret_cast<int (*)(Args...)>(next)(args...);
  g_clock.timeline.clocks_were_set();
  return result;
}

constinit std::atomic<void*> g_clock_settime{};
constinit std::atomic<void*> g_settimeofday{};
constinit std::atomic<void*> g_adjtime{};
constinit std::atomic<void*> g_adjtimex{};
constinit std::atomic<void*> g_ntp_adjtime{};
constinit std::atomic<void*> g_clock_adjtime{};

}  // namespace
}  // namespace clockshim

using namespace clockshim;

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library's own names are
// reserved
CLOCKSHIM_EXPORT int clock_settime(clockid_t id, const timespec* tp) noexcept {
  return real_then_forget(g_clock_settime, "clock_settime", id, tp);
}

CLOCKSHIM_EXPORT int settimeofday(const timeval* tv, const struct timezone* tz) noexcept {
  return real_then_forget(g_settimeofday, "settimeofday", tv, tz);
}

CLOCKSHIM_EXPORT int adjtime(const timeval* delta, timeval* olddelta) noexcept {
  return real_then_forget(g_adjtime, "adjtime", delta, olddelta);
}

CLOCKSHIM_EXPORT int adjtimex(timex* t) noexcept {
  return real_then_forget(g_adjtimex, "adjtimex", t);
}

CLOCKSHIM_EXPORT int ntp_adjtime(timex* t) noexcept {
  return real_then_forget(g_ntp_adjtime, "ntp_adjtime", t);
}

CLOCKSHIM_EXPORT int clock_adjtime(clockid_t id, timex* t) noexcept {
  return real_then_forget(g_clock_adjtime, "clock_adjtime", id, t);
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
