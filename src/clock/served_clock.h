// HOT PATH: the counter, then Timeline::read(), then SiteTable::count_again();
// preload/interpose.cpp strings them together. No system call, lock, allocation, division, errno,
// shared write (but the floor's, where the CPUs' counters disagree and the order is strict).
// Anything added has a measured price in the commit message.
#pragma once

#include <ctime>

#include "arch/counter.h"
#include "base/attributes.h"
#include "clock/timeline.h"
#include "os/current_cpu.h"
#include "os/real_clock.h"

namespace clockshim {

// The CPU's counter and the kernel's clocks.
struct KernelSource {
  const CpuCounter& counter;
  [[nodiscard]] Reading reading() const noexcept { return counter.ordered(); }
  static bool real(clockid_t id, Nanos& out) noexcept { return real::read(id, out); }
  static bool coarse(CoarsePair& out) noexcept;
  static std::uintptr_t thread() noexcept { return Arch::thread_pointer(); }
};

// In the hot path's word besides Timeline::how(): set by wake(), at start and in each forked child.
inline constexpr std::uint8_t kAwake = 8;
// This clock is not served: its calls are for the real one, and there is no need to read the
// counter.
inline constexpr std::uint8_t kPass = 16;
// This process counts in a region of its parent's: the hot path's own counting is not for it.
inline constexpr std::uint8_t kSharing = 32;

// What each call looks at first, by clock. Alone in its page, which the kernel clears in a forked
// child: so the child of a raw clone, which no fork handler has seen, is noticed at its first call,
// for nothing. An object of its own, not a member of ServedClock: so no register holds that one's
// address while the call is counted.
struct alignas(4096) FirstLook {
  std::atomic<std::uint8_t> how[kClockIds]{};
};
CLOCKSHIM_HIDDEN extern constinit FirstLook g_first_look;

// This process's timeline and how to read the counter for it. All-zero: nothing is served, the
// order is strict.
struct ServedClock {
  Timeline<KernelSource> timeline;
  CpuCounter counter;
  std::atomic<bool> sharing{};

  // What the slow side has decided, for the hot path to see. A thread that still goes by the word
  // of before is no worse off than one that was preempted after it had read it: the segments that
  // it might use are closed.
  void wake() noexcept {
    for (unsigned id = 0; id < kClockIds; ++id)
      g_first_look.how[id].store(awake(id), std::memory_order_release);
  }
  // Called by whoever comes from the slow side of clock `id`.
  void stay_awake(unsigned id) noexcept {
    const std::uint8_t now = g_first_look.how[id].load(std::memory_order_relaxed);
    if ((now & kAwake) != 0 && now != awake(id)) wake();
  }
  [[nodiscard]] std::uint8_t awake(unsigned id) const noexcept {
    return static_cast<std::uint8_t>(timeline.how() | kAwake |
                                     (timeline.serves(id) || timeline.has_served(id) ? 0 : kPass) |
                                     (sharing.load(std::memory_order_acquire) ? kSharing : 0));
  }
  // Where counters disagree: the time of clock `id` (< kClockIds) from this CPU's chain, never
  // below the floor. Where they agree, for those whose counting keeps them off the hot path, from
  // the common chain.
  CLOCKSHIM_INLINE bool read_here(unsigned id, std::uint8_t how, timespec& out) noexcept {
    if ((how & kSettling) != 0) return false;
    if ((how & kPerCpu) == 0)
      return timeline.read(id, (how & kRelaxed) != 0 ? Arch::unordered() : Arch::ordered(), out);
    if ((how & kRelaxed) != 0) {
      Floor& mine = t_floors_[id].value;
      const std::int64_t seen = mine.load(std::memory_order_relaxed);
      return timeline.read_above(id, counter.unordered(), mine, seen, out,
                                 [](Floor& floor, std::int64_t& expected, std::int64_t to) {
                                   return Arch::exchange_here(floor, expected, to);
                                 });
    }
    Floor& all = timeline.floor(id);
    const std::int64_t seen = all.load(std::memory_order_acquire);
    return timeline.read_above(id, counter.ordered(), all, seen, out,
                               [](Floor& floor, std::int64_t& expected, std::int64_t to) {
                                 return floor.compare_exchange_strong(expected, to,
                                                                      std::memory_order_acq_rel);
                               });
  }

  static CLOCKSHIM_TLS ThreadFloor t_floors_[kClockIds];
};

extern constinit ServedClock g_clock;
// Of each process that we are loaded into: it counts as locked where the host locks its memory.
static_assert(sizeof(ServedClock) <= 520U << 10);

// The gate was shut. `out` is the answer, and the result where it comes from; none: ask the real
// function.
CLOCKSHIM_SLOW Answer read_slow(unsigned id, timespec& out) noexcept;

}  // namespace clockshim
