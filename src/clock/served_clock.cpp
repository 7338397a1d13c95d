#include "clock/served_clock.h"

#include "clock/timeline_impl.h"
#include "live/region.h"

namespace clockshim {

template class Timeline<KernelSource>;

CLOCKSHIM_LARGE constinit HotState g_hot_state;
CLOCKSHIM_LARGE constinit ServedClock g_clock;
CLOCKSHIM_TLS ThreadFloor ServedClock::t_floors_[kClockIds];

// Reads both clocks in one tick: the wall clock must be the same before and after the other one.
bool KernelSource::coarse(CoarsePair& out) noexcept {
  Nanos again;
  for (int attempt = 0; attempt < policy::kReadingsPerSample; ++attempt) {
    if (!real::read(CLOCK_REALTIME_COARSE, out.realtime) ||
        !real::read(CLOCK_MONOTONIC_COARSE, out.monotonic) ||
        !real::read(CLOCK_REALTIME_COARSE, again))
      return false;
    if (again == out.realtime) return true;
  }
  return false;
}

namespace {

// Times the fast path of clock `id` between two readings of the counter, as a sample times the real
// clock, and notes what both cost. What is read is served to nobody. The counting of a call is not
// in it: it runs while the counter is being read, and can't be done without being counted.
CLOCKSHIM_SLOW void measure_costs(unsigned id) noexcept {
  const std::uint8_t mode_bits = g_hot_state.mode_bits[id].load(std::memory_order_relaxed);
  TickDelta empty{UINT64_MAX};
  TickDelta served{UINT64_MAX};
  unsigned cpu = kNoCpu;
  timespec time{};
  for (int i = 0; i < policy::kTimedReadings; ++i) {
    const Reading first = g_clock.counter.ordered();
    const Reading second = g_clock.counter.ordered();
    const bool read = g_clock.read_here(id, mode_bits, time);
    asm volatile("" : : "m"(time));
    const Reading last = g_clock.counter.ordered();
    const TickDelta around_nothing = second.ticks - first.ticks;
    const TickDelta around_reading = last.ticks - second.ticks;
    if (!read || first.cpu != last.cpu || second.cpu != last.cpu || around_nothing.backward() ||
        around_reading.backward())
      continue;
    empty = std::min(empty, around_nothing);
    served = std::min(served, around_reading);
    cpu = last.cpu;
  }
  TickDelta real;
  Rate rate;
  if (served.raw() != UINT64_MAX && g_clock.timeline.real_cost(id, cpu, real, rate))
    g_clock.costs.note(id, real, served, empty, rate, live::current().header);
}

}  // namespace

Answer read_slow(unsigned id, timespec& out) noexcept {
  KernelSource source{g_clock.counter};
  Nanos time;
  const bool relaxed = (g_clock.timeline.mode_bits() & kRelaxed) != 0;
  const Answer answer = g_clock.timeline.resync(
      id, source, time, relaxed && id < kClockIds ? &ServedClock::t_floors_[id] : nullptr);
  if (id < kClockIds) g_clock.refresh_state(id);
  if (answer == Answer::served && g_clock.costs.claim(id, g_clock.timeline.resyncs(id)))
    measure_costs(id);
  out.tv_sec = time.raw() / kNanosPerSecond;
  out.tv_nsec = time.raw() % kNanosPerSecond;
  return answer;
}

}  // namespace clockshim
