// One sample of a real clock against the counter: counter, clock, counter. The clock was read
// somewhere between the two counter values; the bracket's width is what we don't know.
#pragma once

#include <algorithm>
#include <concepts>
#include <ctime>

#include "base/nanos.h"
#include "base/ticks.h"
#include "clock/policy.h"

namespace clockshim {

// CLOCK_REALTIME_COARSE and CLOCK_MONOTONIC_COARSE, read in the same tick of the kernel: their
// difference changes when the wall clock is stepped, and only then.
struct CoarsePair {
  Nanos realtime;
  Nanos monotonic;
  [[nodiscard]] Nanos wall() const { return realtime - monotonic; }
};

// Where time comes from. The library's is the CPU and the kernel; tests put others in its place.
// clang-format off: version 14 does not know requirements
template <class S>
concept TimeSource = requires(S& source, clockid_t id, Nanos& out, CoarsePair& coarse) {
  // The counter of the CPU that this runs on, ordered after earlier loads, and that CPU's number.
  { source.reading() }
  noexcept->std::same_as<Reading>;
  { source.real(id, out) }
  noexcept->std::same_as<bool>;
  { source.coarse(coarse) }
  noexcept->std::same_as<bool>;
  // What tells this thread from all others; 0 publishes nothing.
  { source.thread() }
  noexcept->std::same_as<std::uintptr_t>;
};
// clang-format on

struct Sample {
  Ticks before;
  TickDelta width;  // counter after - counter before, of one CPU
  Nanos real;       // right in any case, unless refused
  unsigned cpu = 0;
  bool ok = false;  // false: no reading was bracketed on one CPU by a counter that moved forward
  bool refused = false;
  TickDelta half_way;  // from the bracket's beginning to the reading
  Ticks at;            // where the reading is taken to stand; settled() may move it
};

// Places a sample's reading within its bracket. The way to the clock's own reading and back takes
// about the same each time, and a steady bracket is all that it takes. In the middle of that the
// reading leaves half of it to either side: so a wait that the kernel ends is over by the served
// time too, by the time that the kernel takes to come back from its reading; and what the kernel
// says after a served time is not behind it, by the time that it takes to get to its own. What a
// bracket is wider by is an interruption, before or after: taken to be after, unless the line of
// before says otherwise (settled()), because a clock that is early keeps waits from ending.
inline void place_reading(Sample& s, TickDelta steady) noexcept {
  const std::uint64_t way =
      steady.raw() == 0 ? s.width.raw() : std::min(s.width.raw(), steady.raw());
  s.half_way = TickDelta{s.ok ? way / 2 : 0};
  s.at = s.before + s.half_way;
}

// How wide a clock's brackets are. Zero: not known yet.
struct Brackets {
  TickDelta usual;
  TickDelta steady;  // no wider than this is one that nothing held up
};

// The narrowest of a few readings; stops at the first that is about as narrow as the usual one.
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
