// The changes of the mode. The simulator compiles it again, with its own std::atomic.
#include "clock/mode.h"

namespace clockshim {

void Mode::demote(ModeChange why, std::uint64_t ticks, SegmentStore& segments,
                  live::ClockRecord& record) noexcept {
  std::uint8_t bits = bits_.load(std::memory_order_acquire);
  if ((bits & kPerCpu) != 0) return;
  if (!can_tell_cpus_) {
    note(ModeChange::stopped, 0, record);
    serving_.store(0, std::memory_order_release);
    segments.close_domain(kCommon, Closed::over);
    return;
  }
  if (!bits_.compare_exchange_strong(bits, static_cast<std::uint8_t>(bits | kPerCpu | kSettling),
                                     std::memory_order_acq_rel))
    return;
  note(why, ticks, record);
}

void Mode::settle(SegmentStore& segments, Floors& floors) noexcept {
  for (const auto& clock : kServableClocks)
    settle_clock(static_cast<unsigned>(clock.id), segments, floors);
  bits_.fetch_and(static_cast<std::uint8_t>(~kSettling), std::memory_order_acq_rel);
}

void Mode::settle_clock(unsigned id, SegmentStore& segments, Floors& floors) noexcept {
  const ChainId chain{kCommon, id};
  SegmentRef current = segments.current(chain);
  for (SegmentRef before = ~current; current != before;) {
    before = current;
    segments.close_chain(chain, Closed::over);
    Record record;
    if (segments.get(current, record)) {
      floors.raise(id,
                   record.segment.length.raw() == 0 ? record.segment.base : record.closing_value());
    }
    current = segments.current(chain);  // it may have moved on: then settle that one too
  }
}

void Mode::promote(Nanos now, SegmentStore& segments, live::ClockRecord& record) noexcept {
  if (!witness_.convinced(now)) return;
  witness_.forget();
  note(ModeChange::promoted, witness_.handoffs(), record);
  bits_.fetch_and(static_cast<std::uint8_t>(~kPerCpu), std::memory_order_acq_rel);
  segments.close_domains_from(domain_of(0), Closed::over);
}

}  // namespace clockshim
