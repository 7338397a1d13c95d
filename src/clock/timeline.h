// The timelines of all clocks: what answers a call with a time. Four parts do the work, and each
// can be read alone; a Timeline only puts them together.
//
//   SegmentStore  (clock/segment_store.h)  where segments are: read, published, closed
//   Floors        (clock/floors.h)         the least that may be served, where chains alone do not
//                                          keep the order
//   Mode          (clock/mode.h)           one domain for all CPUs, or one for each
//   Resync        (clock/resync.h)         samples of the real clock, and the segments they lead to
//
// Where the counters agree, each clock has one chain of segments. All threads then evaluate the
// same function of the counter, so with an ordered reading nothing goes backwards between threads.
// The successor of a segment is published before the segment ends, and starts where it ends and at
// the value that it ends with. Where the counters disagree, each CPU has its own chains, and a
// floor keeps the order.
//
// Only the fast path is defined here, and served_clock.cpp compiles the rest once. Whoever else
// needs the rest, for a time source of their own, includes clock/timeline_impl.h.
#pragma once

#include <cstdint>
#include <ctime>

#include "base/attributes.h"
#include "base/clock_id.h"
#include "clock/chain_id.h"
#include "clock/floors.h"
#include "clock/mode.h"
#include "clock/resync_state.h"
#include "clock/sampler.h"
#include "clock/segment_store.h"
#include "clock/timeline_settings.h"
#include "live/layout.h"

namespace clockshim {

// Where an answer comes from: a segment, the real clock, or nowhere (the caller must pass the call
// through).
enum class Answer { none, real, served };

enum class Attempt;
struct SlowCall;
template <TimeSource Source>
class Resync;

// Valid when all zero: nothing is served. All functions are lock-free and async-signal-safe; any
// thread may call them at any time, but for start(), record_in() and release_claims_of_others().
// Clock ids are < kClockIds, but for resync(), which takes any.
template <TimeSource Source>
class Timeline {
 public:
  constexpr Timeline() = default;

  // Starts serving, and from then on writes measurements of itself into `record`. Before that, and
  // for clocks that are not in settings.clocks, resync() returns none.
  void start(const TimelineSettings& settings, live::ClockRecord& record) noexcept {
    state_.start(settings, record);
    floors_.start(settings.tolerance);
    mode_.start(settings);
  }

  // Redirects measurements to another record. Call it in a forked child, from its only thread.
  void record_in(live::ClockRecord& record) noexcept { state_.figures.record_in(record); }

  [[nodiscard]] CLOCKSHIM_INLINE std::uint8_t mode_bits() const noexcept { return mode_.bits(); }
  // Whether resync() may answer for clock `id`.
  [[nodiscard]] bool serves(unsigned id) const noexcept { return mode_.serves(id); }
  // Whether a segment of the common domain was ever served. False for clocks that can't be served.
  [[nodiscard]] bool has_served(unsigned id) const noexcept {
    return (all_servable() >> id & 1U) != 0 && state_.histories.of({kCommon, id}).served();
  }

  // The reference of the segment that clock `id` is served from, in the common domain.
  [[nodiscard]] SegmentRef current(unsigned id) const noexcept {
    return segments_.current({kCommon, id});
  }
  // HOT. See SegmentStore::prefetch().
  CLOCKSHIM_INLINE void prefetch(SegmentRef ref) const noexcept { segments_.prefetch(ref); }
  // HOT. Evaluates the segment `ref`, which current() was once, at counter value `now`.
  // False means: call resync(). One comparison says so, for all the reasons that
  // SegmentStore::read_segment() lists.
  CLOCKSHIM_INLINE bool read_segment(SegmentRef ref, Ticks now, timespec& out) const noexcept {
    return segments_.read_segment(ref, now, out);
  }
  // HOT. The same for the segment that is current now.
  CLOCKSHIM_INLINE bool read(unsigned id, Ticks now, timespec& out) const noexcept {
    return segments_.read(id, now, out, kCommon);
  }

  // HOT where counters disagree. Like read(), but from the chain of the CPU that `now` was read on,
  // and never below the floor: see Floors::keep_order().
  template <class Exchange>
  CLOCKSHIM_INLINE bool read_above(unsigned id, const Reading& now, Floor& floor, std::int64_t seen,
                                   timespec& out, Exchange exchange) const noexcept {
    if (CLOCKSHIM_UNLIKELY(now.cpu >= kMaxCpus ||
                           !segments_.read(id, now.ticks, out, domain_of(now.cpu))))
      return false;
    return floors_.keep_order(floor, seen, out, exchange);
  }
  [[nodiscard]] CLOCKSHIM_INLINE Floor& floor(unsigned id) noexcept { return floors_.of(id); }

  // The slow path. Answers with the time of clock `id`: from a segment, which it may have to
  // advance to, check, refresh or create, or from the real clock, and never below what was served
  // before. none means that this clock is not served. `thread_floor` is the calling thread's floor
  // in relaxed order, else null.
  Answer resync(unsigned id, Source& source, Nanos& out,
                ThreadFloor* thread_floor = nullptr) noexcept;

  // The resyncs of clock `id` so far, of this process. Call it after start().
  [[nodiscard]] std::uint64_t resyncs(unsigned id) const noexcept {
    return state_.figures.record().clocks[id].resyncs.load(std::memory_order_relaxed);
  }
  // What the samples on `cpu` say of the cost of reading the real clock `id`: the shortest bracket
  // of late, and the counter's rate. False: nothing.
  bool real_cost(unsigned id, unsigned cpu, TickDelta& bracket, Rate& rate) const noexcept;

  // Closes all segments, because this process has set or slewed a clock.
  void clocks_were_set() noexcept {
    floors_.note_set();  // first: what begins from now on is as the clocks are now
    segments_.close_domains_from(kCommon, Closed::set);
  }

  // See SegmentStore::release_claims_of_others(), which is for forked children.
  void release_claims_of_others(std::uintptr_t thread) noexcept {
    segments_.release_claims_of_others(thread);
  }

 private:
  Attempt try_serve(const SlowCall& call, Source& source, Nanos& out) noexcept;
  Attempt serve(Resync<Source>& resync, const SlowCall& call, Source& source, SegmentRef ref,
                SegmentRef head, const Record& record, Nanos& out) noexcept;
  [[nodiscard]] Nanos not_below_served(unsigned id, Source& source, Nanos now) const noexcept;

  // The order matters. The fast path's part comes first, which saves it an addition. What the slow
  // path of a process with one domain touches of the other three lies together: each page more
  // costs a page fault.
  SegmentStore segments_;
  Floors floors_;
  Mode mode_;
  ResyncState state_;
};

}  // namespace clockshim
