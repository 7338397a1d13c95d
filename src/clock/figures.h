// What the slow path measures of itself, for the report: errors, resyncs, disturbances. It writes
// into the region's record and reads nothing back.
//
// Lock-free, async-signal-safe, any thread at any time, but for start() and record_in(). Valid when
// all zero, but only start() and record_in() may be called then.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/nanos.h"
#include "base/segment.h"
#include "clock/policy.h"
#include "clock/sampler.h"
#include "clock/slot.h"
#include "live/layout.h"

namespace clockshim {

class ClockFigures {
 public:
  constexpr ClockFigures() = default;

  void start(live::ClockRecord& record, Nanos tolerance) noexcept {
    record_ = &record;
    tolerance_ = tolerance;
  }
  // Redirects them to another record, if start() was called. Call it in a forked child, from its
  // only thread.
  void record_in(live::ClockRecord& record) noexcept {
    if (record_ != nullptr) record_ = &record;
  }
  [[nodiscard]] live::ClockRecord& record() const noexcept { return *record_; }

  // Compares the segment with the real clock, and records the largest error that the bracket leaves
  // possible.
  void error_at(const Record& record, const Sample& s) const noexcept {
    if (!record.segment.covers(s.before) || !record.segment.covers(s.before + s.width)) return;
    const Nanos least = magnitude(record.segment.at(s.before) - s.real);
    const Nanos most = magnitude(record.segment.at(s.before + s.width) - s.real);
    record_->accuracy.record(std::max(least, most), tolerance_);
  }

  // Records the error of a segment that had ended before any thread refreshed it: the error where
  // it was served last. Nothing is known about the time since, so that time has to be short.
  void error_at_end(const Record& last, const Sample& s, const Brackets& known) const noexcept {
    const TickDelta since = s.before - (last.segment.start + last.gate);
    if (last.segment.length.raw() == 0 || last.gate.raw() == 0 || since.backward() ||
        since >= last.segment.length)
      return;
    if (is_preempted(s, known)) return;
    const Nanos at_least = last.closing_value() + to_nanos(since, last.calibration.rate);
    const Nanos at_most = at_least + to_nanos(s.width, last.calibration.rate);
    record_->accuracy.record(std::max(magnitude(at_least - s.real), magnitude(at_most - s.real)),
                             tolerance_);
  }

  // Counts a resync of clock `id` (< kClockIds), with the coarse clocks before it.
  void count_resync(unsigned id, const CoarsePair& coarse) const noexcept {
    record_->clocks[id].resyncs.fetch_add(1, std::memory_order_relaxed);
    if (coarse.monotonic.raw() != 0)
      record_->last_resync.store(coarse.monotonic.raw(), std::memory_order_relaxed);
  }

  void count_disturbance() const noexcept {
    record_->disturbances.fetch_add(1, std::memory_order_relaxed);
  }

  // Clock `id` (< kClockIds) can't keep the tolerance, but could keep `best`.
  void note_unreachable(unsigned id, Nanos best) const noexcept {
    record_->clocks[id].unreachable_best.store(best.raw(), std::memory_order_relaxed);
  }

 private:
  live::ClockRecord* record_ = nullptr;  // null until start()
  Nanos tolerance_{};
};

}  // namespace clockshim
