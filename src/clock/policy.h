// Every tunable of the clock, with its reason. Numbers that a layout or an encoding fixes (slot.h,
// witness.h) stand where they are used.
#pragma once

#include <cstdint>

#include "base/nanos.h"

namespace clockshim::policy {

// Readings bracketed for one sample at most; the narrowest counts. Three: one preempted, one with
// cold caches, one good.
inline constexpr int kReadingsPerSample = 3;
// A bracket no wider than this many eighths of the usual one is good enough to stop at, so that on
// a slow clock a resync costs one reading.
inline constexpr std::uint64_t kGoodBracketEighths = 10;
// A sample wider than this many times the usual bracket was preempted: not used while the segment
// still has life left.
inline constexpr std::uint64_t kRefusedBracketFactor = 8;
// The usual bracket is a moving average, in which one sample has this share: slow enough that a few
// preempted ones don't make it wide, fast enough to follow another clocksource within some tens of
// resyncs.
inline constexpr std::uint64_t kBracketMemory = 8;
// ... and no sample counts for more than so many times the usual; one that is narrower by as much
// is believed at once, since nothing makes a bracket too narrow.
inline constexpr std::uint64_t kBracketOutlier = 2;
// The shortest bracket may rise by one in so many with each sample: a clock that has become slower
// is known as such after some hundreds, and meanwhile counts as read a little later in its bracket
// than it is.
inline constexpr std::uint64_t kShortestMemory = 256;
// A bracket of so many eighths of it is steady: its middle is where the reading was. That puts the
// reading wrong by an eighth of the shortest bracket at most, and a line of half the rate's
// baseline by another two, of the four that the way back hides.
inline constexpr std::uint64_t kSteadyBracketEighths = 10;
// The fourth, a fifth of the way to a steady bracket's middle, is for the step in which the clock
// advances.
inline constexpr std::uint64_t kStepHiddenParts = 5;

// The first rate needs three samples, the outer two this far apart. Shorter starts serving sooner,
// longer makes the first segments longer.
inline constexpr Nanos kFirstBaseline = milliseconds(1);
// The baseline of the rate: between one and two of these, so that it follows the kernel's slewing
// within a second.
inline constexpr Nanos kBaselineStep = milliseconds(500);

// How fast the kernel itself may change its rate between two resyncs: NTP's largest slew
// (adjtimex(2): 500 ppm).
inline constexpr std::int64_t kSlewPpb = 500'000;
// A rate that differs by more from the one before it was not slewed (from one end of the range to
// the other): the counter or the clock jumped in between, or runs at another pace now.
inline constexpr std::int64_t kJumpPpb = 2 * kSlewPpb;
// A rate is bent by no more than this to work off a measured error of less than the tolerance.
inline constexpr std::int64_t kBendPpb = 1'000'000;
// A clock that may not go backwards and is ahead by more than the tolerance runs at no less than
// this rate meanwhile.
inline constexpr std::int64_t kBrakePpb = -900'000'000;
// A rate that is bent down by more than this is such a brake: no measured error is worked off so
// hard.
inline constexpr std::int64_t kBrakingPpb = -2 * kBendPpb;
// Start braking once the clock is ahead by more than the tolerance divided by this. The next
// segments absorb what is less, and have room for their own error left.
inline constexpr std::int64_t kBrakeToleranceParts = 2;
// While the rate is unknown, a clock that is ahead advances at 1/10 of real time.
inline constexpr std::int64_t kLearningPace = 10;

// Bounds of a segment's length. Above 4 ms nothing is gained (a resync is then < 0.4 % of a thread
// on a 5 us clock); below 20 us a resync comes every few calls and the real clock may as well be
// read.
inline constexpr Nanos kLongestSegment = milliseconds(4);
inline constexpr Nanos kShortestSegment = microseconds(20);

// A refresh is due after this many eighths of a segment: late enough to be worth it, early enough
// that somebody comes.
inline constexpr std::uint64_t kDueEighths = 6;
// While one thread refreshes, the others go on with the old segment; after this many ticks (some
// 100 us at 2 to 4 GHz) it is taken to be preempted, and the next one tries too.
inline constexpr std::uint64_t kRefreshPatienceTicks = 1ULL << 18;

// How long a segment is served before somebody looks at the coarse clocks: promise 4.
inline constexpr Nanos kCheckInterval = microseconds(100);
// ... but where the coarse clocks are dear too (no vDSO at all), seldom enough that looking costs a
// thread 1 %.
inline constexpr std::uint64_t kCheckCostFactor = 100;
// The least cost of a look counts, and may rise by one in so many with each: a preempted look does
// not put off the next one, and a clock that has become dear is known as such after some dozens.
inline constexpr std::uint64_t kCheckCostMemory = 64;
// What the coarse clock may lag by beyond its own tick before the line is suspected: interrupts
// held off for a while.
inline constexpr Nanos kCoarseSlack = milliseconds(1);

// A wall clock whose step back is smaller than so many tolerances is let stand still for that long,
// not taken back.
inline constexpr std::int64_t kStepTolerances = 2;

// CLOCK_MONOTONIC_COARSE never goes back by so much, but for a child that was put into a time
// namespace (time_namespaces(7)).
inline constexpr Nanos kNamespaceStep = milliseconds(50);

// Publication lost this often in a row: read the real clock instead of trying on.
inline constexpr int kAttempts = 8;

// Samples too wide for the tolerance, before a clock that was never served counts as one that can't
// keep it: one may have been preempted, and so may two, but hardly so many.
inline constexpr std::uint32_t kTooWideSamples = 8;

// So many samples that contradict another CPU's, with none that agrees in between, are a counter
// that disagrees.
inline constexpr std::uint32_t kContradictions = 2;
// Counters are believed to agree once each CPU has handed this many readings to, and taken as many
// from, one that is believed already, each within kTightTicks (about 1 us: what two CPUs that meet
// at one cache line take), over at least kWitnessSpan, in which a drift of 1 ppm would have shown.
// The kernel's own test (tsc_sync.c) takes 20 ms.
inline constexpr std::uint32_t kHandoffs = 1000;
inline constexpr std::uint64_t kTightTicks = 1ULL << 11;
inline constexpr Nanos kWitnessSpan = milliseconds(1000);
// Of the meetings at the shared floor, which tell two CPUs' counters apart, one in so many is used
// for that: often enough for kHandoffs within a second of real contention, seldom enough to cost
// the others nothing. A power of two: it is a mask of the hot path.
inline constexpr std::int64_t kMeetingsPerHandoff = 16;
static_assert((kMeetingsPerHandoff & (kMeetingsPerHandoff - 1)) == 0);

}  // namespace clockshim::policy
