// FAST PATH: the counter is read, ThreadCounts::count_again() counts, Timeline::read_segment()
// answers, and preload/interpose.cpp strings them together. It makes no system call, takes no lock,
// allocates and divides nothing, leaves errno alone, and writes to nothing shared (but to the
// floor, where the CPUs' counters disagree and the order is strict). Whatever is added has a
// measured price in the commit message; the golden profile (tests/golden) counts its instructions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>

#include "arch/counter.h"
#include "base/attributes.h"
#include "clock/call_costs.h"
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
extern template class Timeline<KernelSource>;  // in served_clock.cpp

// Bits of the fast path's mode besides those of Timeline::mode_bits(). publish_state() sets this
// one, at start and in each forked child.
inline constexpr std::uint8_t kReady = 8;
// This clock is not served: its calls pass through, and nobody needs to read the counter.
inline constexpr std::uint8_t kPassThrough = 16;
// This process counts in its parent's region, where the fast path's plain additions would lose
// counts.
inline constexpr std::uint8_t kSharing = 32;
// The pointer to a thread's table is not where the fast path looks first: see
// ThreadCounts::is_near().
inline constexpr std::uint8_t kFar = 128;

// What each call reads first: the mode of each clock, and the segment that it is served from. It
// has a page of its own, which the kernel clears in a forked child: so the first call in the child
// of a raw clone, which no fork handler has seen, finds out at no cost. It is no member of
// ServedClock, because a register would then hold that one's address while the call is counted.
//
// The segments are copies of the timeline's references, beside the modes because a call then needs
// one cache line and one page less. A copy may be old, as if its reader had been preempted behind
// the load. What it names is then over, closed or used again: the call finds the gate shut, and the
// slow path refreshes the copy.
struct alignas(4096) HotState {
  std::atomic<SegmentRef> realtime{};
  std::atomic<SegmentRef> monotonic{};
  // In the place of clocks 2 and 3, of CPU time, which have no segments: so the modes are in the
  // same cache line as the segments of all servable clocks but TAI.
  std::atomic<std::uint8_t> mode_bits[kClockIds]{};
  std::atomic<SegmentRef> others[kClockIds - 4]{};

  // Meaningless where clock `id` can't be served. A place is the id, so it costs no instruction.
  [[nodiscard]] CLOCKSHIM_INLINE std::atomic<SegmentRef>& segment(std::size_t id) noexcept {
    return reinterpret_cast<std::atomic<SegmentRef>*>(this)[id];
  }
};
static_assert(offsetof(HotState, mode_bits) == 2 * sizeof(SegmentRef));
static_assert(sizeof(HotState::mode_bits) == 2 * sizeof(SegmentRef));
static_assert((all_servable() & (mask_of(2) | mask_of(3))) == 0);
CLOCKSHIM_HIDDEN extern constinit HotState g_hot_state;

// This process's timeline and how to read the counter for it. All-zero: nothing is served, the
// order is strict.
struct ServedClock {
  Timeline<KernelSource> timeline;
  CpuCounter counter;
  std::atomic<bool> sharing{};
  bool far = false;  // set at start: kFar
  CallCosts costs;

  // Shows the fast path what the slow path has decided. A thread that has read the old mode is in
  // the same position as one that was preempted right behind the load: the segments that it may use
  // are closed, so it falls into the slow path.
  void publish_state() noexcept {
    for (const auto& clock : kServableClocks) show_segment(static_cast<unsigned>(clock.id));
    for (unsigned id = 0; id < kClockIds; ++id)
      g_hot_state.mode_bits[id].store(state_of(id), std::memory_order_release);
  }
  // Each slow call of clock `id` ends with this.
  void refresh_state(unsigned id) noexcept {
    const std::uint8_t now = g_hot_state.mode_bits[id].load(std::memory_order_relaxed);
    if ((now & kReady) == 0) return;
    if (now != state_of(id)) return publish_state();
    if ((all_servable() >> id & 1U) != 0) show_segment(id);
  }
  // Shows the fast path the segment of a servable clock, mostly once in its life.
  void show_segment(unsigned id) noexcept {
    const SegmentRef current = timeline.current(id);
    std::atomic<SegmentRef>& shown = g_hot_state.segment(id);
    if (shown.load(std::memory_order_relaxed) != current)
      shown.store(current, std::memory_order_release);
  }
  [[nodiscard]] std::uint8_t state_of(unsigned id) const noexcept {
    return static_cast<std::uint8_t>(
        timeline.mode_bits() | kReady |
        (timeline.serves(id) || timeline.has_served(id) ? 0 : kPassThrough) |
        (sharing.load(std::memory_order_acquire) ? kSharing : 0) | (far ? kFar : 0));
  }
  // Reads the time of clock `id` (< kClockIds). Where counters disagree it is from this CPU's chain
  // and never below the floor. Where they agree it is from the common chain, for processes whose
  // counting keeps them off the fast path, and for those whose counters differ by constants.
  CLOCKSHIM_INLINE bool read_here(unsigned id, std::uint8_t mode_bits, timespec& out) noexcept {
    if ((mode_bits & kSettling) != 0) return false;
    if ((mode_bits & (kPerCpu | kAligned)) == kAligned) {
      const Reading now = (mode_bits & kRelaxed) != 0 ? counter.unordered() : counter.ordered();
      return timeline.read(id, now.ticks, out);
    }
    if ((mode_bits & kPerCpu) == 0)
      return timeline.read(id, (mode_bits & kRelaxed) != 0 ? Arch::unordered() : Arch::ordered(),
                           out);
    if ((mode_bits & kRelaxed) != 0) {
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

CLOCKSHIM_HIDDEN extern constinit ServedClock g_clock;
// Each process that we are loaded into has it, in locked memory where the host locks its own.
static_assert(sizeof(ServedClock) <= 520U << 10);

// For when the gate was shut. `out` is the answer, and the result says where it comes from. none:
// there is no answer, and the call must be passed through.
CLOCKSHIM_SLOW CLOCKSHIM_ALIGNS_STACK Answer read_slow(unsigned id, timespec& out) noexcept;

}  // namespace clockshim
