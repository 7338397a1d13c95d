// The slow side of Timeline: advancing to a published successor, looking whether something has happened, refreshing before
// the end, starting afresh. Included by timeline.h only.
#pragma once

#include "clock/policy.h"
#include "clock/timeline.h"

namespace clockshim {

// One refresher at a time is enough, but none is waited for: a refresh that has taken too long no longer counts.
template <TimeSource Source>
bool Timeline<Source>::claim_refresh(Chain& chain, Ticks now) noexcept {
  std::uint64_t began = chain.refreshing.load(std::memory_order_relaxed);
  if (began != 0 && now.raw() - began < policy::kRefreshPatienceTicks) return false;
  return chain.refreshing.compare_exchange_strong(began, now.raw() | 1, std::memory_order_relaxed);
}

// The usual bracket: a preempted sample must not make it wide.
template <TimeSource Source>
void Timeline<Source>::learn_width(Chain& chain, TickDelta width) noexcept {
  const std::uint64_t usual = chain.usual_width.load(std::memory_order_relaxed);
  const std::uint64_t counted = std::min(width.raw(), 2 * usual);
  const bool better = usual == 0 || width.raw() < usual / 2;
  chain.usual_width.store(better ? width.raw() : usual - usual / 8 + counted / 8, std::memory_order_relaxed);
}

// What the old segment says against what the real clock says: recorded as the largest error that the bracket allows.
template <TimeSource Source>
void Timeline<Source>::measure(Chain& chain, const Record& record, const Sample& s) noexcept {
  chain.resyncs.fetch_add(1, std::memory_order_relaxed);
  if (!record.segment.covers(s.before) || !record.segment.covers(s.before + s.width)) return;
  const Nanos least = magnitude(record.segment.at(s.before) - s.real);
  const Nanos most = magnitude(record.segment.at(s.before + s.width) - s.real);
  accuracy_.record(least > most ? least : most, settings_.tolerance);
}

// What serve() holds the segment against from now on. `coarse` was read before the sample: a step in between is found at the
// next look, where the other way round it would be taken for what always was.
template <TimeSource Source>
void Timeline<Source>::place_guard(Record& next, const Sample& s, const CoarsePair& coarse) noexcept {
  next.cpu = s.cpu;
  next.wall = coarse.wall();
  next.lead = late_estimate(next.calibration, s, s.before, Nanos{0}) - coarse.monotonic;
}

// The segment that `word` names was wrong. Where the wall clock was stepped, no counter is to blame. Where the newest sample
// was another CPU's, and agreed with its counter, this CPU's counter is.
template <TimeSource Source>
void Timeline<Source>::disturbed(const Call& call, PublishedWord word, const Record& record, unsigned cpu,
                                 const CoarsePair* stepped) noexcept {
  disturbances_.fetch_add(1, std::memory_order_relaxed);
  if (stepped != nullptr) return close_stepping(stepped->wall());
  close(word, Closed::disturbed);
  const bool clock_to_blame = call.id == CLOCK_TAI || (call.id == CLOCK_REALTIME && settings_.coarse_tick.raw() == 0);
  if (call.domain == kCommon && !clock_to_blame && cpu != record.cpu) demote(ModeChange::residual, 0);
}

// Samples; holds the segment against it; and, if the segment is the newest, publishes its successor, which starts where it
// ends. False: the segment was wrong, and is closed.
template <TimeSource Source>
bool Timeline<Source>::refresh(const Call& call, Source& source, PublishedWord word, PublishedWord head, const Record& record) noexcept {
  Chain& chain = chains_[call.domain][call.id];
  CoarsePair coarse;
  const bool guarded = read_coarse(source, coarse);
  const std::uint64_t usual = chain.usual_width.load(std::memory_order_relaxed);
  const Sample s = take_sample(source, static_cast<clockid_t>(call.id), TickDelta{usual});
  if (!s.ok || s.width.raw() > usual * policy::kRefusedBracketFactor) return true;  // preempted; the next call tries again
  if ((call.domain != kCommon && domain_of(s.cpu) != call.domain) || !record.segment.covers(s.before)) return true;
  const Nanos unknown = unknown_of(record.calibration, s, settings_.granularity);
  if (unknown >= settings_.tolerance) return true;  // no better: the segment runs out, begin() knows what to do
  learn_width(chain, s.width);

  const Nanos lead = record.segment.at(s.before) - s.real;
  const Nanos lag = s.real - record.segment.at(s.before + s.width);
  const Update update = updated(record.calibration, s);
  const bool ahead = lead > settings_.tolerance;
  // A clock that may not be stepped back is being held back already.
  const bool braking = record.segment.rate < record.calibration.rate.bent(-2 * policy::kBendPpb);
  if (lag > settings_.tolerance || (ahead && !braking) || update.jumped) {
    const bool wall_stepped = steps(call.id) && guarded && read_coarse(source, coarse) && coarse.wall() != record.wall;
    disturbed(call, word, record, s.cpu, wall_stepped ? &coarse : nullptr);
    return false;
  }
  if (word != head) return true;
  Record next;
  next.calibration = update.calibration;
  Nanos length = segment_length(next.calibration, unknown, settings_.tolerance);
  if (length.raw() == 0) length = policy::kShortestSegment;
  const Joint joint{record.segment.end(), record.segment.end_value(), ahead};
  next.segment = next_segment(next.calibration, s, joint, length, settings_.granularity);
  next.gate = TickDelta{0};  // the first call behind the joint looks
  place_guard(next, s, coarse);
  measure(chain, record, s);
  publish(call, source, head, next);
  if (call.domain == kCommon && (how() & kPerCpu) != 0) settle(call.id);
  return true;
}

// What was served of `last` at most, as of the sample. While a rate is learned anew, a clock that is ahead runs at a tenth of
// its pace.
template <TimeSource Source>
Nanos Timeline<Source>::served_of(const Record& last, const Sample& s) noexcept {
  if (last.segment.length.raw() == 0) {
    const Nanos since = std::max(s.real - last.calibration.newer.real, Nanos{0});
    return last.segment.base + Nanos{since.raw() / policy::kLearningPace};
  }
  return last.closed == Closed::set ? last.value_by(s.before) : last.closing_value();
}

// The least that may be served from a segment that begins now.
template <TimeSource Source>
Nanos Timeline<Source>::floor_of(const Call& call, const Record* last, const Sample& s, bool wall_stepped) noexcept {
  const Nanos arrival = s.real;
  std::int64_t seen = call.floor_before;
  const Nanos step_back{settings_.tolerance.raw() * policy::kStepTolerances};
  if (wall_stepped && Nanos{seen} - arrival > step_back) {
    // Others may still raise it by the old time; below `seen` it is only when somebody else has lowered it.
    Floor& floor = floors_[call.id].value;
    for (std::int64_t old = seen; old >= seen && !floor.compare_exchange_weak(old, arrival.raw(), std::memory_order_acq_rel);) {
    }
    seen = arrival.raw();
  }
  // Where each CPU has its chain the floor itself keeps the order. Only where it is far ahead must the segment start there, to
  // let the clock go on.
  Nanos floor{call.domain == kCommon || Nanos{seen} - arrival > settings_.tolerance ? seen : arrival.raw()};
  if (last != nullptr && (call.domain == kCommon || last->segment.length.raw() == 0)) {
    const Nanos served = served_of(*last, s);
    if (!wall_stepped || served - arrival <= step_back) floor = std::max(floor, served);
  }
  return std::max(floor, arrival);
}

// Nothing valid: sample, and start a segment here.
template <TimeSource Source>
auto Timeline<Source>::begin(const Call& call, Source& source, PublishedWord head, PublishedWord current, const Record* last,
                             Nanos& out) noexcept -> Turn {
  Chain& chain = chains_[call.domain][call.id];
  CoarsePair coarse;
  const bool guarded = read_coarse(source, coarse);
  const std::uint64_t usual = chain.usual_width.load(std::memory_order_relaxed);
  const Sample s = take_sample(source, static_cast<clockid_t>(call.id), TickDelta{usual});
  if (s.refused) return Turn::none;
  const Closed why = last == nullptr ? Closed::no : last->closed;
  // Against what the floor belongs to, too: this CPU's chain may know nothing of the time before.
  std::atomic<std::int64_t>& floors_wall = floors_[call.id].wall;
  const bool floor_stepped = guarded && floors_wall.exchange(coarse.wall().raw(), std::memory_order_acq_rel) != coarse.wall().raw();
  bool wall_stepped =
      steps(call.id) && ((last != nullptr && (guarded ? coarse.wall() != last->wall : why >= Closed::disturbed)) || floor_stepped);
  if (guarded && last != nullptr && last->segment.base - last->lead - coarse.monotonic > policy::kNamespaceStep) {
    // The kernel's own monotonic clock is not what it was: this is a child in a time namespace of its own.
    wall_stepped = true;
  }
  if (wall_stepped && guarded) close_stepping(coarse.wall());  // before the floor is lowered, or somebody would raise it again
  const Nanos floor = floor_of(call, last, s, wall_stepped);
  out = floor;  // s.real, or more: what the caller may be given where no segment comes of it
  if ((last == nullptr || last->segment.length.raw() == 0 || last->closed != Closed::no) && floor > s.real) {
    // Served without a segment: the floor has to know of it where the CPUs are parted meanwhile.
    std::int64_t seen = call.floor_before;
    Floor& shared = floors_[call.id].value;
    while (seen >= call.floor_before && seen < floor.raw() && !shared.compare_exchange_weak(seen, floor.raw(), std::memory_order_acq_rel)) {
    }
  }
  // Moved to another CPU in between, or the counter stands still: a segment can't be had from this sample.
  if (!s.ok || (call.domain != kCommon && domain_of(s.cpu) != call.domain)) return Turn::real;

  Record next;
  if (last == nullptr) {
    next.calibration = calibration_from(s);
  } else if ((wall_stepped || why == Closed::set) && last->calibration.rate.plausible()) {
    next.calibration = rebased(last->calibration, s);
  } else if (why == Closed::disturbed) {
    next.calibration = mended(last->calibration, s);
  } else {
    const Update update = updated(last->calibration, s);
    if (update.jumped) disturbances_.fetch_add(1, std::memory_order_relaxed);
    next.calibration = update.calibration;
  }
  learn_width(chain, s.width);
  const bool known = next.calibration.rate.plausible();
  next.segment = Segment{s.before, TickDelta{0}, next.calibration.rate, floor};
  if (known) {
    const Nanos unknown = unknown_of(next.calibration, s, settings_.granularity);
    const Nanos length = segment_length(next.calibration, unknown, settings_.tolerance);
    if (length.raw() == 0) {
      // One sample may have been preempted, so many in a row were not. A rate that is uncertain gets better by waiting.
      const bool never_served = chain.resyncs.load(std::memory_order_relaxed) == 0;
      const bool can_be = reachable(next.calibration, unknown, settings_.tolerance);
      if (!can_be && never_served && chain.too_wide.fetch_add(1, std::memory_order_relaxed) >= policy::kAttempts)
        unreachable_best_[call.id].store(reachable_tolerance(next.calibration, unknown).raw(), std::memory_order_relaxed);
      return Turn::real;
    }
    const Nanos arrival = late_estimate(next.calibration, s, s.before, settings_.granularity);
    const Joint joint{s.before, std::max(arrival, floor), floor - arrival > settings_.tolerance - unknown};
    next.segment = next_segment(next.calibration, s, joint, length, settings_.granularity);
    next.gate = std::min(next.segment.length, to_ticks(policy::kCheckInterval, next.calibration.rate));
    chain.resyncs.fetch_add(1, std::memory_order_relaxed);
  } else if (last != nullptr && last->segment.length.raw() == 0 && next.calibration.newer.before == last->calibration.newer.before) {
    return Turn::real;  // the baseline is still too short: nothing new to publish
  }
  place_guard(next, s, coarse);
  switch (publish(call, source, head, next)) {
    case Publish::done:
      if (call.domain == kCommon && (how() & kPerCpu) != 0) {  // too late: nobody is to be served from it
        close(head, Closed::over);
        return Turn::again;
      }
      current_[call.domain][call.id].compare_exchange_strong(current, head, std::memory_order_acq_rel);
      break;
    case Publish::lost: return Turn::again;
    case Publish::no_slot: return Turn::real;
  }
  return known ? Turn::again : Turn::real;
}

// Holds a segment against the coarse clocks.
template <TimeSource Source>
auto Timeline<Source>::look(const Call& call, Source& source, const Record& record) noexcept -> Look {
  Look seen;
  seen.step = record.segment.length.raw();
  if (!read_coarse(source, seen.coarse)) return seen;
  const bool moved = seen.coarse.wall() != record.wall;
  seen.stepped = steps(call.id) && moved;
  const Nanos away = record.segment.at(call.now.ticks) - seen.coarse.monotonic - record.lead;
  seen.suspicious = magnitude(away) > settings_.coarse_tick + policy::kCoarseSlack + settings_.tolerance;
  // A sleep of the machine is a step of all clocks that stood still meanwhile against those that did not.
  if (call.id == CLOCK_BOOTTIME && moved) seen.suspicious = true;
  // The least cost of late, so that one preempted look does not put off the next one.
  Chain& chain = chains_[call.domain][call.id];
  const std::uint64_t cost = (source.reading().ticks - call.now.ticks).raw();
  const std::uint64_t usual = chain.usual_check.load(std::memory_order_relaxed);
  const std::uint64_t least = usual == 0 ? cost : std::min(cost, usual + usual / 8 + 1);
  chain.usual_check.store(least, std::memory_order_relaxed);
  seen.step = std::max(to_ticks(policy::kCheckInterval, record.calibration.rate).raw(), least * policy::kCheckCostFactor);
  return seen;
}

// A segment that is open. Its gate may be shut for a look, for a refresh, or because it is over.
template <TimeSource Source>
auto Timeline<Source>::serve(const Call& call, Source& source, PublishedWord word, PublishedWord head, const Record& record,
                             Nanos& out) noexcept -> Turn {
  const TickDelta age = call.now.ticks - record.segment.start;
  if (age.backward()) {
    // The reading is from before another thread began this segment; or, if the next is no better, a counter went backwards.
    const Reading later = source.reading();
    const bool same_domain = call.domain == kCommon || domain_of(later.cpu) == call.domain;
    if (same_domain && (later.ticks - record.segment.start).backward()) disturbed(call, word, record, later.cpu);
    return Turn::again;
  }
  if (age >= record.segment.length) {
    close(word, Closed::over);
    return Turn::again;
  }
  out = record.segment.at(call.now.ticks);
  if (age < record.gate) return Turn::served;

  Chain& chain = chains_[call.domain][call.id];
  const Look seen = look(call, source, record);
  if (seen.stepped) {
    disturbed(call, word, record, call.now.cpu, &seen.coarse);
    return Turn::again;
  }
  const bool due = word == head && age >= record.due();
  if ((due || seen.suspicious) && claim_refresh(chain, call.now.ticks)) {
    const bool good = refresh(call, source, word, head, record);
    chain.refreshing.store(0, std::memory_order_relaxed);
    if (!good) return Turn::again;
  }
  return advance_gate(word, record, age, seen.step) ? Turn::served : Turn::again;
}

// What may have been served of a clock whose counters agree, up to now.
template <TimeSource Source>
Nanos Timeline<Source>::least_of(unsigned id, Source& source) const noexcept {
  Record record;
  const PublishedWord current = current_[kCommon][id].load(std::memory_order_acquire);
  if (current == 0 || !slot_at(current).get(current, record)) return Nanos{0};
  return record.value_by(source.reading().ticks);
}

// One attempt at an answer.
template <TimeSource Source>
auto Timeline<Source>::turn(const Call& call, Source& source, Nanos& out) noexcept -> Turn {
  std::atomic<PublishedWord>& current_word = current_[call.domain][call.id];
  PublishedWord current = current_word.load(std::memory_order_acquire);
  const PublishedWord head = chains_[call.domain][call.id].head.load(std::memory_order_acquire);
  if (head == 0) return begin(call, source, head, current, nullptr, out);
  Record record;
  if (!slot_at(head).get(head, record)) return Turn::again;
  PublishedWord word = head;
  if (head != current) {
    const Ticks joint = record.segment.start;
    const Ticks end = record.segment.end();
    // A counter that jumped to the other side of the joint must not take what was never served with it.
    bool beyond = !(call.now.ticks - end).backward();
    if (!beyond && current != 0 && !(call.now.ticks - joint).backward()) beyond = look(call, source, record).suspicious;
    if (current == 0 || (!(call.now.ticks - joint).backward() && !beyond)) {
      current_word.compare_exchange_strong(current, head, std::memory_order_acq_rel);
      return Turn::again;
    }
    // Before the joint: the predecessor is still the one. Beyond the end of both: nobody has been served from the newest.
    word = current;
    if (!slot_at(current).get(current, record)) {
      // Moved back, by a thread that came late, to a slot that is used again: nothing to be had from it.
      if (beyond) current_word.compare_exchange_strong(current, head, std::memory_order_acq_rel);
      return Turn::again;
    }
    if (beyond) close(current, Closed::over);
    if (!beyond && (record.closed != Closed::no || record.segment.length.raw() == 0) && !(record.segment.end() == joint)) {
      // The newest was not built on this one, but begun afresh, later than this reading.
      current_word.compare_exchange_strong(current, head, std::memory_order_acq_rel);
      return Turn::again;
    }
    if (beyond || record.closed != Closed::no) {
      close(head, record.closed == Closed::no ? Closed::over : record.closed);
      // Now that head is closed: if somebody went over to it before, what that one was served counts.
      if (current_word.load(std::memory_order_seq_cst) != current || !slot_at(current).get(current, record)) return Turn::again;
    }
  }
  if (record.closed != Closed::no || record.segment.length.raw() == 0) return begin(call, source, head, current, &record, out);
  return serve(call, source, word, head, record, out);
}

template <TimeSource Source>
Answer Timeline<Source>::resync(unsigned id, Source& source, Nanos& out, OwnFloor* own_floor) noexcept {
  if (id >= kClockIds || (serving_.load(std::memory_order_acquire) >> id & 1U) == 0) return Answer::none;
  Floor& floor = own_floor != nullptr ? own_floor->value : floors_[id].value;
  const std::atomic<std::int64_t>& unreachable = unreachable_best_[id];
  for (int attempt = 0; attempt < policy::kAttempts; ++attempt) {
    Call call{id, kCommon, floors_[id].value.load(std::memory_order_acquire), {}};
    std::int64_t before = floor.load(std::memory_order_acquire);
    call.now = witnessed_reading(source);
    const std::uint8_t how = how_.load(std::memory_order_acquire);
    const bool per_cpu = (how & kPerCpu) != 0;
    if ((how & kSettling) != 0) {
      for (unsigned any = 0; any < kClockIds; ++any) settle(any);
      how_.fetch_and(static_cast<std::uint8_t>(~kSettling), std::memory_order_acq_rel);
      continue;
    }
    if (per_cpu && settings_.may_promote) promote(source);
    if (per_cpu) call.domain = domain_of(call.now.cpu);
    const bool last = attempt + 1 == policy::kAttempts;
    if (!per_cpu && unreachable.load(std::memory_order_relaxed) != 0) return Answer::none;
    Turn result = Turn::again;
    if (!last && call.domain < kDomains && unreachable.load(std::memory_order_relaxed) == 0) {
      result = turn(call, source, out);
      if (result == Turn::none) return Answer::none;
      if (result == Turn::again) continue;
    } else {
      // Every race lost, or this CPU is not served: the real clock.
      if (!source.real(static_cast<clockid_t>(id), out)) return Answer::none;
      if (!per_cpu) out = std::max(out, least_of(id, source));
    }
    const Answer answer = result == Turn::served ? Answer::served : Answer::real;
    if (!per_cpu) return answer;
    if (own_floor != nullptr) follow_step(out, *own_floor, before);
    if (above(id, out, floor, before) || last) return answer;
  }
  return source.real(static_cast<clockid_t>(id), out) ? Answer::real : Answer::none;
}

}  // namespace clockshim
