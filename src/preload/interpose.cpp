// clock_gettime, gettimeofday and timespec_get. They run anywhere: before any constructor and after
// every destructor, in signal handlers, after fork, vfork and clone, in cancelled threads. So there
// is no lock, no allocation and no cancellation point here, and all-zero memory must work.
//
// answer() at the end is the fast path. The functions above it are what it falls back to, the
// slowest first. All are templates, compiled once for each of the three types of call.
#include <sys/time.h>

#include <cstddef>
#include <cstdint>
#include <ctime>

#include "base/attributes.h"
#include "base/clock_id.h"
#include "callsite/call_sites.h"
#include "callsite/thread_counts.h"
#include "clock/served_clock.h"
#include "os/real_clock.h"
#include "preload/forks.h"
#include "preload/lifecycle.h"

namespace clockshim {
namespace {

// The three types of call hold a function's arguments, and know what differs between them:
//
//   clock()        the index of the clock that the call reads
//   is_plain()     whether the fast path may answer it; clocks that are not served it finds closed
//   is_servable()  whether the slow path may answer it; if not, it passes the call through
//   give(time)     stores a time where the caller wants it, and returns the function's result
//   real()         passes the call through
struct ClockGettime {
  static constexpr Function kFunction = Function::clock_gettime;
  clockid_t id;
  timespec* tp;

  // clock_index(), in a whole register: so it needs not be extended where it is an index.
  [[nodiscard]] std::size_t clock_at() const noexcept {
    const std::size_t wide = static_cast<unsigned>(id);
    return wide < kClockIds ? wide : kOtherClock;
  }
  [[nodiscard]] unsigned clock() const noexcept { return static_cast<unsigned>(clock_at()); }
  [[nodiscard]] bool is_plain() const noexcept { return tp != nullptr; }
  [[nodiscard]] bool is_servable() const noexcept {
    return tp != nullptr && static_cast<unsigned>(id) < kClockIds &&
           (all_servable() >> id & 1U) != 0;
  }
  [[nodiscard]] int give(const timespec& now) const noexcept {
    *tp = now;
    return 0;
  }
  [[nodiscard]] int real() const noexcept { return real::clock_gettime(id, tp); }
};

struct Gettimeofday {
  static constexpr Function kFunction = Function::gettimeofday;
  timeval* tv;
  void* tz;

  [[nodiscard]] static unsigned clock() noexcept { return CLOCK_REALTIME; }
  [[nodiscard]] static std::size_t clock_at() noexcept { return CLOCK_REALTIME; }
  [[nodiscard]] bool is_plain() const noexcept { return tv != nullptr && tz == nullptr; }
  [[nodiscard]] bool is_servable() const noexcept { return tv != nullptr; }
  [[nodiscard]] int give(const timespec& now) const noexcept {
    // The timezone does not change with the clock, so the real function fills it in. The time is
    // the served one, because callers that want no timezone are served, too.
    if (tz != nullptr) {
      if (const int result = real::gettimeofday(nullptr, tz); result != 0) return result;
    }
    tv->tv_sec = now.tv_sec;
    tv->tv_usec = now.tv_nsec / 1000;  // a multiplication, once compiled
    return 0;
  }
  [[nodiscard]] int real() const noexcept { return real::gettimeofday(tv, tz); }
};

struct TimespecGet {
  static constexpr Function kFunction = Function::timespec_get;
  // C23's TIME_MONOTONIC, which newer C libraries know. No other base is of a served clock.
  static constexpr int kTimeMonotonic = 2;
  timespec* ts;
  int base;

  [[nodiscard]] static unsigned clock() noexcept { return CLOCK_REALTIME; }
  [[nodiscard]] static std::size_t clock_at() noexcept { return CLOCK_REALTIME; }
  [[nodiscard]] bool is_plain() const noexcept { return ts != nullptr && base == TIME_UTC; }
  [[nodiscard]] bool is_servable() const noexcept { return is_plain(); }
  [[nodiscard]] int give(const timespec& now) const noexcept {
    *ts = now;
    return base;
  }
  [[nodiscard]] int real() const noexcept {
    return base == TIME_UTC ? real::timespec_get(ts, base) : other_base(ts, base);
  }

