// The exported functions, and nothing else. They run anywhere: before any constructor and after
// every destructor, in signal handlers, after fork, vfork and clone, in cancelled threads. So: no
// lock, no allocation, no cancellation point, nothing that is not right when all memory is zero.
#include <sys/time.h>

#include <ctime>

#include "base/attributes.h"
#include "base/clock_id.h"
#include "callsite/site_table.h"
#include "clock/served_clock.h"
#include "os/real_clock.h"
#include "preload/lifecycle.h"
#include "preload/live_file.h"

namespace clockshim {
namespace {

// What a miss needs of the exported function's caller besides the site: where its stack stood, and
// its rbp, which is untouched because this file is compiled with rbp reserved (-ffixed-rbp).
// Scalars, so that a miss is a jump.
#define CLOCKSHIM_CALLER() __builtin_dwarf_cfa(), frame_register()
#define CLOCKSHIM_COUNTED(...) CLOCKSHIM_LIKELY(SiteTable::count_again(__VA_ARGS__))

// The C library's headers declare the pointers non-null, and with that the compiler leaves a check
// for null out. Programs pass null all the same, and get from the kernel what it says to it.
template <class T>
CLOCKSHIM_INLINE T* as_given(T* pointer) {
  asm("" : "+r"(pointer));
  return pointer;
}

CLOCKSHIM_INLINE void* frame_register() {
  void* frame;
  asm("mov %%rbp, %0" : "=r"(frame));
  return frame;
}

CLOCKSHIM_INLINE Frame frame_of(SiteKey site, void* stack, void* frame) {
  return Frame{site.return_address(), reinterpret_cast<std::uintptr_t>(stack),
               reinterpret_cast<std::uintptr_t>(frame)};
}

SiteKey key_of(void* return_address, unsigned clock, Function function) {
  return SiteKey{reinterpret_cast<std::uintptr_t>(return_address), clock, function};
}

// A call behind one wrapper, or one whose place in the table another has taken.
CLOCKSHIM_INLINE bool counted_near(SiteKey site, void* stack, void* frame) noexcept {
  return SiteTable::count_behind(site, frame_of(site, stack, frame)) ||
         SiteTable::count_beside(site);
}

// A call whose site this thread has not counted yet, or that came through several wrappers.
CLOCKSHIM_INLINE void count_elsewhere(SiteKey site, void* stack, void* frame) noexcept {
  if (g_uncounted) return;
  const Frame caller = frame_of(site, stack, frame);
  if (SiteTable::ready() && SiteTable::count_chain(site, caller)) return;
  g_sites.count_elsewhere(site, caller);
}

// The gate of the timeline was shut, or the clock or an argument is not ours. False: the real
// function's turn.
CLOCKSHIM_INLINE bool resynced(unsigned clock, bool ours, timespec& now) noexcept {
  const Answer answer = ours ? read_slow(clock, now) : Answer::none;
  if (answer != Answer::served && !g_uncounted) g_sites.count_real(clock);
  return answer != Answer::none;
}

CLOCKSHIM_SLOW int clock_gettime_slow(clockid_t id, timespec* tp) noexcept {
  timespec now;
  const bool ours =
      tp != nullptr && static_cast<unsigned>(id) < kClockIds && (all_servable() >> id & 1U) != 0;
  if (!resynced(clock_index(id), ours, now)) return real::clock_gettime(id, tp);
  *tp = now;
  return 0;
}

// The timezone does not change with the clock: the real function fills it in, and the time is the
// served one, because a caller beside this one is served too.
CLOCKSHIM_SLOW int gettimeofday_slow(timeval* tv, void* tz) noexcept {
  timespec now;
  if (tv != nullptr && tz != nullptr) {
    const int result = real::gettimeofday(nullptr, tz);
    if (result != 0) return result;
  }
  if (!resynced(CLOCK_REALTIME, tv != nullptr, now)) return real::gettimeofday(tv, tz);
  tv->tv_sec = now.tv_sec;
  tv->tv_usec = now.tv_nsec / 1000;
  return 0;
}

// C23's, which newer C libraries know; no other base is of a clock that is served.
constexpr int kTimeMonotonic = 2;

CLOCKSHIM_SLOW int timespec_get_other(timespec* ts, int base) noexcept {
  const int result = real::timespec_get(ts, base);
  timespec now;
  if (result == kTimeMonotonic && read_slow(CLOCK_MONOTONIC, now) != Answer::none) *ts = now;
  return result;
}

CLOCKSHIM_SLOW int timespec_get_real(timespec* ts, int base) noexcept {
  return base != TIME_UTC ? timespec_get_other(ts, base) : real::timespec_get(ts, base);
}

CLOCKSHIM_SLOW int timespec_get_slow(timespec* ts, int base) noexcept {
  timespec now;
  if (!resynced(CLOCK_REALTIME, ts != nullptr && base == TIME_UTC, now))
    return timespec_get_real(ts, base);
  *ts = now;
  return base;
}

// The second half of each function: the call is counted, the counter is read.
CLOCKSHIM_INLINE int finish_clock_gettime(clockid_t id, timespec* tp, Ticks ticks) noexcept {
  timespec now;
  if (CLOCKSHIM_UNLIKELY(tp == nullptr || !g_clock.timeline.read(clock_index(id), ticks, now)))
    return clock_gettime_slow(id, tp);
  *tp = now;
  return 0;
}

CLOCKSHIM_INLINE int finish_gettimeofday(timeval* tv, void* tz, Ticks ticks) noexcept {
  timespec now;
  if (CLOCKSHIM_UNLIKELY(tv == nullptr || tz != nullptr ||
                         !g_clock.timeline.read(CLOCK_REALTIME, ticks, now)))
    return gettimeofday_slow(tv, tz);
  tv->tv_sec = now.tv_sec;
  tv->tv_usec = now.tv_nsec / 1000;  // a multiplication, once compiled
  return 0;
}

CLOCKSHIM_INLINE int finish_timespec_get(timespec* ts, int base, Ticks ticks) noexcept {
  timespec now;
  if (CLOCKSHIM_UNLIKELY(ts == nullptr || base != TIME_UTC ||
                         !g_clock.timeline.read(CLOCK_REALTIME, ticks, now)))
    return timespec_get_slow(ts, base);
  *ts = now;
  return base;
}

// Further tries to count, one behind the other. All take the same arguments, so that each hands on
// by a jump.
CLOCKSHIM_NOINLINE int clock_gettime_elsewhere(clockid_t id, timespec* tp, Ticks ticks,
                                               SiteKey site, void* stack, void* frame) noexcept {
  count_elsewhere(site, stack, frame);
  return finish_clock_gettime(id, tp, ticks);
}

CLOCKSHIM_NOINLINE int clock_gettime_behind(clockid_t id, timespec* tp, Ticks ticks, SiteKey site,
                                            void* stack, void* frame) noexcept {
  if (!counted_near(site, stack, frame))
    return clock_gettime_elsewhere(id, tp, ticks, site, stack, frame);
  return finish_clock_gettime(id, tp, ticks);
}

CLOCKSHIM_NOINLINE int gettimeofday_elsewhere(timeval* tv, void* tz, Ticks ticks, SiteKey site,
                                              void* stack, void* frame) noexcept {
  count_elsewhere(site, stack, frame);
  return finish_gettimeofday(tv, tz, ticks);
}

CLOCKSHIM_NOINLINE int gettimeofday_behind(timeval* tv, void* tz, Ticks ticks, SiteKey site,
                                           void* stack, void* frame) noexcept {
  if (!counted_near(site, stack, frame))
    return gettimeofday_elsewhere(tv, tz, ticks, site, stack, frame);
  return finish_gettimeofday(tv, tz, ticks);
}

CLOCKSHIM_NOINLINE int timespec_get_elsewhere(timespec* ts, int base, Ticks ticks, SiteKey site,
                                              void* stack, void* frame) noexcept {
  count_elsewhere(site, stack, frame);
  return finish_timespec_get(ts, base, ticks);
}

CLOCKSHIM_NOINLINE int timespec_get_behind(timespec* ts, int base, Ticks ticks, SiteKey site,
                                           void* stack, void* frame) noexcept {
  if (!counted_near(site, stack, frame))
    return timespec_get_elsewhere(ts, base, ticks, site, stack, frame);
  return finish_timespec_get(ts, base, ticks);
}

// Before start and in a child that no fork handler has seen.
CLOCKSHIM_INLINE void wake_up(unsigned clock, std::uint8_t& how) noexcept {
  if (CLOCKSHIM_LIKELY((how & kAwake) != 0)) return;
  follow_clone();
  how = g_first_look.how[clock].load(std::memory_order_acquire);
}

CLOCKSHIM_INLINE bool passes(unsigned clock, std::uint8_t how) noexcept {
  if ((how & kPass) == 0) return false;
  if (!g_uncounted) g_sites.count_real(clock);
  return true;
}

// The same functions where the CPUs' counters disagree, where this clock is not served, and for a
// process's first call.
CLOCKSHIM_INLINE void count_here(SiteKey site, std::uint8_t how, void* stack,
                                 void* frame) noexcept {
  if (CLOCKSHIM_UNLIKELY((how & kSharing) != 0)) {
    if (!g_uncounted) g_sites.count_elsewhere(site, frame_of(site, stack, frame));
    return;
  }
  if (SiteTable::ready() && (CLOCKSHIM_COUNTED(site) || counted_near(site, stack, frame))) return;
  count_elsewhere(site, stack, frame);
}

CLOCKSHIM_NOINLINE int clock_gettime_here(clockid_t id, timespec* tp, std::uint8_t how, void* pc,
                                          void* stack, void* frame) noexcept {
  const unsigned clock = clock_index(id);
  wake_up(clock, how);
  count_here(key_of(pc, clock, Function::clock_gettime), how, stack, frame);
  if (passes(clock, how)) return real::clock_gettime(id, tp);
  timespec now;
  if (CLOCKSHIM_UNLIKELY(tp == nullptr || !g_clock.read_here(clock, how, now)))
    return clock_gettime_slow(id, tp);
  *tp = now;
  return 0;
}

CLOCKSHIM_NOINLINE int gettimeofday_here(timeval* tv, void* tz, std::uint8_t how, void* pc,
                                         void* stack, void* frame) noexcept {
  wake_up(CLOCK_REALTIME, how);
  count_here(key_of(pc, CLOCK_REALTIME, Function::gettimeofday), how, stack, frame);
  if (passes(CLOCK_REALTIME, how)) return real::gettimeofday(tv, tz);
  timespec now;
  if (CLOCKSHIM_UNLIKELY(tv == nullptr || tz != nullptr ||
                         !g_clock.read_here(CLOCK_REALTIME, how, now)))
    return gettimeofday_slow(tv, tz);
  tv->tv_sec = now.tv_sec;
  tv->tv_usec = now.tv_nsec / 1000;
  return 0;
}

CLOCKSHIM_NOINLINE int timespec_get_here(timespec* ts, int base, std::uint8_t how, void* pc,
                                         void* stack, void* frame) noexcept {
  wake_up(CLOCK_REALTIME, how);
  count_here(key_of(pc, CLOCK_REALTIME, Function::timespec_get), how, stack, frame);
  if (passes(CLOCK_REALTIME, how)) return timespec_get_real(ts, base);
  timespec now;
  if (CLOCKSHIM_UNLIKELY(ts == nullptr || base != TIME_UTC ||
                         !g_clock.read_here(CLOCK_REALTIME, how, now)))
    return timespec_get_slow(ts, base);
  *ts = now;
  return base;
}

// The counter first: what follows runs while it is being read. A daemon has used its caches for
// other things since it last asked, and what is loaded behind the fence comes one after the other:
// so what it leads to is fetched before. In relaxed order all that overlaps by itself.
#define CLOCKSHIM_READ_COUNTER_OR(HERE, CLOCK)                                      \
  const std::uint8_t how = g_first_look.how[CLOCK].load(std::memory_order_acquire); \
  live::ThreadTable* table = SiteTable::table();                                    \
  if (CLOCKSHIM_LIKELY(how == kAwake)) {                                            \
    asm("" : "+r"(table));                                                          \
    g_clock.timeline.prefetch(CLOCK);                                               \
    Arch::fence();                                                                  \
  } else if (CLOCKSHIM_UNLIKELY(how != (kAwake | kRelaxed))) {                      \
    return HERE;                                                                    \
  }                                                                                 \
  const Ticks ticks = Arch::unordered()

}  // namespace
}  // namespace clockshim

