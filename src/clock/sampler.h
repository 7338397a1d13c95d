// One sample of a real clock against the counter: counter, clock, counter. The clock was read at an
// unknown moment between the two counter values; the bracket's width is the uncertainty.
#pragma once

#include <algorithm>
#include <concepts>
#include <ctime>

#include "base/nanos.h"
#include "base/ticks.h"
#include "clock/policy.h"

namespace clockshim {

// CLOCK_REALTIME_COARSE and CLOCK_MONOTONIC_COARSE, read in the same tick of the kernel. Their
// difference changes when the wall clock is stepped, and only then.
struct CoarsePair {
  Nanos realtime;
  Nanos monotonic;
  [[nodiscard]] Nanos wall() const { return realtime - monotonic; }
};

// Reads both in one tick by `read(id, out)`: the wall clock must be the same before and after the
// other one. False: a clock can't be read, or none of some attempts was within a tick.
template <class Read>
bool read_coarse_pair(Read read, CoarsePair& out) noexcept {
  Nanos again;
  for (int attempt = 0; attempt < policy::kReadingsPerSample; ++attempt) {
    if (!read(CLOCK_REALTIME_COARSE, out.realtime) ||
        !read(CLOCK_MONOTONIC_COARSE, out.monotonic) || !read(CLOCK_REALTIME_COARSE, again))
      return false;
    if (again == out.realtime) return true;
  }
  return false;
}

// Where time comes from. The library uses the CPU and the kernel; tests replace them. All functions
// must be async-signal-safe.
template <class S>
concept TimeSource = requires(S& source, clockid_t id, Nanos& out, CoarsePair& coarse) {
  // Reads the counter of the CPU that this runs on, ordered after earlier loads, with that CPU's
  // number.
  { source.reading() }
  noexcept->std::same_as<Reading>;
  { source.real(id, out) }
  noexcept->std::same_as<bool>;
  { source.coarse(coarse) }
  noexcept->std::same_as<bool>;
  // A number that tells this thread from all others. A thread with the number 0 publishes nothing.
  { source.thread() }
  noexcept->std::same_as<std::uintptr_t>;
};
// clang-format on

struct Sample {
  Ticks before;
  TickDelta width;  // counter after - counter before, on one CPU
  Nanos real;       // the clock's value; valid unless refused
  unsigned cpu = 0;
  bool ok = false;  // false: no reading was bracketed by a counter that moved forward on one CPU
  bool refused = false;
  TickDelta half_way;  // from the bracket's start to the reading
  Ticks at;            // where the reading is assumed to be; settled() may move it
};

// Places a sample's reading within its bracket. The way to the clock's own reading and the way back
// take about the same each time, and a steady bracket contains nothing else. So the reading is put
// into the middle of a steady bracket. When the kernel has ended a wait, the served time has then
// reached its end too, because the kernel needs the way back before the thread runs; and what the
// kernel says after a served time is not behind it, because the kernel needs the way there.
// Whatever makes a bracket wider is an interruption, before or after the reading. It is taken to be
// after, unless the previous segment says otherwise (settled()), because a clock that is early
// keeps waits from ending.
inline void place_reading(Sample& s, TickDelta steady) noexcept {
  const std::uint64_t way =
      steady.raw() == 0 ? s.width.raw() : std::min(s.width.raw(), steady.raw());
  s.half_way = TickDelta{s.ok ? way / 2 : 0};
  s.at = s.before + s.half_way;
}

// How wide a clock's brackets are. Zero means that it is not known yet.
struct Brackets {
  TickDelta usual;
  TickDelta steady;  // the width up to which a bracket counts as undisturbed
};

// Whether a sample's bracket is so wide that the thread must have been preempted in it.
inline bool is_preempted(const Sample& s, const Brackets& known) noexcept {
  return s.width.raw() > known.usual.raw() * policy::kRefusedBracketFactor;
}

// Takes the narrowest of a few readings, and stops at the first that is about as narrow as the
// usual one. If none could be bracketed, `ok` is false; if the clock can't be read, `refused` is
// true.
template <TimeSource Source>
Sample take_sample(Source& source, clockid_t id, const Brackets& known) noexcept {
  Sample best;
  const std::uint64_t good = known.usual.raw() * policy::kGoodBracketEighths / 8;
  for (int i = 0; i < policy::kReadingsPerSample; ++i) {
    Sample s;
    const Reading first = source.reading();
    s.refused = !source.real(id, s.real);
    if (s.refused) return s;
    const Reading last = source.reading();
    s.before = first.ticks;
    s.width = last.ticks - first.ticks;
    s.cpu = first.cpu;
    s.ok = first.cpu == last.cpu && !s.width.backward() && s.width.raw() != 0;
    if (!best.ok || (s.ok && s.width < best.width)) best = s;
    if (best.ok && best.width.raw() <= good) break;
  }
  place_reading(best, known.steady);
  return best;
}

}  // namespace clockshim
