// The parts of a timeline other than its slots (clock/slot.h): chains of segments, notes about each
// slot, settings. All of it lives in zeroed memory, and zero is the initial value of each field.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock_id.h"
#include "base/nanos.h"
#include "clock/slot.h"
#include "clock/witness.h"

namespace clockshim {

// A domain is a set of CPUs that share their chains. Domain kCommon is for all CPUs, as long as
// their counters agree; domain 1 + n is for CPU n alone, if they do not.
inline constexpr unsigned kCommon = 0;
inline constexpr unsigned kDomains = 1 + kMaxCpus;
constexpr unsigned domain_of(unsigned cpu) { return 1 + cpu; }

// Only servable clocks have chains. This is the index of a clock's chain within its domain.
inline constexpr unsigned kChains = kServableClocks.size();
constexpr unsigned chain_place(unsigned id) {
  switch (static_cast<clockid_t>(id)) {
    case CLOCK_REALTIME: return 0;
    case CLOCK_MONOTONIC: return 1;
    case CLOCK_MONOTONIC_RAW: return 2;
    case CLOCK_BOOTTIME: return 3;
    default: return 4;  // CLOCK_TAI
  }
}
static_assert([] {
  for (unsigned i = 0; i < kChains; ++i) {
    if (chain_place(static_cast<unsigned>(kServableClocks[i].id)) != i) return false;
  }
  return true;
}());

// No thread owns a slot for good: whoever publishes claims one. A chain needs at most two, for its
// head and its current segment, so the pool has two for every clock on every CPU. The spare ones
// are for segments that are being written, by threads that may be preempted or may never come back.
inline constexpr unsigned kLivePerChain = 2;
inline constexpr unsigned kSpareSlots = 246;
inline constexpr unsigned kSlots = kLivePerChain * kDomains * kChains + kSpareSlots;
static_assert(kSlots * kSlotBytes <= kOffsetMask + 1);

// The segments of one clock in one domain: a reference to the newest, and what resyncs keep track
// of.
struct alignas(64) SegmentChain {
  std::atomic<SegmentRef> head{};
  std::atomic<std::uint64_t>
      refreshing{};  // the counter when a refresh began; 0: none is under way
  std::atomic<std::uint64_t> usual_width{};
  std::atomic<std::uint64_t> shortest_width{};  // the recent minimum
  std::atomic<std::uint64_t> usual_check{};     // the ticks that a check of the coarse clocks takes
  std::atomic<bool> served{};                   // a segment was served
  std::atomic<std::uint32_t>
      contradictions{};                   // between samples of two CPUs, since they last agreed
  std::atomic<std::uint32_t> too_wide{};  // successive samples that were too wide for the tolerance
};

// Notes about a slot. `uses` and `chain` are accessed only while the slot is claimed. An acquiring
// exchange and a releasing store order the threads that claim it one after the other.
struct SlotNotes {
  std::atomic<std::uintptr_t> claimed_by{};  // Source::thread() of the writer; 0: none
  std::uint32_t uses = 0;
  std::uint16_t chain = 0;  // which chain it belongs to: domain * kChains + chain_place(id)
};
static_assert(kDomains * kChains <= UINT16_MAX);

// The mode bits, which say how the hot path reads the time. They share one byte, because it decides
// the first branch.
inline constexpr std::uint8_t kRelaxed = 1;  // CLOCKSHIM_ORDER=relaxed
inline constexpr std::uint8_t kPerCpu = 2;   // the counters are not known to agree
inline constexpr std::uint8_t kSettling =
    4;  // the mode has just changed: the floors do not include yet what was served before

// The settings of the slow path. They are written once, before anything is served.
struct TimelineSettings {
  Nanos tolerance;
  ClockMask clocks = 0;  // 0: nothing is served
  Nanos granularity{0};  // the step in which the real clock advances
  Nanos coarse_tick{0};  // the step in which the coarse clocks advance; 0: there are none, and only
                         // resyncs find steps
  unsigned cpus =
      0;  // the CPUs configured in this machine (initially 0, because this is zeroed memory)
  bool relaxed = false;
  bool per_cpu = false;  // start with one domain for each CPU
  bool can_tell_cpus = false;
  bool may_promote = false;  // to one domain for all CPUs, once the counters were seen to agree
};

}  // namespace clockshim
