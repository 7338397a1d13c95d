// The exported functions, and nothing else. They run anywhere: before any constructor and after every destructor, in
// signal handlers, after fork, vfork and clone, in cancelled threads. So: no lock, no allocation, no cancellation point,
// nothing that is not right when all memory is zero.
#include <sys/time.h>

#include <ctime>

#include "base/attributes.h"
#include "base/clock_id.h"
#include "callsite/site_table.h"
#include "clock/served_clock.h"
#include "os/real_clock.h"
#include "preload/lifecycle.h"

namespace clockshim {
namespace {

// What a miss needs of the exported function's caller: its return address, where its stack stood, and its rbp, which is
// untouched because this file is compiled with rbp reserved (-ffixed-rbp). Scalars, so that a miss is a jump.
#define CLOCKSHIM_CALLER() __builtin_return_address(0), __builtin_dwarf_cfa(), frame_register()

CLOCKSHIM_INLINE void* frame_register() {
  void* frame;
  asm("mov %%rbp, %0" : "=r"(frame));
  return frame;
}

SiteKey key_of(void* return_address, unsigned clock, Function function) {
  return SiteKey{reinterpret_cast<std::uintptr_t>(return_address), clock, function};
}

// The other side of the exported functions' gates: a site's first sight or a caller behind a wrapper, a segment that is
// over, a clock or an argument that is not ours. True: `now` is the answer. False: the real function's turn, counted as such.
bool miss(unsigned clock, Function function, bool ours, Ticks ticks, timespec& now, void* pc, void* stack, void* frame) noexcept {
  if (!g_uncounted) {
    const Frame caller{reinterpret_cast<std::uintptr_t>(pc), reinterpret_cast<std::uintptr_t>(stack), reinterpret_cast<std::uintptr_t>(frame)};
    g_sites.count_elsewhere(key_of(pc, clock, function), caller);
  }
  if (ours && (g_clock.timeline.read(clock, ticks, now) || read_slow(clock, now))) return true;
  if (!g_uncounted) g_sites.count_real(clock);
  return false;
}

CLOCKSHIM_NOINLINE int clock_gettime_miss(clockid_t id, timespec* tp, Ticks ticks, void* pc, void* stack, void* frame) noexcept {
  timespec now;
  const bool ours = tp != nullptr && static_cast<unsigned>(id) < kClockIds;
  if (!miss(clock_index(id), Function::clock_gettime, ours, ticks, now, pc, stack, frame)) return real::clock_gettime(id, tp);
  *tp = now;
  return 0;
}

CLOCKSHIM_NOINLINE int gettimeofday_miss(timeval* tv, void* tz, Ticks ticks, void* pc, void* stack, void* frame) noexcept {
  timespec now;
  const bool ours = tv != nullptr && tz == nullptr;
  if (!miss(CLOCK_REALTIME, Function::gettimeofday, ours, ticks, now, pc, stack, frame)) return real::gettimeofday(tv, tz);
  tv->tv_sec = now.tv_sec;
  tv->tv_usec = now.tv_nsec / 1000;
  return 0;
}

CLOCKSHIM_NOINLINE int timespec_get_miss(timespec* ts, int base, Ticks ticks, void* pc, void* stack, void* frame) noexcept {
  timespec now;
  const bool ours = ts != nullptr && base == TIME_UTC;
  if (!miss(CLOCK_REALTIME, Function::timespec_get, ours, ticks, now, pc, stack, frame)) {
    if (base != TIME_UTC) return real_timespec_get(ts, base);
    return real::clock_gettime(CLOCK_REALTIME, ts) == 0 ? base : 0;
  }
  *ts = now;
  return base;
}

}  // namespace
}  // namespace clockshim

using namespace clockshim;

CLOCKSHIM_EXPORT int clock_gettime(clockid_t id, timespec* tp) noexcept {
  const Ticks ticks = g_clock.counter();
  const auto clock = static_cast<unsigned>(id);
  void* const pc = __builtin_return_address(0);
  timespec now;
  if (CLOCKSHIM_LIKELY(clock < kClockIds && tp != nullptr && g_clock.timeline.read(clock, ticks, now) &&
                       SiteTable::count_again(key_of(pc, clock, Function::clock_gettime)))) {
    *tp = now;
    return 0;
  }
  return clock_gettime_miss(id, tp, ticks, CLOCKSHIM_CALLER());
}

CLOCKSHIM_EXPORT int gettimeofday(timeval* __restrict tv, void* __restrict tz) noexcept {
  const Ticks ticks = g_clock.counter();
  void* const pc = __builtin_return_address(0);
  timespec now;
  if (CLOCKSHIM_LIKELY(tv != nullptr && tz == nullptr && g_clock.timeline.read(CLOCK_REALTIME, ticks, now) &&
                       SiteTable::count_again(key_of(pc, CLOCK_REALTIME, Function::gettimeofday)))) {
    tv->tv_sec = now.tv_sec;
    tv->tv_usec = now.tv_nsec / 1000;  // a multiplication, once compiled
    return 0;
  }
  return gettimeofday_miss(tv, tz, ticks, CLOCKSHIM_CALLER());
}

CLOCKSHIM_EXPORT int timespec_get(timespec* ts, int base) noexcept {
  const Ticks ticks = g_clock.counter();
  void* const pc = __builtin_return_address(0);
  timespec now;
  if (CLOCKSHIM_LIKELY(ts != nullptr && base == TIME_UTC && g_clock.timeline.read(CLOCK_REALTIME, ticks, now) &&
                       SiteTable::count_again(key_of(pc, CLOCK_REALTIME, Function::timespec_get)))) {
    *ts = now;
    return base;
  }
  return timespec_get_miss(ts, base, ticks, CLOCKSHIM_CALLER());
}
