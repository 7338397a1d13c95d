// The vDSO's clock_gettime and gettimeofday, for processes that take no preload. They run in
// whatever calls the vDSO: C libraries, and Go's runtime on a stack of its own. So there is no C
// library here, no thread-local storage, and no memory but the image's own and the region.
//
// The CPU's number comes with each reading of the counter (rdtscp), because counts are kept for
// each CPU. Relaxed order is served as strict: a floor of each thread's own would need the thread.
#include <sys/time.h>

#include <cstddef>
#include <ctime>

#include "arch/counter.h"
#include "base/attributes.h"
#include "base/clock_id.h"
#include "clock/call_costs.h"
#include "clock/timeline_impl.h"
#include "image/call_stacks.h"
#include "image/cpu_counts.h"
#include "image/state.h"

namespace clockshim {

CLOCKSHIM_LARGE constinit ImageSettings g_settings{};

namespace {

static_assert(kCountersCpus == kMaxCpus);

// What a call of a vDSO's function returns on success, and on failure a negative errno.
constexpr int kSuccess = 0;

// The counter by rdtscp, and the vDSO's own functions.
struct ImageSource {
  [[nodiscard]] static CLOCKSHIM_INLINE Reading reading() noexcept {
    const Reading now = Arch::by_aux();
    if (!g_settings.aligned) return now;
    if (CLOCKSHIM_UNLIKELY(now.cpu >= kCountersCpus))
      return {now.ticks + TickDelta{kNoOffset}, kNoCpu};
    return {Ticks{now.ticks.raw() - static_cast<std::uint64_t>(g_settings.offsets[now.cpu])},
            now.cpu};
  }
  static bool real(clockid_t id, Nanos& out) noexcept {
    timespec now;
    if (g_settings.clock_gettime(id, &now) != kSuccess) return false;
    out = Nanos{now.tv_sec * kNanosPerSecond + now.tv_nsec};
    return true;
  }
  static bool coarse(CoarsePair& out) noexcept { return read_coarse_pair(&real, out); }
  // The page of stack that it is on. Two threads may share one, or a handler be on another than the
  // code that it interrupted: numbers are only needed to release what other threads have claimed,
  // and the image releases nothing. A claim that a fork leaves in its child is one slot less there.
  static std::uintptr_t thread() noexcept {
    return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0)) / live::kPage;
  }
};

CLOCKSHIM_LARGE constinit Timeline<ImageSource> g_timeline;
CLOCKSHIM_LARGE constinit CallCosts g_costs;
CLOCKSHIM_LARGE constinit CallStacks g_call_stacks;

CLOCKSHIM_INLINE bool read_fast(unsigned id, const Reading& now, std::int64_t seen,
                                timespec& out) noexcept {
  if (CLOCKSHIM_LIKELY((g_timeline.mode_bits() & (kPerCpu | kSettling)) == 0))
    return g_timeline.read(id, now.ticks, out);
  if ((g_timeline.mode_bits() & kSettling) != 0) return false;
  return g_timeline.read_above(id, now, g_timeline.floor(id), seen, out,
                               [](Floor& floor, std::int64_t& expected, std::int64_t to) {
                                 return floor.compare_exchange_strong(expected, to,
                                                                      std::memory_order_acq_rel);
                               });
}

CLOCKSHIM_INLINE std::int64_t floor_seen(unsigned id) noexcept {
  return (g_timeline.mode_bits() & kPerCpu) == 0
             ? 0
             : g_timeline.floor(id).load(std::memory_order_acquire);
}

CLOCKSHIM_SLOW void measure_costs(unsigned id) noexcept {
  const PathTiming path = time_path(&ImageSource::reading, [id](timespec& time) {
    const std::int64_t seen = floor_seen(id);
    return read_fast(id, ImageSource::reading(), seen, time);
  });
  TickDelta real;
  Rate rate;
  if (path.known() && g_timeline.real_cost(id, path.cpu, real, rate))
    g_costs.note(id, real, path, rate, g_settings.region->header);
}

// The gate was shut. False: the call must be passed through.
CLOCKSHIM_SLOW bool read_slow(unsigned id, unsigned cpu, timespec& out) noexcept {
  ImageSource source;
  Nanos time;
  const Answer answer = g_timeline.resync(id, source, time);
  if (answer == Answer::none) return false;
  if (answer == Answer::real) {
    if (!g_settings.uncounted) CpuCounts::count_real(*g_settings.region, id, cpu);
  } else if (g_costs.claim(id, g_timeline.resyncs(id))) {
    measure_costs(id);
  }
  out.tv_sec = time.raw() / kNanosPerSecond;
  out.tv_nsec = time.raw() % kNanosPerSecond;
  return true;
}

