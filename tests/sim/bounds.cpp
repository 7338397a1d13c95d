#include "bounds.h"

#include <algorithm>
#include <cmath>
#include <ctime>

namespace sim {
namespace {

// A thread preempted in its look lets the others go on for one more.
constexpr Ps kPreemptedLook = 2 * kLook;
// A jump is measured against a tick, and so was the line: each may have been late.
constexpr Ps kLatestTick = 20 * kMs;
// A segment may be served so far ahead unseen, as counters leave it at once by a jump.
constexpr std::int64_t kGateNs = kLook / kNs;
// A segment is as long as this at most; its successor is sampled at three quarters of it.
constexpr Ps kSegment = 4 * kMs;
// A clock that is ahead is right again after so many parts in ten of what it was ahead by: it runs
// at a tenth.
constexpr Ps held_back(std::int64_t ahead_ns) { return ahead_ns * kNs * 10 / 9; }
// By when a rate that changed is known again, in true time, while calls come every few
// microseconds.
constexpr Ps kRateKnown = 20 * kMs;
// By when CPUs that do not agree any more are parted, while calls come every few microseconds on
// each.
constexpr Ps kParted = 50 * kMs;

constexpr clockshim::ClockMask kWall =
    clockshim::mask_of(CLOCK_REALTIME) | clockshim::mask_of(CLOCK_TAI);
constexpr clockshim::ClockMask kSlept = kWall | clockshim::mask_of(CLOCK_BOOTTIME);

}  // namespace

Allowance allowance(const Disturbance& d, const Plan& plan) {
  Allowance a;
  a.kind = d.kind;
  a.clocks = clockshim::all_servable();
  a.from = a.until = d.at;
  const auto until = [&](Ps settles, Ps preempted) {
    a.until = d.at + settles;
    a.until_if_preempted = d.at + preempted;
  };
  const std::int64_t size = std::abs(d.amount);
  switch (d.kind) {
    // The old time or the new one until the next look; then the new one. A step back of less than
    // two tolerances, and as much of the gate, is waited out: the clock runs slowly meanwhile.
    case Kind::wall_step: {
      const std::int64_t waited_out = 2 * plan.tolerance;
      a.clocks = kWall;
      a.ahead = d.amount < 0 ? std::max(size, waited_out) : waited_out;
      a.behind = d.amount > 0 ? size : 0;
      a.stepped_back = d.amount < 0;
      until(kLook + held_back(waited_out), kPreemptedLook + held_back(waited_out));
      break;
    }
    // Within what a segment's length allows for: no error at all.
    case Kind::frequency:
    case Kind::steal:
    case Kind::steal_all: break;
    // Large: leaves the gate, ahead by no more than that, and held back until right. Small: the
    // same once a resync has seen it.
    case Kind::counter_forward: {
      const bool large = size > (2 * plan.tick + kLatestTick) / kNs + 1'000'000 + plan.tolerance;
      a.ahead = large ? kGateNs : size + kGateNs;
      const Ps noticed = large ? kLook : kSegment;
      until(noticed + held_back(a.ahead), noticed + kLook + held_back(a.ahead));
      break;
    }
    // Behind the segment's start: noticed at once, and what may have been served up to the gate is
    // not undercut. Less far: as the small jump forward, but coherent threads have nothing to tell
    // them that they went back.
    case Kind::counter_backward: {
      const bool large = size > 2 * kSegment / kNs;
      a.ahead = kGateNs;
      a.behind = large ? 0 : size;
      a.backward = large || plan.per_cpu ? 0 : size;
      const Ps noticed =
          large ? 0
                : 2 * kSegment + size * kNs;  // the segment and the successor that was made before
      until(noticed + held_back(kGateNs), noticed + kLook + held_back(kGateNs));
      break;
    }
    case Kind::rate_change: {
      const double factor = static_cast<double>(d.amount) / 1000;
      a.behind =
          static_cast<std::int64_t>(std::max(std::abs(factor - 1), std::abs(1 / factor - 1)) *
                                    static_cast<double>(kSegment / kNs)) +
          kGateNs;
      a.ahead = a.behind + kGateNs;
      until(kRateKnown, kRateKnown);
      break;
    }
    // The wall clock, BOOTTIME and TAI behind by the sleep until the next look; any clock ahead by
    // a gate where the counter left it.
    case Kind::suspend_counting:
    case Kind::suspend_restarted:
    case Kind::suspend_stopped: {
      a.ahead = kGateNs;
      a.behind = d.kind == Kind::suspend_stopped ? size : 0;
      // Then held back by what may have been served, and, where that parts the CPUs, once more.
      const Ps sleep = size * kNs + 2 * held_back(kGateNs);
      until(sleep + kLook, sleep + kPreemptedLook);
      break;
    }
    // Wrong by the jump until the CPUs are parted; then right, once the real clock has caught up
    // with what was served.
    case Kind::cpu_jump:
      a.behind = std::min<std::int64_t>(size, kSegment / kNs);  // not past the end of a segment
      a.backward = a.behind + a.behind / 500;                   // the two CPUs' lines may be bent
      a.ahead = a.behind + kGateNs;
      a.after_demotion = kLook + held_back(a.ahead);
      until(kParted, kParted);
      break;
    case Kind::cpu_drift:
      a.behind = a.backward = 2 * plan.tolerance;
      a.ahead = a.behind + kGateNs;
      a.after_demotion = kLook + held_back(a.ahead);
      until(kParted, kParted);
      break;
    case Kind::counter_stop: break;
  }
  return a;
}

Allowance late_step_back(const Disturbance& d, const Plan& plan) {
  Allowance a;
  a.told = false;
  if (d.kind != Kind::wall_step || d.amount >= 0 || -d.amount * kNs > kSec) return a;
  a.kind = d.kind;
  a.clocks = kWall;
  a.ahead = 2 * plan.tolerance;
  a.from = d.at;
  a.until = a.until_if_preempted = d.at - d.amount * kNs + kPreemptedLook + held_back(a.ahead);
  return a;
}

}  // namespace sim
