// Resync: takes a sample of the real clock and publishes what follows from it, the successor of a
// segment, or one that begins afresh. Between resyncs it checks the coarse clocks, which reveal
// steps of the wall clock, sleeps of the machine and counters that jumped.
//
// A Resync lives on the stack of one attempt at one call. It keeps nothing: what it learns is in
// ResyncState, and what it decides, in the store, the floors and the mode. So any number of them
// may run at once, in any threads and signal handlers, each preempted at any point; where two do
// the same work, one compare-and-swap decides whose counts.
//
// The functions are defined in clock/resync_impl.h, for whoever instantiates a Timeline.
#pragma once

#include <cstdint>

#include "base/segment.h"
#include "clock/calibration.h"
#include "clock/chain_id.h"
#include "clock/floors.h"
#include "clock/mode.h"
#include "clock/policy.h"
#include "clock/resync_state.h"
#include "clock/sampler.h"
#include "clock/segment_store.h"

namespace clockshim {

// What an attempt at an answer has come to.
enum class Attempt {
  again,   // another thread was faster, or something was repaired: try again with a new reading
  served,  // from a segment
  real,    // by the real clock, and not below what was served
  none     // the real clock can't be read
};

// The input of one attempt of a call at the slow path.
struct SlowCall {
  ChainId chain;
  std::int64_t floor_before;  // the shared floor, loaded before `now`: what it has grown by since
                              // is no evidence of a step
  Reading now;
};

// What a check of the coarse clocks has found.
struct CoarseCheck {
  CoarsePair coarse;
  std::uint64_t step = 0;   // ticks until the next check
  bool stepped = false;     // the wall clock was stepped, and this segment is older than the step
  bool suspicious = false;  // the segment is too far from the coarse clock
  bool ahead = false;       // and it is ahead, which can't be an effect of preemption
  bool gone_back = false;   // the counter has since the call's reading, or it is another CPU's now
};

template <TimeSource Source>
class Resync {
 public:
  Resync(SegmentStore& segments, Floors& floors, Mode& mode, ResyncState& state, Source& source,
         const SlowCall& call) noexcept
      : segments_(segments),
        floors_(floors),
        mode_(mode),
        state_(state),
        history_(state.histories.of(call.chain)),
        source_(source),
        call_(call) {}

  // There is no valid segment: takes a sample and starts a segment here. `head` and `current` are
  // the chain's references, `last` the segment that was served last, or null. `out` is an answer
  // unless the result is `again` or `none`.
  Attempt begin(SegmentRef head, SegmentRef current, const Record* last, Nanos& out) noexcept;

  // Takes a sample and compares the open segment `ref` with it. If `ref` is the head, it publishes
  // a successor, which starts where the segment ends. False: the segment was wrong, and is closed.
  bool refresh(SegmentRef ref, SegmentRef head, const Record& record) noexcept;

  // Compares a segment with the coarse clocks, at the call's counter value. Also computes when the
  // next check is due.
  CoarseCheck check_coarse(const Record& record) noexcept;

  // Closes the segment `ref`, which was found wrong by a reading on `cpu`, and its successors; or
  // all that are older than a step of the wall clock, where `stepped` gives the coarse clocks after
  // the step.
  void disturbed(SegmentRef ref, const Record& record, unsigned cpu,
                 const CoarsePair* stepped = nullptr) noexcept;

  // Whether the counter has passed `end` by now. The call's own reading may be old, from before the
  // counter restarted.
  [[nodiscard]] bool has_ended(Ticks end) const noexcept {
    const Reading later = source_.reading();
    return call_.chain.includes(later.cpu) && !(later.ticks - end).backward();
  }

 private:
  [[nodiscard]] unsigned id() const noexcept { return call_.chain.clock; }
  [[nodiscard]] bool read_coarse(CoarsePair& out) const noexcept {
    return state_.coarse_tick.raw() > 0 && source_.coarse(out);
  }
  [[nodiscard]] Sample sample(const Brackets& known) noexcept {
    return take_sample(source_, static_cast<clockid_t>(id()), known);
  }

  // The steps of begin().
  bool find_step(const Record* last, const CoarsePair* coarse) noexcept;
  Nanos least(const Record* last, const Sample& s, bool wall_stepped) noexcept;
  Update calibration_after(const Record* last, const Sample& s, bool wall_stepped,
                           TickDelta steady) noexcept;
  bool place_segment(Record& next, const Sample& s, Nanos floor) noexcept;
  Attempt publish_first(SegmentRef head, SegmentRef current, const Record& next,
                        const Record* refuted) noexcept;

  // A step of refresh(): the successor of `record`, of which the sample says `unknown`.
  Record successor(const Record& record, const Sample& s, const Calibration& calibration,
                   Nanos unknown) const noexcept;

  void contradicted(unsigned cpu, const Record& record) noexcept;
  void close_before_step(Nanos wall) noexcept;
  [[nodiscard]] bool must_brake(Nanos ahead) const noexcept {
    return ahead > Nanos{state_.tolerance.raw() / policy::kBrakeToleranceParts};
  }
  static Nanos served_of(const Record& last, const Sample& s) noexcept;
  static void place_guard(Record& next, const Sample& s, const CoarsePair& coarse) noexcept;

  SegmentStore& segments_;
  Floors& floors_;
  Mode& mode_;
  ResyncState& state_;
  ChainHistory& history_;
  Source& source_;
  const SlowCall& call_;
};

}  // namespace clockshim
