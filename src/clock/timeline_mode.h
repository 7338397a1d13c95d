// One chain for all CPUs, or one for each: evidence, and the change from one to the other. Included
// by timeline_impl.h only.
#pragma once

#include "clock/timeline.h"

namespace clockshim {

// Takes a reading and compares it with the newest one of any other CPU. A counter that is behind
// proves that the counters disagree.
template <TimeSource Source>
Reading Timeline<Source>::witnessed_reading(Source& source) noexcept {
  if (settings_.cpus < 2) return source.reading();
  const Witness::Token newest = witness_.newest();
  const Reading now = source.reading();
  if (const std::uint64_t behind = witness_.judge(newest, now); behind > 0) {
    witness_.forget();
    demote(ModeChange::warp, behind);
  }
  return now;
}

// Closes a clock's common chain for good and raises the floor to what was served from it.
template <TimeSource Source>
void Timeline<Source>::settle(unsigned id) noexcept {
  SegmentRef current = current_[kCommon][id].load(std::memory_order_acquire);
  for (SegmentRef before = ~current; current != before;) {
    before = current;
    close_chain(kCommon, id, Closed::over);
    Record record;
    if (current != 0 && slot_at(current).get(current, record)) {
      const std::int64_t served =
          (record.segment.length.raw() == 0 ? record.segment.base : record.closing_value()).raw();
      Floor& floor = floors_[id].value;
      std::int64_t seen = floor.load(std::memory_order_acquire);
      while (seen < served &&
             !floor.compare_exchange_weak(seen, served, std::memory_order_acq_rel)) {
      }
    }
    current = current_[kCommon][id].load(
        std::memory_order_acquire);  // it may have moved on: then settle that one too
  }
}

// Changes to one domain for each CPU. Nothing is served from those until the floors include what
// was served from the common domain; a thread that comes in between helps (kSettling). A thread
// that publishes a segment in the common domain after that settles it again (begin(), refresh()).
template <TimeSource Source>
void Timeline<Source>::demote(ModeChange why, std::uint64_t ticks) noexcept {
  std::uint8_t mode_bits = mode_bits_.load(std::memory_order_acquire);
  if ((mode_bits & kPerCpu) != 0) return;
  if (!settings_.can_tell_cpus) {
    changed(ModeChange::stopped, 0);
    serving_.store(0, std::memory_order_release);
    for (const auto& clock : kServableClocks)
      close_chain(kCommon, static_cast<unsigned>(clock.id), Closed::over);
    return;
  }
  if (!mode_bits_.compare_exchange_strong(
          mode_bits, static_cast<std::uint8_t>(mode_bits | kPerCpu | kSettling),
          std::memory_order_acq_rel))
    return;
  changed(why, ticks);
}

template <TimeSource Source>
void Timeline<Source>::changed(ModeChange why, std::uint64_t ticks) noexcept {
  record_->last_change.store(why, std::memory_order_relaxed);
  record_->change_ticks.store(ticks, std::memory_order_relaxed);
}

// Changes to one domain for all CPUs. Its rate is learned anew, which takes a millisecond, and
// meanwhile each answer is a real one that is not below the floor. A thread that still answers from
// its CPU's chain has raised the floor before this, or its answer is older than this.
template <TimeSource Source>
void Timeline<Source>::promote(Source& source) noexcept {
  Nanos now;
  if (!witness_.ready(settings_.cpus) || !source.real(CLOCK_MONOTONIC, now) ||
      !witness_.convinced(now))
    return;
  witness_.forget();
  changed(ModeChange::promoted, witness_.handoffs());
  mode_bits_.fetch_and(static_cast<std::uint8_t>(~kPerCpu), std::memory_order_acq_rel);
  for (unsigned domain = domain_of(0); domain < kDomains; ++domain) {
    if (!domain_used_[domain].load(std::memory_order_acquire)) continue;
    for (const auto& clock : kServableClocks)
      close_chain(domain, static_cast<unsigned>(clock.id), Closed::over);
  }
}

// Clamps `value` to at least the floor, and publishes it as the new floor. `before` is the floor as
// it was before the value was read. Returns false if the floor has been lowered since, because the
// wall clock was stepped back: the value may be older than the step, so take a new reading.
template <TimeSource Source>
bool Timeline<Source>::clamp_to_floor(unsigned id, Nanos& value, Floor& floor,
                                      std::int64_t before) noexcept {
  if (before == 0)
    value = std::max(
        value,
        Nanos{floors_[id].value.load(std::memory_order_acquire)});  // this thread's first call
  std::int64_t seen = floor.load(std::memory_order_acquire);
  for (int attempt = 0; attempt < policy::kAttempts; ++attempt) {
    if (seen < before) return false;
    if (value.raw() <= seen ||
        floor.compare_exchange_weak(seen, value.raw(), std::memory_order_acq_rel))
      break;
  }
  value = std::max(value, Nanos{seen});
  return true;
}

// Lowers a thread's own floor with the wall clock, once for each step that any thread has noticed.
template <TimeSource Source>
void Timeline<Source>::follow_step(Nanos value, ThreadFloor& own, std::int64_t& before) noexcept {
  const std::uint32_t now = wall_steps_.load(std::memory_order_acquire);
  if (own.steps == now) return;
  own.steps = now;
  if (Nanos{before} - value <= Nanos{settings_.tolerance.raw() * policy::kStepTolerances}) return;
  if (own.value.compare_exchange_strong(before, value.raw(), std::memory_order_relaxed))
    before = value.raw();
}

template <TimeSource Source>
void Timeline<Source>::clocks_were_set() noexcept {
  for (unsigned domain = 0; domain < kDomains; ++domain) {
    if (!domain_used_[domain].load(std::memory_order_acquire)) continue;
    for (const auto& clock : kServableClocks)
      close_chain(domain, static_cast<unsigned>(clock.id), Closed::set);
  }
}

}  // namespace clockshim
