// Floors keep the order of what is served where a chain alone does not: where each CPU has its own,
// and from one segment to another that was not joined to it. A floor is the least time that may be
// served next, in nanoseconds of its clock: one for all threads (strict order), or one for each
// thread (relaxed). The kernel is not asked for it. Values of a clock that is stepped back are the
// exception: a step by more than step_back() lowers the floors with it.
//
// Invariants:
// - A floor goes down only in lowered() and follow_step(), after a step of the wall clock.
// - Who serves a value against a floor has loaded the floor before it read the counter. A floor
//   below that value was lowered since, and the answer is of the time before the step: it must be
//   thrown away.
//
// All functions are lock-free, async-signal-safe and may be called by any thread at any time, with
// clock ids < kClockIds. Valid when all zero: no floor, a step of any size is one.
#pragma once

#include <atomic>
#include <cstdint>
#include <ctime>

#include "base/attributes.h"
#include "base/clock_id.h"
#include "base/nanos.h"
#include "clock/policy.h"

namespace clockshim {

using Floor = std::atomic<std::int64_t>;
struct ThreadFloor {
  Floor value{};
  std::uint32_t steps = 0;  // how many steps of the wall clock it has followed
};

class Floors {
 public:
  constexpr Floors() = default;

  // Call it before anything is served.
  void start(Nanos tolerance) noexcept { tolerance_ = tolerance; }

  // HOT where counters disagree. The floor of clock `id` for all threads.
  [[nodiscard]] CLOCKSHIM_INLINE Floor& of(unsigned id) noexcept { return floors_[id].value; }
  [[nodiscard]] std::int64_t value(unsigned id) const noexcept {
    return floors_[id].value.load(std::memory_order_acquire);
  }

  // HOT where counters disagree. Raises `floor` to the time `out`, or `out` to the floor. `seen`
  // must be loaded from the floor before the counter is read: then, if a step back lowers the floor
  // and closes the segments in between, the exchange fails. `exchange(floor, seen, mine)` is a
  // compare-and-swap. False: only the slow path can answer.
  template <class Exchange>
  CLOCKSHIM_INLINE bool keep_order(Floor& floor, std::int64_t seen, timespec& out,
                                   Exchange exchange) const noexcept {
    const std::int64_t mine = out.tv_sec * kNanosPerSecond + out.tv_nsec;
    if (CLOCKSHIM_UNLIKELY(seen == 0))
      return false;  // this thread's first call: only the slow path knows the least value
    while (mine > seen) {
      const std::int64_t before = seen;
      if (CLOCKSHIM_LIKELY(exchange(floor, seen, mine))) return true;
      // Threads that meet at the floor can tell whether their counters agree: send some of them to
      // the slow path to do so.
      if (seen < before || (mine & (policy::kMeetingsPerHandoff - 1)) == 0) return false;
    }
    const std::int64_t behind = seen - mine;
    if (CLOCKSHIM_UNLIKELY(behind >= kNanosPerSecond || behind > step_back().raw())) return false;
    out.tv_nsec += behind;
    if (out.tv_nsec >= kNanosPerSecond) {
      out.tv_nsec -= kNanosPerSecond;
      ++out.tv_sec;
    }
    return true;
  }

  // What a wall clock is stepped back by at most is waited out: it stands still for that long.
  [[nodiscard]] CLOCKSHIM_INLINE Nanos step_back() const noexcept {
    return Nanos{tolerance_.raw() * policy::kStepTolerances};
  }

  // The same for the slow path, which clamps any `value` of clock `id` to at least `floor`, and
  // publishes it as the new floor. `before` is the floor as it was before the value was read.
  // False: the floor has been lowered since, so take a new reading.
  [[nodiscard]] bool clamp(unsigned id, Nanos& value, Floor& floor, std::int64_t before) noexcept;

  // Lowers a thread's own floor to `value` with the wall clock, once for each step that any thread
  // has noticed. `before` is the floor that the caller has loaded, and becomes the new one.
  void follow_step(Nanos value, ThreadFloor& own, std::int64_t& before) noexcept;

  // Raises the shared floor to what was served without it.
  void raise(unsigned id, Nanos served) noexcept;
  // The same, unless the floor was lowered since it was `before`.
  void raise_unless_lowered(unsigned id, std::int64_t before, Nanos answer) noexcept;

  // The shared floor: what it is now or, if that is less, what it was `before`. If the wall clock
  // was stepped, and the floor is ahead of the time `now` by more than step_back(), it is lowered
  // to `now` first.
  [[nodiscard]] Nanos lowered(unsigned id, std::int64_t before, Nanos now, bool stepped) noexcept;

  // Notes that a thread has found a step of the wall clock: threads' own floors follow it.
  void note_step() noexcept { steps_.fetch_add(1, std::memory_order_acq_rel); }
  // Notes that this process has set a clock.
  void note_set() noexcept { sets_.fetch_add(1, std::memory_order_acq_rel); }
  // True: it has set one since the last segment of clock `id` began.
  bool note_sets(unsigned id) noexcept {
    const std::uint32_t sets = sets_.load(std::memory_order_acquire);
    return floors_[id].sets.exchange(sets, std::memory_order_acq_rel) != sets;
  }
  // Notes REALTIME_COARSE - MONOTONIC_COARSE as it is when a segment begins. True: it has changed
  // since the last one of this clock began.
  bool note_wall(unsigned id, Nanos wall) noexcept {
    return floors_[id].wall.exchange(wall.raw(), std::memory_order_acq_rel) != wall.raw();
  }

 private:
  struct alignas(64) Padded {
    Floor value{};
    std::atomic<std::int64_t> wall{};
    std::atomic<std::uint32_t> sets{};
  };

  Nanos tolerance_{};
  std::atomic<std::uint32_t> steps_{};  // of the wall clock
  std::atomic<std::uint32_t> sets_{};
  Padded floors_[kClockIds]{};
};

}  // namespace clockshim
