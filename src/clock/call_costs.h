// What a call of each clock costs in this process, by the real clock and from the timeline: what
// the report says serving has saved is made of these. served_clock.cpp measures it on the slow
// path.
//
// Lock-free, async-signal-safe, any thread at any time, but for begin_in_child(). Valid when all
// zero: nothing is measured.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <ctime>

#include "base/attributes.h"
#include "base/clock_id.h"
#include "base/segment.h"
#include "base/ticks.h"
#include "clock/policy.h"
#include "live/layout.h"

namespace clockshim {

// The shortest of some timings of a path: around reading the clock, and around nothing, which the
// other contains.
struct PathTiming {
  TickDelta served{UINT64_MAX};
  TickDelta empty{UINT64_MAX};
  unsigned cpu = kNoCpu;  // on which the last of them was taken
  [[nodiscard]] bool known() const noexcept { return served.raw() != UINT64_MAX; }
};

// Times `read(time)` between two readings of the counter, as a sample times the real clock. False
// from `read`, and what was interrupted, does not count. The counting of a call is not in it: it
// runs while the counter is being read, and can't be done without being counted.
template <class ReadCounter, class Read>
CLOCKSHIM_SLOW PathTiming time_path(ReadCounter counter, Read read) noexcept {
  PathTiming out;
  timespec time{};
  for (int i = 0; i < policy::kTimedReadings; ++i) {
    const Reading first = counter();
    const Reading second = counter();
    const bool done = read(time);
    asm volatile("" : : "m"(time));
    const Reading last = counter();
    const TickDelta around_nothing = second.ticks - first.ticks;
    const TickDelta around_reading = last.ticks - second.ticks;
    if (!done || first.cpu != last.cpu || second.cpu != last.cpu || around_nothing.backward() ||
        around_reading.backward())
      continue;
    out.empty = std::min(out.empty, around_nothing);
    out.served = std::min(out.served, around_reading);
    out.cpu = last.cpu;
  }
  return out;
}

class CallCosts {
 public:
  constexpr CallCosts() = default;

  // Whether clock `id` (< kClockIds) is to be measured, after so many resyncs of it: after the 1st,
  // 2nd, 4th and so on, and at last after each policy::kResyncsPerCost. Only one thread gets true.
  bool claim(unsigned id, std::uint64_t resyncs) noexcept {
    std::uint64_t last = claimed_at_[id].load(std::memory_order_relaxed);
    if (resyncs < last + std::clamp<std::uint64_t>(last, 1, policy::kResyncsPerCost)) return false;
    return claimed_at_[id].compare_exchange_strong(last, resyncs, std::memory_order_relaxed);
  }

  // Keeps what was measured, and writes it to `header`. All brackets are of two ordered readings of
  // the counter; `real` is around the real clock.
  void note(unsigned id, TickDelta real, const PathTiming& path, Rate rate,
            live::Header& header) noexcept {
    const std::uint32_t real_ps = picoseconds(real, path.empty, rate);
    const std::uint32_t served_ps = picoseconds(path.served, path.empty, rate);
    live::CallCost& cost = costs_[id];
    cost.real.store(real_ps, std::memory_order_relaxed);
    // The least counts. It rises slowly, so that one disturbed measurement does not show.
    const std::uint32_t least = cost.served.load(std::memory_order_relaxed);
    cost.served.store(least == 0 || served_ps < least
                          ? served_ps
                          : least + (served_ps - least) / policy::kCostMemory,
                      std::memory_order_relaxed);
    write(id, header);
  }

  // A forked child begins with its parent's costs. Call it from the child's only thread.
  void begin_in_child(live::Header& header) noexcept {
    for (unsigned id = 0; id < kClockIds; ++id) {
      claimed_at_[id].store(0, std::memory_order_relaxed);
      if (costs_[id].real.load(std::memory_order_relaxed) != 0) write(id, header);
    }
  }

 private:
  // At least 1, because 0 means that it was not measured.
  static std::uint32_t picoseconds(TickDelta bracket, TickDelta empty, Rate rate) noexcept {
    const std::uint64_t ticks = bracket.raw() - std::min(bracket.raw(), empty.raw());
    const std::int64_t ps = to_nanos(TickDelta{ticks * 1000}, rate).raw();
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(ps, 1, UINT32_MAX));
  }
  void write(unsigned id, live::Header& header) const noexcept {
    const live::CallCost& cost = costs_[id];
    header.costs[id].real.store(cost.real.load(std::memory_order_relaxed),
                                std::memory_order_relaxed);
    header.costs[id].served.store(cost.served.load(std::memory_order_relaxed),
                                  std::memory_order_relaxed);
  }

  live::CallCost costs_[kClockIds]{};
  std::atomic<std::uint64_t> claimed_at_[kClockIds]{};
};

}  // namespace clockshim
