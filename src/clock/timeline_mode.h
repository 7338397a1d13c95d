// One chain for all CPUs, or one for each: evidence, and the change from one to the other. Included by timeline.h only.
#pragma once

#include "clock/timeline.h"

namespace clockshim {

// A reading, held against the newest one of any other CPU.
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

// To one chain for each CPU. What has been served from the common ones becomes the floor, before anybody may serve from
// others. A thread that is late with a segment for the common chain publishes what nobody will read.
template <TimeSource Source>
void Timeline<Source>::demote(ModeChange why, std::uint64_t ticks) noexcept {
  if ((how_.load(std::memory_order_acquire) & kPerCpu) != 0) return;
  if (!settings_.can_tell_cpus) {
    last_change_.store(ModeChange::stopped, std::memory_order_relaxed);
    serving_.store(0, std::memory_order_release);
  }
  for (unsigned id = 0; id < kClockIds; ++id) {
    const PublishedWord current = current_[kCommon][id].load(std::memory_order_acquire);
    close_chain(kCommon, id, Closed::over);
    Record record;
    if (current == 0 || !slot_at(current).get(current, record)) continue;
    const std::int64_t served = (record.segment.length.raw() == 0 ? record.segment.base : record.closing_value()).raw();
    Floor& floor = floors_[id].value;
    std::int64_t seen = floor.load(std::memory_order_acquire);
    while (seen < served && !floor.compare_exchange_weak(seen, served, std::memory_order_acq_rel)) {
    }
  }
  if (!settings_.can_tell_cpus) return;
  last_change_.store(why, std::memory_order_relaxed);
  change_ticks_.store(ticks, std::memory_order_relaxed);
  how_.fetch_or(kPerCpu, std::memory_order_acq_rel);
}

// To one chain for all. It learns its rate anew, for a millisecond, in which each answer is a real one above the floor. A
// thread that is late with an answer from its CPU's chain has raised the floor before; or its answer is older than that.
template <TimeSource Source>
void Timeline<Source>::promote(Source& source) noexcept {
  Nanos now;
  if (!witness_.ready(settings_.cpus) || !source.real(CLOCK_MONOTONIC, now) || !witness_.convinced(now)) return;
  witness_.forget();
  last_change_.store(ModeChange::promoted, std::memory_order_relaxed);
  change_ticks_.store(witness_.handoffs(), std::memory_order_relaxed);
  how_.fetch_and(static_cast<std::uint8_t>(~kPerCpu), std::memory_order_acq_rel);
  for (unsigned domain = domain_of(0); domain < kDomains; ++domain) {
    if (!domain_used_[domain].load(std::memory_order_acquire)) continue;
    for (unsigned id = 0; id < kClockIds; ++id) close_chain(domain, id, Closed::over);
  }
}

// `value`, or what the floor says is the least; the floor is raised to it. A wall clock that is behind by so much was stepped
// back, and takes the floor with it.
template <TimeSource Source>
Nanos Timeline<Source>::above(unsigned id, Nanos value, Floor& floor) noexcept {
  std::int64_t seen = floor.load(std::memory_order_acquire);
  if (seen == 0 && &floor != &floors_[id].value) value = std::max(value, Nanos{floors_[id].value.load(std::memory_order_acquire)});
  for (int attempt = 0; attempt < policy::kAttempts; ++attempt) {
    const bool stepped_back = steps(id) && Nanos{seen - value.raw()} > Nanos{settings_.tolerance.raw() * policy::kStepTolerances};
    if (value.raw() <= seen && !stepped_back) break;
    if (floor.compare_exchange_weak(seen, value.raw(), std::memory_order_acq_rel)) return value;
  }
  return std::max(value, Nanos{seen});
}

template <TimeSource Source>
void Timeline<Source>::clocks_were_set() noexcept {
  for (unsigned domain = 0; domain < kDomains; ++domain) {
    if (!domain_used_[domain].load(std::memory_order_acquire)) continue;
    for (unsigned id = 0; id < kClockIds; ++id) close_chain(domain, id, Closed::disturbed);
  }
}

template <TimeSource Source>
auto Timeline<Source>::status(unsigned id) const noexcept -> Status {
  Status s;
  for (unsigned domain = 0; domain < kDomains; ++domain) {
    if (domain_used_[domain].load(std::memory_order_acquire)) s.resyncs += chains_[domain][id].resyncs.load(std::memory_order_relaxed);
  }
  s.unreachable_best = Nanos{unreachable_best_[id].load(std::memory_order_relaxed)};
  return s;
}

}  // namespace clockshim