 private:
  // The real function says whether the C library knows the base.
  [[nodiscard]] CLOCKSHIM_SLOW static int other_base(timespec* ts, int base) noexcept {
    const int result = real::timespec_get(ts, base);
    timespec now;
    // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): the real function has written to *ts
    if (result == kTimeMonotonic && read_slow(CLOCK_MONOTONIC, now) != Answer::none) *ts = now;
    return result;
  }
};

// The C library's headers declare the pointers as never null, and then the compiler drops each
// check for null. Programs pass null all the same, and get the kernel's answer to it.
template <class T>
CLOCKSHIM_INLINE T* may_be_null(T* pointer) {
  asm("" : "+r"(pointer));
  return pointer;
}

// What the exported function's caller has in rbp.
#ifdef CLOCKSHIM_FIXED_RBP
// GCC keeps its hands off the register in this file (-ffixed-rbp), so it is read where it is
// needed.
struct CallerRbp {
  [[nodiscard]] CLOCKSHIM_INLINE void* get() const noexcept {
    void* frame;
    asm("mov %%rbp, %0" : "=r"(frame));
    return frame;
  }
};
#else
// Clang can't, so the exported functions pass it on before any code of the compiler's runs.
struct CallerRbp {
  void* rbp;
  [[nodiscard]] void* get() const noexcept { return rbp; }
};
#endif

CLOCKSHIM_INLINE Frame frame_of(SiteKey site, void* cfa, void* rbp) {
  return Frame{site.return_address(), reinterpret_cast<std::uintptr_t>(cfa),
               reinterpret_cast<std::uintptr_t>(rbp)};
}

CLOCKSHIM_INLINE SiteKey key_of(void* return_address, std::uint64_t clock, Function function) {
  return SiteKey{reinterpret_cast<std::uintptr_t>(return_address), clock, function};
}

// Counts a call behind one wrapper, or one whose place in the table another site has taken. False:
// nothing is counted.
CLOCKSHIM_INLINE bool count_nearby(SiteKey site, void* cfa, void* rbp) noexcept {
  return ThreadCounts::count_wrapped(site, frame_of(site, cfa, rbp)) ||
         ThreadCounts::count_in_next_slot(site);
}

// Counts a call whose site this thread has not counted yet, or that came through several wrappers.
CLOCKSHIM_INLINE void count_slow(SiteKey site, void* cfa, void* rbp) noexcept {
  if (g_uncounted) return;
  const Frame caller = frame_of(site, cfa, rbp);
  if (ThreadCounts::ready() && ThreadCounts::count_chain(site, caller)) return;
  g_sites.count(site, caller);
}

// The stages below that are out of line take a call's two arguments one by one: GCC hands a struct
// of two words on through memory. With the counter's value, the site and the two words of the
// caller's stack they fill six registers, so that each stage hands on by a jump.

// The slow path: the timeline's gate was shut, or the clock or an argument is not ours to answer.
// It resyncs the clock, or passes the call through.
template <class Call, class First, class Second>
CLOCKSHIM_SLOW int answer_slow(First first, Second second) noexcept {
  const Call call{first, second};
  timespec now;
  const Answer answer = call.is_servable() ? read_slow(call.clock(), now) : Answer::none;
  if (answer != Answer::served && !g_uncounted) g_sites.count_real(call.clock());
  return answer != Answer::none ? call.give(now) : call.real();
}

// The segment that a call is answered from, if its gate is open.
CLOCKSHIM_INLINE SegmentRef segment_of(unsigned clock) noexcept {
  return g_hot_state.segment(clock).load(std::memory_order_acquire);
}

// The fast path's second half: the call is counted and the counter is read.
template <class Call>
CLOCKSHIM_INLINE int answer_counted(Call call, SegmentRef segment, Ticks ticks) noexcept {
  timespec now;
  if (CLOCKSHIM_UNLIKELY(!call.is_plain() || !g_clock.timeline.read_segment(segment, ticks, now))) {
    const auto [first, second] = call;
    return answer_slow<Call>(first, second);
  }
  return call.give(now);
}

// The site is none that the thread's table finds at once.
template <class Call, class First, class Second>
CLOCKSHIM_NOINLINE int answer_new_site(First first, Second second, Ticks ticks, SiteKey site,
                                       void* cfa, void* rbp) noexcept {
  count_slow(site, cfa, rbp);
  const Call call{first, second};
  return answer_counted(call, segment_of(call.clock()), ticks);
}

// HOT behind a wrapper, where every call comes this way.
template <class Call, class First, class Second>
CLOCKSHIM_NOINLINE int answer_wrapped(First first, Second second, Ticks ticks, SiteKey site,
                                      void* cfa, void* rbp) noexcept {
  if (!count_nearby(site, cfa, rbp))
    return answer_new_site<Call>(first, second, ticks, site, cfa, rbp);
  const Call call{first, second};
  return answer_counted(call, segment_of(call.clock()), ticks);
}

// HOT where the CPUs' counters differ by constants: the same as answer(), but for the reading.
template <class Call, class First, class Second>
CLOCKSHIM_NOINLINE int answer_aligned(First first, Second second, std::uint8_t mode,
                                      void* return_address, void* cfa, void* rbp) noexcept {
  const Call call{first, second};
  const unsigned clock = call.clock();
  const SegmentRef segment = segment_of(clock);
  live::ThreadTable* table = ThreadCounts::table();
  asm("" : "+r"(table));  // loads it before the fence
  g_clock.timeline.prefetch(segment);
  const CpuCounter& counter = g_clock.counter;
  const Ticks ticks = ((mode & kRelaxed) != 0 ? counter.unordered() : counter.ordered()).ticks;
  const SiteKey site = key_of(return_address, clock, Call::kFunction);
  if (!CLOCKSHIM_LIKELY(ThreadCounts::count_again(site, *ThreadCounts::entry_of(site, table))))
    return answer_wrapped<Call>(first, second, ticks, site, cfa, rbp);
  return answer_counted(call, segment, ticks);
}

// HOT where the CPUs' counters disagree. It also answers before start, in a cloned child, in one
// that counts in its parent's region, and for a clock that is not served.
template <class Call, class First, class Second>
CLOCKSHIM_NOINLINE int answer_uncommon(First first, Second second, std::uint8_t mode,
                                       void* return_address, void* cfa, void* rbp) noexcept {
  const Call call{first, second};
  const unsigned clock = call.clock();
  if (CLOCKSHIM_UNLIKELY((mode & kReady) == 0)) {
    follow_clone();
    mode = g_hot_state.mode_bits[clock].load(std::memory_order_acquire);
  }
  const SiteKey site = key_of(return_address, clock, Call::kFunction);
  if (CLOCKSHIM_UNLIKELY((mode & kSharing) != 0)) {
    if (!g_uncounted) g_sites.count(site, frame_of(site, cfa, rbp));
  } else if (!ThreadCounts::ready() ||
             !(CLOCKSHIM_LIKELY(ThreadCounts::count_again(site)) || count_nearby(site, cfa, rbp))) {
    count_slow(site, cfa, rbp);
  }
  if ((mode & kPassThrough) != 0) {
    if (!g_uncounted) g_sites.count_real(clock);
    return call.real();
  }
  timespec now;
  if (CLOCKSHIM_UNLIKELY(!call.is_plain() || !g_clock.read_here(clock, mode, now)))
    return answer_slow<Call>(first, second);
  return call.give(now);
}

// HOT. The counter comes first: what follows runs while it is being read. A daemon has used its
// caches for other things since its last call, so what a call needs stands in few cache lines, and
// no line's address waits for more than one other line: the segment's slot for the page of the
// modes, the count for the thread's memory. In strict order both are on their way before the fence.
// In relaxed order there is no fence, and all of it overlaps by itself.
//
// The caller's return address and stack are asked for here, and not passed in, so that the fast
// path spends nothing on what it does not use.
template <class Call>
CLOCKSHIM_INLINE int answer(Call call, CallerRbp rbp) noexcept {
  const auto [first, second] = call;
  const std::size_t clock = call.clock_at();
  HotState* hot = &g_hot_state;
  asm("" : "+r"(hot));  // one register for all that is in it
  const std::uint8_t mode = hot->mode_bits[clock].load(std::memory_order_acquire);
  const SegmentRef segment = hot->segment(clock).load(std::memory_order_acquire);
  live::ThreadTable* table = ThreadCounts::near_table();
  if (CLOCKSHIM_LIKELY(mode == kReady)) {
    g_clock.timeline.prefetch(segment);
    Arch::fence();
  } else if (mode == (kReady | kFar)) {
    table = ThreadCounts::table();
    asm volatile("" : : "r"(table));  // loads it before the fence
    g_clock.timeline.prefetch(segment);
    Arch::fence();
  } else if (mode == (kReady | kFar | kRelaxed)) {
    table = ThreadCounts::table();
  } else if (CLOCKSHIM_UNLIKELY(mode != (kReady | kRelaxed))) {
    if ((mode | kRelaxed | kFar) == (kReady | kAligned | kRelaxed | kFar))
      return answer_aligned<Call>(first, second, mode, __builtin_return_address(0),
                                  __builtin_dwarf_cfa(), rbp.get());
    return answer_uncommon<Call>(first, second, mode, __builtin_return_address(0),
                                 __builtin_dwarf_cfa(), rbp.get());
  }
  const Ticks ticks = Arch::unordered();
  const SiteKey site = key_of(__builtin_return_address(0), clock, Call::kFunction);
  if (!CLOCKSHIM_LIKELY(ThreadCounts::count_again(site, *ThreadCounts::entry_of(site, table))))
    return answer_wrapped<Call>(first, second, ticks, site, __builtin_dwarf_cfa(), rbp.get());
  return answer_counted(call, segment, ticks);
}

}  // namespace
}  // namespace clockshim

