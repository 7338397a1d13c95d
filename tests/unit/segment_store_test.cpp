// SegmentStore alone: publishing, closing and the gate, without any clock.
#include "clock/segment_store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace clockshim {
namespace {

constexpr std::uintptr_t kMe = 1;
constexpr ChainId kChain{kCommon, CLOCK_MONOTONIC};

// One nanosecond a tick, from `start` and `base` on.
Record record_of(std::uint64_t start, std::int64_t base, std::uint64_t gate = 1000) {
  Record record;
  record.segment = {Ticks{start}, TickDelta{1000}, Rate{1ULL << kRateShift}, Nanos{base}};
  record.gate = TickDelta{gate};
  return record;
}

class SegmentStoreTest : public testing::Test {
 protected:
  // Publishes on top of the head and makes it current, as a first segment is.
  SegmentRef begin(const Record& record, ChainId chain = kChain) {
    SegmentRef head = store->head(chain);
    EXPECT_EQ(store->publish(chain, kMe, head, record), SegmentStore::Published::done);
    store->make_current(chain, store->current(chain), head);
    EXPECT_EQ(store->current(chain), head);
    return head;
  }
  [[nodiscard]] bool reads(std::uint64_t ticks, ChainId chain = kChain) const {
    timespec out{};
    return store->read(chain.clock, Ticks{ticks}, out, chain.domain);
  }
  [[nodiscard]] Closed closed(SegmentRef ref) const {
    Record record;
    EXPECT_TRUE(store->get(ref, record));
    return record.closed;
  }

