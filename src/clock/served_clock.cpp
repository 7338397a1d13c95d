#include "clock/served_clock.h"

#include "clock/timeline_impl.h"
#include "live/region.h"

namespace clockshim {

template class Timeline<KernelSource>;

CLOCKSHIM_LARGE constinit HotState g_hot_state;
CLOCKSHIM_LARGE constinit ServedClock g_clock;
CLOCKSHIM_TLS ThreadFloor ServedClock::t_floors_[kClockIds];

bool KernelSource::coarse(CoarsePair& out) noexcept { return read_coarse_pair(&real::read, out); }

namespace {

// Times the fast path of clock `id`, and notes what it and the real clock cost. What is read is
// served to nobody.
CLOCKSHIM_SLOW void measure_costs(unsigned id) noexcept {
  const std::uint8_t mode_bits = g_hot_state.mode_bits[id].load(std::memory_order_relaxed);
  const PathTiming path =
      time_path([] { return g_clock.counter.ordered(); },
                [=](timespec& time) { return g_clock.read_here(id, mode_bits, time); });
  TickDelta real;
  Rate rate;
  if (path.known() && g_clock.timeline.real_cost(id, path.cpu, real, rate))
    g_clock.costs.note(id, real, path, rate, live::current().header);
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