using namespace clockshim;

CLOCKSHIM_EXPORT int clock_gettime(clockid_t id, timespec* tp) noexcept {
  tp = as_given(tp);
  const unsigned clock = clock_index(id);
  CLOCKSHIM_READ_COUNTER_OR(
      clock_gettime_here(id, tp, how, __builtin_return_address(0), CLOCKSHIM_CALLER()), clock);
  const SiteKey site = key_of(__builtin_return_address(0), clock, Function::clock_gettime);
  if (!CLOCKSHIM_COUNTED(site, table))
    return clock_gettime_behind(id, tp, ticks, site, CLOCKSHIM_CALLER());
  return finish_clock_gettime(id, tp, ticks);
}

CLOCKSHIM_EXPORT int gettimeofday(timeval* __restrict tv, void* __restrict tz) noexcept {
  tv = as_given(tv);
  CLOCKSHIM_READ_COUNTER_OR(
      gettimeofday_here(tv, tz, how, __builtin_return_address(0), CLOCKSHIM_CALLER()),
      CLOCK_REALTIME);
  const SiteKey site = key_of(__builtin_return_address(0), CLOCK_REALTIME, Function::gettimeofday);
  if (!CLOCKSHIM_COUNTED(site, table))
    return gettimeofday_behind(tv, tz, ticks, site, CLOCKSHIM_CALLER());
  return finish_gettimeofday(tv, tz, ticks);
}

CLOCKSHIM_EXPORT int timespec_get(timespec* ts, int base) noexcept {
  ts = as_given(ts);
  CLOCKSHIM_READ_COUNTER_OR(
      timespec_get_here(ts, base, how, __builtin_return_address(0), CLOCKSHIM_CALLER()),
      CLOCK_REALTIME);
  const SiteKey site = key_of(__builtin_return_address(0), CLOCK_REALTIME, Function::timespec_get);
  if (!CLOCKSHIM_COUNTED(site, table))
    return timespec_get_behind(ts, base, ticks, site, CLOCKSHIM_CALLER());
  return finish_timespec_get(ts, base, ticks);
}