  std::unique_ptr<SegmentStore> store = std::make_unique<SegmentStore>();
};

TEST_F(SegmentStoreTest, ChainsAreNumberedWithoutGaps) {
  for (unsigned n = 0; n < kDomains * kChains; ++n) {
    EXPECT_EQ(ChainId::numbered(n).number(), n);
    EXPECT_LT(ChainId::numbered(n).clock, kClockIds);
  }
}

TEST_F(SegmentStoreTest, AnEmptyStoreHasNothing) {
  Record record;
  EXPECT_EQ(store->head(kChain), 0U);
  EXPECT_EQ(store->current(kChain), 0U);
  EXPECT_FALSE(store->get(0, record));
  EXPECT_FALSE(store->close(0, Closed::over));
  for (unsigned id = 0; id < kClockIds; ++id) EXPECT_FALSE(reads(0, {kCommon, id}));
  store->close_domains_from(kCommon, Closed::over);
}

TEST_F(SegmentStoreTest, WhatWasPublishedIsReadUpToTheGateAndNotBeforeTheStart) {
  begin(record_of(5000, 7 * kNanosPerSecond - 10, 300));
  timespec out{};
  ASSERT_TRUE(store->read(CLOCK_MONOTONIC, Ticks{5020}, out, kCommon));
  EXPECT_EQ(from_timespec(out), Nanos{7 * kNanosPerSecond + 10});
  EXPECT_TRUE(reads(5000));
  EXPECT_TRUE(reads(5299));
  EXPECT_FALSE(reads(5300));
  EXPECT_FALSE(reads(4999));
  EXPECT_FALSE(reads(5020, {kCommon, CLOCK_REALTIME}));
  EXPECT_FALSE(reads(5020, {domain_of(0), CLOCK_MONOTONIC}));
}

TEST_F(SegmentStoreTest, ARecordComesBackAsItWasPublished) {
  Record record = record_of(5000, 123, 77);
  record.calibration = {
      {Ticks{1}, TickDelta{2}, Nanos{3}}, {Ticks{4}, TickDelta{5}, Nanos{6}}, Rate{7}, 8};
  record.cpu = 9;
  record.wall = Nanos{-10};
  record.lead = Nanos{-11};
  Record out;
  ASSERT_TRUE(store->get(begin(record), out));
  EXPECT_EQ(out.segment.base, Nanos{123});
  EXPECT_EQ(out.gate, TickDelta{77});
  EXPECT_EQ(out.closed, Closed::no);
  EXPECT_EQ(out.calibration.older.real, Nanos{3});
  EXPECT_EQ(out.calibration.newer.width, TickDelta{5});
  EXPECT_EQ(out.calibration.uncertainty_ppb, 8);
  EXPECT_EQ(out.cpu, 9U);
  EXPECT_EQ(out.wall, Nanos{-10});
  EXPECT_EQ(out.lead, Nanos{-11});
}

TEST_F(SegmentStoreTest, OfTwoThatBuildOnTheSameHeadOneWins) {
  SegmentRef mine = begin(record_of(0, 0));
  SegmentRef theirs = mine;
  EXPECT_EQ(store->publish(kChain, kMe, mine, record_of(1000, 1000)),
            SegmentStore::Published::done);
  EXPECT_EQ(store->publish(kChain, 2, theirs, record_of(1000, 2000)),
            SegmentStore::Published::lost);
  EXPECT_EQ(store->head(kChain), mine);
  EXPECT_EQ(theirs, mine) << "the loser is given the winner's";
}

TEST_F(SegmentStoreTest, AThreadWithoutANumberPublishesNothing) {
  SegmentRef head = 0;
  EXPECT_EQ(store->publish(kChain, 0, head, record_of(0, 0)), SegmentStore::Published::no_slot);
  EXPECT_EQ(store->head(kChain), 0U);
}

TEST_F(SegmentStoreTest, AClosedSegmentIsServedNoMoreAndItsGateIsFinal) {
  const SegmentRef ref = begin(record_of(0, 0, 100));
  Record record;
  ASSERT_TRUE(store->get(ref, record));
  EXPECT_TRUE(store->advance_gate(ref, record, TickDelta{150}, 100));
  EXPECT_TRUE(reads(249));
  EXPECT_FALSE(reads(250));
  EXPECT_FALSE(store->advance_gate(ref, record, TickDelta{150}, 100)) << "it has moved already";
  ASSERT_TRUE(store->get(ref, record));
  EXPECT_TRUE(store->close(ref, Closed::disturbed));
  EXPECT_FALSE(store->close(ref, Closed::over)) << "the first reason stays";
  EXPECT_EQ(closed(ref), Closed::disturbed);
  EXPECT_FALSE(reads(0));
  EXPECT_FALSE(store->advance_gate(ref, record, TickDelta{250}, 100));
  ASSERT_TRUE(store->get(ref, record));
  EXPECT_EQ(record.gate, TickDelta{250});
  EXPECT_EQ(record.closing_value(), Nanos{250});
}

TEST_F(SegmentStoreTest, AGateIsNeverMovedPastTheEnd) {
  const SegmentRef ref = begin(record_of(0, 0, 100));
  Record record;
  ASSERT_TRUE(store->get(ref, record));
  EXPECT_TRUE(store->advance_gate(ref, record, TickDelta{900}, 5000));
  EXPECT_TRUE(reads(999));
  EXPECT_FALSE(reads(1000));
}

TEST_F(SegmentStoreTest, ASlotThatIsUsedAgainIsNoLongerWhatItWas) {
  const SegmentRef first = begin(record_of(0, 0));
  Record record;
  for (unsigned n = 1; n < 2 * kSlots; ++n) {
    begin(record_of(n * 1000, n * 1000));
    ASSERT_TRUE(store->get(store->head(kChain), record));
    ASSERT_EQ(record.segment.start, Ticks{n * 1000});
  }
  EXPECT_FALSE(store->get(first, record));
  EXPECT_FALSE(store->close(first, Closed::over));
}

TEST_F(SegmentStoreTest, ThePoolHoldsTwoSegmentsOfEachChainOfEachDomain) {
  std::vector<SegmentRef> refs;
  for (unsigned n = 0; n < kDomains * kChains; ++n) {
    const ChainId chain = ChainId::numbered(n);
    refs.push_back(begin(record_of(0, n), chain));
    SegmentRef head = store->head(chain);
    ASSERT_EQ(store->publish(chain, kMe, head, record_of(1000, n)), SegmentStore::Published::done);
    refs.push_back(head);
  }
  Record record;
  for (std::size_t n = 0; n < refs.size(); ++n) {
    ASSERT_TRUE(store->get(refs[n], record)) << n;
    EXPECT_EQ(record.segment.base, Nanos{static_cast<std::int64_t>(n / 2)});
  }
}

TEST_F(SegmentStoreTest, ClosingBothTellsWhetherAThreadHasMovedOn) {
  const SegmentRef current = begin(record_of(0, 0));
  SegmentRef head = current;
  ASSERT_EQ(store->publish(kChain, kMe, head, record_of(1000, 1000)),
            SegmentStore::Published::done);
  EXPECT_TRUE(store->close_both(kChain, current, head, Closed::over));
  store->make_current(kChain, current, head);
  EXPECT_FALSE(store->close_both(kChain, current, head, Closed::over));
  EXPECT_EQ(store->current(kChain), head);
}

TEST_F(SegmentStoreTest, AStepClosesWallClocksThatAreOlderOnAllCpus) {
  std::vector<SegmentRef> refs;
  for (const unsigned domain : {kCommon, domain_of(0), domain_of(kMaxCpus - 1)}) {
    for (const unsigned id : {CLOCK_REALTIME, CLOCK_TAI, CLOCK_MONOTONIC}) {
      Record record = record_of(0, 0);
      record.wall = Nanos{domain == domain_of(0) ? 200 : 100};
      refs.push_back(begin(record, {domain, id}));
    }
  }
  store->close_before_step(Nanos{200});
  for (std::size_t n = 0; n < refs.size(); ++n) {
    const bool old = n / 3 != 1 && n % 3 != 2;
    EXPECT_EQ(closed(refs[n]), old ? Closed::set : Closed::no) << n;
  }
}

TEST_F(SegmentStoreTest, DomainsAreClosedFromTheFirstOnThatIsNamed) {
  const SegmentRef common = begin(record_of(0, 0));
  const SegmentRef other = begin(record_of(0, 0), {domain_of(3), CLOCK_BOOTTIME});
  store->close_domains_from(domain_of(0), Closed::over);
  EXPECT_EQ(closed(common), Closed::no);
  EXPECT_EQ(closed(other), Closed::over);
  store->close_domains_from(kCommon, Closed::set);
  EXPECT_EQ(closed(common), Closed::set);
}

// Segments are seen whole or not at all, however threads get in each other's way.
TEST_F(SegmentStoreTest, NoReaderSeesHalfASegment) {
  constexpr std::uint64_t kRounds = 20'000;
  begin(record_of(0, 0));
  std::atomic<bool> done{};
  const auto publish = [&](std::uintptr_t me) {
    for (std::uint64_t n = 1; n <= kRounds; ++n) {
      SegmentRef head = store->head(kChain);
      // Base and start belong together: at its own start each segment says that.
      store->publish(kChain, me, head, record_of(n * 1000, static_cast<std::int64_t>(n) * 1000));
      store->make_current(kChain, store->current(kChain), head);
    }
  };
  std::thread reader([&] {
    while (!done.load()) {
      Record record;
      if (store->get(store->head(kChain), record)) {
        ASSERT_EQ(record.segment.base.raw(), static_cast<std::int64_t>(record.segment.start.raw()));
      }
      timespec out{};
      const std::uint64_t ticks = record.segment.start.raw() + 500;
      if (store->read(CLOCK_MONOTONIC, Ticks{ticks}, out, kCommon)) {
        ASSERT_EQ(from_timespec(out).raw(), static_cast<std::int64_t>(ticks));
      }
    }
  });
  std::thread one(publish, 1);
  std::thread two(publish, 2);
  one.join();
  two.join();
  done.store(true);
  reader.join();
}

}  // namespace
}  // namespace clockshim