// Counts a call that is passed through: of a clock that is not served, or one that can't be. Nobody
// reads the counter for it, which takes longer than a coarse clock, so the table is not the CPU's:
// the stack chooses one of a few, where threads hardly meet either.
CLOCKSHIM_INLINE void count_passed(unsigned id, SiteKey site, const Frame& caller) noexcept {
  constexpr unsigned kStackBits = 14;
  constexpr unsigned kTables = 8;
  if (g_settings.uncounted) return;
  const auto table = static_cast<unsigned>(caller.stack >> kStackBits) % kTables;
  CpuCounts::count(*g_settings.region, site, caller, table);
  CpuCounts::count_real(*g_settings.region, id, table);
}

// HOT. Counts a call and reads the time for it. False: it must be passed through.
CLOCKSHIM_INLINE bool answer(unsigned id, SiteKey site, const Frame& caller,
                             timespec& out) noexcept {
  if (CLOCKSHIM_UNLIKELY((g_settings.clocks >> id & 1U) == 0)) {
    count_passed(id, site, caller);
    return false;
  }
  const std::int64_t seen = floor_seen(id);
  const Reading now = ImageSource::reading();
  if (!g_settings.uncounted) CpuCounts::count(*g_settings.region, site, caller, now.cpu);
  if (CLOCKSHIM_LIKELY(read_fast(id, now, seen, out)) || read_slow(id, now.cpu, out)) return true;
  if (!g_settings.uncounted) CpuCounts::count_real(*g_settings.region, id, now.cpu);
  return false;
}

CLOCKSHIM_INLINE Frame caller_of_vdso(void* return_address, void* cfa, void* rbp) noexcept {
  return Frame{reinterpret_cast<std::uintptr_t>(return_address),
               reinterpret_cast<std::uintptr_t>(cfa), reinterpret_cast<std::uintptr_t>(rbp)};
}

CLOCKSHIM_INLINE int answer_clock_gettime(clockid_t id, timespec* tp,
                                          const Frame& caller) noexcept {
  const unsigned clock = clock_index(id);
  if (CLOCKSHIM_LIKELY(tp != nullptr) &&
      answer(clock, SiteKey{caller.pc, clock, Function::clock_gettime}, caller, *tp))
    return kSuccess;
  return g_settings.clock_gettime(id, tp);
}

CLOCKSHIM_INLINE int answer_gettimeofday(timeval* tv, void* tz, const Frame& caller) noexcept {
  timespec now;
  if (CLOCKSHIM_LIKELY(tv != nullptr) &&
      answer(CLOCK_REALTIME, SiteKey{caller.pc, CLOCK_REALTIME, Function::gettimeofday}, caller,
             now)) {
    if (tz != nullptr) g_settings.gettimeofday(nullptr, tz);
    tv->tv_sec = now.tv_sec;
    tv->tv_usec = now.tv_nsec / 1000;
    return kSuccess;
  }
  return g_settings.gettimeofday(tv, tz);
}

// Runs `answer` on a stack of the image's own. False: it can't, and the call counts as dropped.
template <class Answer>
CLOCKSHIM_INLINE bool run_elsewhere(Answer& answer) noexcept {
  const auto run = [](void* given) { (*static_cast<Answer*>(given))(); };
  if (g_call_stacks.run(run, &answer)) return true;
  if (!g_settings.uncounted) CpuCounts::drop(*g_settings.region);
  return false;
}

}  // namespace
}  // namespace clockshim

using namespace clockshim;

// What the caller has in rbp is read before anything changes it, as in preload/interpose.cpp: GCC
// leaves the register alone in this file, and under clang a jump passes it on.
#ifdef CLOCKSHIM_FIXED_RBP

CLOCKSHIM_INLINE void* callers_rbp() noexcept {
  void* frame;
  asm("mov %%rbp, %0" : "=r"(frame));
  return frame;
}

CLOCKSHIM_EXPORT int clockshim_image_clock_gettime(clockid_t id, timespec* tp) noexcept {
  return answer_clock_gettime(
      id, tp, caller_of_vdso(__builtin_return_address(0), __builtin_dwarf_cfa(), callers_rbp()));
}

CLOCKSHIM_EXPORT int clockshim_image_gettimeofday(timeval* tv, void* tz) noexcept {
  return answer_gettimeofday(
      tv, tz, caller_of_vdso(__builtin_return_address(0), __builtin_dwarf_cfa(), callers_rbp()));
}

#else

extern "C" {
CLOCKSHIM_HIDDEN __attribute__((used)) int clockshim_clock_gettime(clockid_t id, timespec* tp,
                                                                   void* rbp) noexcept {
  return answer_clock_gettime(
      id, tp, caller_of_vdso(__builtin_return_address(0), __builtin_dwarf_cfa(), rbp));
}

CLOCKSHIM_HIDDEN __attribute__((used)) int clockshim_gettimeofday(timeval* tv, void* tz,
                                                                  void* rbp) noexcept {
  return answer_gettimeofday(
      tv, tz, caller_of_vdso(__builtin_return_address(0), __builtin_dwarf_cfa(), rbp));
}
}

