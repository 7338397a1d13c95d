// One sample of a real clock against the counter: counter, clock, counter. The clock was read somewhere between the two
// counter values; the bracket's width is what we don't know.
#pragma once

#include <concepts>
#include <ctime>

#include "base/nanos.h"
#include "base/ticks.h"
#include "clock/policy.h"

namespace clockshim {

// CLOCK_REALTIME_COARSE and CLOCK_MONOTONIC_COARSE, read in the same tick of the kernel: their difference changes when the
// wall clock is stepped, and only then.
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
};

// The narrowest of a few readings; stops at the first that is about as narrow as the usual one (0: no usual one yet).
template <TimeSource Source>
Sample take_sample(Source& source, clockid_t id, TickDelta usual) noexcept {
  Sample best;
  const std::uint64_t good = usual.raw() * policy::kGoodBracketEighths / 8;
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
  return best;
}

}  // namespace clockshim
