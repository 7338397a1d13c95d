// What a timeline is made of beside its slots (clock/slot.h): chains, what a thread notes of its slots, settings. All of it stands in
// zeroed memory, and zero is what each field begins with.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock_id.h"
#include "base/nanos.h"
#include "clock/slot.h"
#include "clock/witness.h"
#include "os/thread_index.h"

namespace clockshim {

inline constexpr unsigned kSlotsPerThread = 64;  // two live ones for each clock and CPU that it published for last
static_assert(kMaxThreads * kSlotsPerThread * kSlotBytes <= kOffsetMask + 1);

// Where chains are kept: one place for counters that agree, then one for each CPU.
inline constexpr unsigned kCommon = 0;
inline constexpr unsigned kDomains = 1 + kMaxCpus;
constexpr unsigned domain_of(unsigned cpu) { return 1 + cpu; }

// Of one clock, in one domain. What resyncs update, and the newest segment.
struct alignas(64) Chain {
  std::atomic<PublishedWord> head{};
  std::atomic<std::uint64_t> refreshing{};  // the counter when a refresh began; 0: none under way
  std::atomic<std::uint64_t> usual_width{};
  std::atomic<std::uint64_t> shortest_width{};  // of late
  std::atomic<std::uint64_t> usual_check{};     // ticks that a look at the coarse clocks takes
  std::atomic<bool> served{};                   // a segment has been
  std::atomic<std::uint32_t> contradictions{};  // between samples of two CPUs, since they last agreed
  std::atomic<std::uint32_t> too_wide{};        // samples in a row that were too wide for the tolerance
};

// What a thread notes of its slots. Its alone, but for signal handlers and raw clones.
struct alignas(64) OwnSlots {
  std::atomic<bool> claimed[kSlotsPerThread]{};
  std::uint16_t chain[kSlotsPerThread]{};  // which one the slot served last: domain * kClockIds + id
  std::uint64_t uses[kSlotsPerThread]{};
};

// How the hot path reads the time. Together in one word, because it decides the first branch.
inline constexpr std::uint8_t kRelaxed = 1;   // CLOCKSHIM_ORDER=relaxed
inline constexpr std::uint8_t kPerCpu = 2;    // the counters are not known to agree
inline constexpr std::uint8_t kSettling = 4;  // since just now: what was served before is not in the floors yet

// The settings that the slow side needs. Written once, before anything is served.
struct TimelineSettings {
  Nanos tolerance;
  ClockMask clocks = 0;  // 0: serve nothing
  Nanos granularity{0};  // in which the real clock advances
  Nanos coarse_tick{0};  // in which the coarse clocks advance; 0: there are none, steps are found by resyncs only
  unsigned cpus = 0;     // configured in this machine (zero, because this must stand in zeroed memory)
  bool relaxed = false;
  bool per_cpu = false;  // start with a chain for each CPU
  bool can_tell_cpus = false;
  bool may_promote = false;  // to one chain for all, on evidence
};

}  // namespace clockshim
