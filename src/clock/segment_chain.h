// What a timeline is made of beside its slots (clock/slot.h): chains, what is noted of each slot,
// settings. All of it stands in zeroed memory, and zero is what each field begins with.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock_id.h"
#include "base/nanos.h"
#include "clock/slot.h"
#include "clock/witness.h"

namespace clockshim {

// Where chains are kept: one place for counters that agree, then one for each CPU.
inline constexpr unsigned kCommon = 0;
inline constexpr unsigned kDomains = 1 + kMaxCpus;
constexpr unsigned domain_of(unsigned cpu) { return 1 + cpu; }

// Only servable clocks have chains: a chain's place among those of its domain.
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

// Slots belong to nobody for good: whoever publishes claims one. A chain has at most two live ones,
// its head and its current segment, so the pool holds them for every clock on every CPU. The rest
// is for those that are being written, by threads that may be preempted or may never come back.
inline constexpr unsigned kLivePerChain = 2;
inline constexpr unsigned kSpareSlots = 246;
inline constexpr unsigned kSlots = kLivePerChain * kDomains * kChains + kSpareSlots;
static_assert(kSlots * kSlotBytes <= kOffsetMask + 1);

// Of one clock, in one domain. What resyncs update, and the newest segment.
struct alignas(64) SegmentChain {
  std::atomic<SegmentRef> head{};
  std::atomic<std::uint64_t> refreshing{};  // the counter when a refresh began; 0: none under way
  std::atomic<std::uint64_t> usual_width{};
  std::atomic<std::uint64_t> shortest_width{};  // of late
  std::atomic<std::uint64_t> usual_check{};     // ticks that a look at the coarse clocks takes
  std::atomic<bool> served{};                   // a segment has been
  std::atomic<std::uint32_t>
      contradictions{};                   // between samples of two CPUs, since they last agreed
  std::atomic<std::uint32_t> too_wide{};  // samples in a row that were too wide for the tolerance
};

// What is noted of a slot. `uses` and `chain` are touched only while the slot is claimed: an
// acquiring exchange and a releasing store order those who claim it one after the other.
struct SlotNotes {
  std::atomic<std::uintptr_t> claimed_by{};  // Source::thread() of who is writing it; 0: nobody
  std::uint32_t uses = 0;
  std::uint16_t chain = 0;  // which one it served last: domain * kChains + chain_place(id)
};
static_assert(kDomains * kChains <= UINT16_MAX);

// How the hot path reads the time. Together in one word, because it decides the first branch.
inline constexpr std::uint8_t kRelaxed = 1;  // CLOCKSHIM_ORDER=relaxed
inline constexpr std::uint8_t kPerCpu = 2;   // the counters are not known to agree
inline constexpr std::uint8_t kSettling =
    4;  // since just now: what was served before is not in the floors yet

// The settings that the slow side needs. Written once, before anything is served.
struct TimelineSettings {
  Nanos tolerance;
  ClockMask clocks = 0;  // 0: serve nothing
  Nanos granularity{0};  // in which the real clock advances
  Nanos coarse_tick{
      0};  // in which the coarse clocks advance; 0: there are none, steps are found by resyncs only
  unsigned cpus = 0;  // configured in this machine (zero, because this must stand in zeroed memory)
  bool relaxed = false;
  bool per_cpu = false;  // start with a chain for each CPU
  bool can_tell_cpus = false;
  bool may_promote = false;  // to one chain for all, on evidence
};

}  // namespace clockshim