CLOCKSHIM_EXPORT __attribute__((naked)) int clockshim_image_clock_gettime(clockid_t,
                                                                          timespec*) noexcept {
  asm("movq %rbp, %rdx\n\tjmp clockshim_clock_gettime");
}

CLOCKSHIM_EXPORT __attribute__((naked)) int clockshim_image_gettimeofday(timeval*, void*) noexcept {
  asm("movq %rbp, %rdx\n\tjmp clockshim_gettimeofday");
}

#endif

extern "C" {
CLOCKSHIM_HIDDEN __attribute__((used)) int clockshim_clock_gettime_elsewhere(clockid_t id,
                                                                             timespec* tp,
                                                                             void* rbp) noexcept {
  const Frame caller = caller_of_vdso(__builtin_return_address(0), __builtin_dwarf_cfa(), rbp);
  int result = 0;
  auto answer = [&] { result = answer_clock_gettime(id, tp, caller); };
  return run_elsewhere(answer) ? result : g_settings.clock_gettime(id, tp);
}

CLOCKSHIM_HIDDEN __attribute__((used)) int clockshim_gettimeofday_elsewhere(timeval* tv, void* tz,
                                                                            void* rbp) noexcept {
  const Frame caller = caller_of_vdso(__builtin_return_address(0), __builtin_dwarf_cfa(), rbp);
  int result = 0;
  auto answer = [&] { result = answer_gettimeofday(tv, tz, caller); };
  return run_elsewhere(answer) ? result : g_settings.gettimeofday(tv, tz);
}
}

// What the vDSO leads to where some callers have little stack: they are told by the address that
// the call returns to.
static_assert(offsetof(ImageSettings, on_little_stack) == 24);
static_assert(offsetof(ImageSettings, on_little_stack_size) == 32);
#define CLOCKSHIM_ANY_CALLER(function)                   \
  asm("movq (%rsp), %rax\n\t"                            \
      "subq 24+clockshim_image_settings(%rip), %rax\n\t" \
      "cmpq 32+clockshim_image_settings(%rip), %rax\n\t" \
      "ja clockshim_image_" function                     \
      "\n\t"                                             \
      "movq %rbp, %rdx\n\t"                              \
      "jmp clockshim_" function "_elsewhere")

CLOCKSHIM_EXPORT __attribute__((naked)) void clockshim_image_any_clock_gettime() noexcept {
  CLOCKSHIM_ANY_CALLER("clock_gettime");
}
CLOCKSHIM_EXPORT __attribute__((naked)) void clockshim_image_any_gettimeofday() noexcept {
  CLOCKSHIM_ANY_CALLER("gettimeofday");
}

// Run once, by the process itself while it is stopped, before anything leads here.
extern "C" CLOCKSHIM_HIDDEN void clockshim_start() noexcept {
  const ImageSettings& settings = g_settings;
  CpuCounts::start(*settings.region);
  TimelineSettings timeline;
  timeline.tolerance = Nanos{settings.tolerance};
  timeline.clocks = settings.clocks;
  timeline.granularity = Nanos{settings.granularity};
  timeline.coarse_tick = Nanos{settings.coarse_tick};
  timeline.cpus = settings.cpus;
  timeline.offsets = settings.aligned ? settings.offsets : nullptr;
  timeline.per_cpu = settings.per_cpu;
  timeline.can_tell_cpus = true;
  timeline.may_promote = settings.may_promote;
  g_timeline.start(timeline, settings.region->clock);
}

// The stack that it runs on: the process's own may have no room.
alignas(16) CLOCKSHIM_LARGE
    __attribute__((visibility("protected"), used)) constinit unsigned char g_stack[kImageStack] asm(
        "clockshim_image_stack"){};

// Where the command writes the beginnings of the vDSO's functions to, which jump to the rest.
static_assert(2 * kOriginalSize == 128);
CLOCKSHIM_EXPORT __attribute__((naked)) void clockshim_image_originals() noexcept {
  asm(".skip 128, 0xcc");
}

// Where the command lets the process begin, and where it ends.
static_assert(kLastSystemCall == 10);
CLOCKSHIM_EXPORT __attribute__((naked)) void clockshim_image_entry() noexcept {
  asm("call clockshim_start\n\t"
      "xorl %edi, %edi\n\txorl %esi, %esi\n\txorl %edx, %edx\n\t"
      "movl $10, %eax\n\tsyscall\n\tud2");
}
