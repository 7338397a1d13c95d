#include "clock/served_clock.h"

#include "clock/timeline_impl.h"

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

Answer read_slow(unsigned id, timespec& out) noexcept {
  KernelSource source{g_clock.counter};
  Nanos time;
  const bool relaxed = (g_clock.timeline.mode_bits() & kRelaxed) != 0;
  const Answer answer = g_clock.timeline.resync(
      id, source, time, relaxed && id < kClockIds ? &ServedClock::t_floors_[id] : nullptr);
  if (id < kClockIds) g_clock.refresh_state(id);
  out.tv_sec = time.raw() / kNanosPerSecond;
  out.tv_nsec = time.raw() % kNanosPerSecond;
  return answer;
}

}  // namespace clockshim