using namespace clockshim;

#ifdef CLOCKSHIM_FIXED_RBP

CLOCKSHIM_EXPORT CLOCKSHIM_ALIGNED int clock_gettime(clockid_t id, timespec* tp) noexcept {
  return answer(ClockGettime{id, may_be_null(tp)}, CallerRbp{});
}

CLOCKSHIM_EXPORT CLOCKSHIM_ALIGNED int gettimeofday(timeval* __restrict tv,
                                                    void* __restrict tz) noexcept {
  return answer(Gettimeofday{may_be_null(tv), tz}, CallerRbp{});
}

CLOCKSHIM_EXPORT CLOCKSHIM_ALIGNED int timespec_get(timespec* ts, int base) noexcept {
  return answer(TimespecGet{may_be_null(ts), base}, CallerRbp{});
}

#else

// Jumps to a function of ours with rbp as its third argument. The stack is left alone, so the
// return address and the canonical frame address are those of the exported function.
#define CLOCKSHIM_JUMP_WITH_RBP(function) asm("movq %rbp, %rdx\n\tjmp " #function)

extern "C" {
CLOCKSHIM_HIDDEN CLOCKSHIM_ALIGNED __attribute__((used)) int clockshim_clock_gettime(
    clockid_t id, timespec* tp, void* rbp) noexcept {
  return answer(ClockGettime{id, may_be_null(tp)}, CallerRbp{rbp});
}

CLOCKSHIM_HIDDEN CLOCKSHIM_ALIGNED __attribute__((used)) int clockshim_gettimeofday(
    timeval* tv, void* tz, void* rbp) noexcept {
  return answer(Gettimeofday{may_be_null(tv), tz}, CallerRbp{rbp});
}

CLOCKSHIM_HIDDEN CLOCKSHIM_ALIGNED __attribute__((used)) int clockshim_timespec_get(
    timespec* ts, int base, void* rbp) noexcept {
  return answer(TimespecGet{may_be_null(ts), base}, CallerRbp{rbp});
}
}

CLOCKSHIM_EXPORT __attribute__((naked)) int clock_gettime(clockid_t, timespec*) noexcept {
  CLOCKSHIM_JUMP_WITH_RBP(clockshim_clock_gettime);
}

CLOCKSHIM_EXPORT __attribute__((naked)) int gettimeofday(timeval* __restrict,
                                                         void* __restrict) noexcept {
  CLOCKSHIM_JUMP_WITH_RBP(clockshim_gettimeofday);
}

CLOCKSHIM_EXPORT __attribute__((naked)) int timespec_get(timespec*, int) noexcept {
  CLOCKSHIM_JUMP_WITH_RBP(clockshim_timespec_get);
}

#endif
