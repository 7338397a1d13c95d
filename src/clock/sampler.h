// One sample of a real clock against the counter: counter, clock, counter. The clock was read somewhere between the two
// counter values; the bracket's width is what we don't know.
#pragma once

#include <concepts>
#include <ctime>

#include "base/nanos.h"
#include "base/ticks.h"
#include "clock/policy.h"

namespace clockshim {

// Where time comes from. The library's is the CPU and the kernel; tests put others in its place.
// clang-format off: version 14 does not know requirements
template <class S>
concept TimeSource = requires(S& source, clockid_t id, Nanos& out) {
  { source.counter() }
  noexcept->std::same_as<Ticks>;  // ordered after earlier loads
  { source.real(id, out) }
  noexcept->std::same_as<bool>;
};
// clang-format on

struct Sample {
  Ticks before;
  TickDelta width;  // counter after - counter before
  Nanos real;
  bool ok = false;  // false: the kernel refused the clock, or the counter went backwards under every reading
};

// The narrowest of a few readings; stops at the first that is about as narrow as the usual one (0: no usual one yet).
template <TimeSource Source>
Sample take_sample(Source& source, clockid_t id, TickDelta usual) noexcept {
  Sample best;
  const std::uint64_t good = usual.raw() * policy::kGoodBracketEighths / 8;
  for (int i = 0; i < policy::kReadingsPerSample; ++i) {
    Sample s;
    s.before = source.counter();
    s.ok = source.real(id, s.real);
    s.width = source.counter() - s.before;
    if (!s.ok) return s;
    if (s.width.backward()) continue;
    if (!best.ok || s.width < best.width) best = s;
    if (best.width.raw() <= good) break;
  }
  return best;
}

}  // namespace clockshim
