// Every tunable of the clock, with its reason. Numbers that a layout or an encoding fixes (slot.h,
// witness.h) stand where they are used.
#pragma once

#include <cstdint>

#include "base/nanos.h"

namespace clockshim::policy {

// A sample takes at most this many bracketed readings, and the narrowest one counts. Three allow
// for one that is preempted, one with cold caches, and one that is good.
inline constexpr int kReadingsPerSample = 3;
// A bracket of at most this many eighths of the usual width is good enough to stop at, so that a
// resync on a slow clock costs one reading.
inline constexpr std::uint64_t kGoodBracketEighths = 10;
// A sample wider than this many times the usual bracket was preempted. It is not used while the
// segment still has life left.
inline constexpr std::uint64_t kRefusedBracketFactor = 8;
// The usual bracket is a moving average, in which one sample has the share 1/8. That is slow enough
// to ignore a few preempted samples, and fast enough to follow a change of the clocksource within
// some tens of resyncs.
inline constexpr std::uint64_t kBracketMemory = 8;
// In that average no sample counts for more than this many times the usual width. A sample that is
// narrower by the same factor replaces the average at once, since nothing can make a bracket too
// narrow.
inline constexpr std::uint64_t kBracketOutlier = 2;
// The shortest bracket may rise by 1/256 with each sample. So a clock that has become slower is
// recognised after some hundreds of samples. Until then its readings are placed a little too late
// in their brackets.
inline constexpr std::uint64_t kShortestMemory = 256;
// A bracket of at most this many eighths of the shortest one is steady: its middle is where the
// clock was read. That misplaces the reading by at most 1/8 of the shortest bracket, and a segment
// of half the rate's baseline by another 2/8; the way back from the reading hides 4/8.
inline constexpr std::uint64_t kSteadyBracketEighths = 10;
// The remaining eighth, a fifth of the way to the middle of a steady bracket, is left for the step
// in which the clock advances.
inline constexpr std::uint64_t kStepHiddenParts = 5;

// The first rate needs three samples, of which the outer two are this far apart. A shorter distance
// starts serving sooner, a longer one makes the first segments longer.
inline constexpr Nanos kFirstBaseline = milliseconds(1);
// The rate's baseline is between one and two of these, so that it follows the kernel's slewing
// within a second.
inline constexpr Nanos kBaselineStep = milliseconds(500);

// The kernel may change its own rate by this much between two resyncs: NTP's largest slew
// (adjtimex(2): 500 ppm).
inline constexpr std::int64_t kSlewPpb = 500'000;
// A rate that differs from the previous one by more than this was not slewed (this is from one end
// of NTP's range to the other). The counter or the clock jumped, or runs at another rate now.
inline constexpr std::int64_t kJumpPpb = 2 * kSlewPpb;
// To work off an error within the tolerance, a segment's rate is bent by at most this much.
inline constexpr std::int64_t kBendPpb = 1'000'000;
// A clock that must not go backwards, and is ahead too far (kBrakeToleranceParts), is slowed down
// by at most this much: it still advances at 1/10 of real time.
inline constexpr std::int64_t kBrakePpb = -900'000'000;
// A segment whose rate is bent down by more than this is braking, because no error within the
// tolerance is worked off so hard.
inline constexpr std::int64_t kBrakingPpb = -2 * kBendPpb;
// Start braking once the clock is ahead by more than the tolerance divided by this. The next
// segments absorb what is less, and have room for their own error left.
inline constexpr std::int64_t kBrakeToleranceParts = 2;
// While the rate is unknown, a clock that is ahead advances at 1/10 of real time.
inline constexpr std::int64_t kLearningPace = 10;

// The bounds of a segment's length. More than 4 ms gains nothing: a resync then takes < 0.4 % of
// one thread on a 5 us clock. Below 20 us every few calls would resync, and might as well read the
// real clock.
inline constexpr Nanos kLongestSegment = milliseconds(4);
inline constexpr Nanos kShortestSegment = microseconds(20);

// A refresh is due after this many eighths of a segment: late enough to be worth it, early enough
// that some call comes before the end.
inline constexpr std::uint64_t kDueEighths = 6;
// While one thread refreshes, the others use the old segment. After this many ticks (some 100 us at
// 2 to 4 GHz) that thread is assumed to be preempted, and the next one tries too.
inline constexpr std::uint64_t kRefreshPatienceTicks = 1ULL << 18;

// A segment is served for at most this long before a call checks the coarse clocks (promise 4).
inline constexpr Nanos kCheckInterval = microseconds(100);
// Where the coarse clocks are expensive too (no vDSO at all), the interval is this many times the
// cost of a check, so that checks take at most 1 % of a thread.
inline constexpr std::uint64_t kCheckCostFactor = 100;
// Track the minimum recent cost of a check, which may rise by 1/64 with each one. So one preempted
// check does not stretch the interval, and coarse clocks that have become expensive are recognised
// after some dozens of checks.
inline constexpr std::uint64_t kCheckCostMemory = 64;
// A coarse clock may lag by this much more than its own tick (interrupts are held off for a while)
// before the segment is suspected.
inline constexpr Nanos kCoarseSlack = milliseconds(1);

// A wall clock that is stepped back by less than this many tolerances stands still for that long
// instead of going backwards.
inline constexpr std::int64_t kStepTolerances = 2;

// CLOCK_MONOTONIC_COARSE never goes back by this much, except in a child that was put into a time
// namespace (time_namespaces(7)).
inline constexpr Nanos kNamespaceStep = milliseconds(50);

// A call that loses this many races in a row reads the real clock instead of trying again.
inline constexpr int kAttempts = 8;

// A clock that was never served is given up as unable to keep the tolerance after this many samples
// that were too wide for it. One of them may have been preempted, and so may two, but hardly all.
inline constexpr std::uint32_t kTooWideSamples = 8;

// What a call costs is measured after the first, second, fourth and so on resync of a clock, and at
// last after each of this many: some seconds of a busy clock.
inline constexpr std::uint64_t kResyncsPerCost = 1024;
// Each time the fast path is timed so often (some 300 ns in all), and the least counts: the first
// one finds cold caches, and one may be interrupted.
inline constexpr int kTimedReadings = 4;
// The least cost of a served call may rise by 1/8 of the difference with each measurement.
inline constexpr std::uint32_t kCostMemory = 8;

// Evidence that counters disagree counts if it comes again within this time (clock/suspicion.h). A
// machine hardly sleeps or jumps twice in 10 s, and a thread that moves between CPUs once a second
// is found.
inline constexpr Nanos kSuspicionSpan = milliseconds(10'000);
// Counters are believed to agree once each CPU has exchanged this many readings, in both
// directions, with a CPU that is already believed. Each handoff must take less than kTightTicks
// (about 1 us, which two CPUs need to meet at a cache line), and all of them must span at least
// kWitnessSpan, in which a drift of 1 ppm would show. The kernel's own test (tsc_sync.c) takes 20
// ms.
inline constexpr std::uint32_t kHandoffs = 1000;
inline constexpr std::uint64_t kTightTicks = 1ULL << 11;
inline constexpr Nanos kWitnessSpan = milliseconds(1000);
// Threads that meet at the shared floor can tell whether their CPUs' counters agree. One in this
// many meetings is used for that: often enough for kHandoffs within a second of real contention,
// seldom enough to cost the others nothing. It is a power of two, because the fast path uses it as
// a mask.
inline constexpr std::int64_t kMeetingsPerHandoff = 16;
static_assert((kMeetingsPerHandoff & (kMeetingsPerHandoff - 1)) == 0);

}  // namespace clockshim::policy
