// Segment arithmetic with an injected counter: wrap-around, truncation, joints, headroom.
#include "base/segment.h"

#include <gtest/gtest.h>

#include <random>

namespace clockshim {
namespace {

constexpr Rate kTwoAndAHalfGigahertz{static_cast<std::uint64_t>(0.4 * 4294967296.0)};

TEST(Segment, GivesItsBaseAtItsStart) {
  const Segment s = make_segment(Ticks{1000}, Nanos{77}, kTwoAndAHalfGigahertz, milliseconds(1));
  EXPECT_EQ(s.at(Ticks{1000}), Nanos{77});
}

TEST(Segment, CoversItsRangeAndNotOneTickMore) {
  const Segment s = make_segment(Ticks{1000}, Nanos{0}, kTwoAndAHalfGigahertz, milliseconds(1));
  EXPECT_FALSE(s.covers(Ticks{999}));
  EXPECT_TRUE(s.covers(Ticks{1000}));
  EXPECT_TRUE(s.covers(Ticks{s.end().raw() - 1}));
  EXPECT_FALSE(s.covers(s.end()));
}

TEST(Segment, WorksAcrossTheCountersWrap) {
  const Segment s =
      make_segment(Ticks{UINT64_MAX - 999}, Nanos{5}, Rate{1ULL << 32}, milliseconds(1));
  EXPECT_TRUE(s.covers(Ticks{500}));
  EXPECT_EQ(s.at(Ticks{500}), Nanos{5 + 1500});
  EXPECT_FALSE(s.covers(Ticks{UINT64_MAX - 1000}));
}

TEST(Segment, TruncatesAndNeverRoundsUp) {
  const Segment s{Ticks{0}, TickDelta{1000}, Rate{(1ULL << 32) * 2 / 3}, Nanos{0}};
  EXPECT_EQ(s.at(Ticks{1}), Nanos{0});
  EXPECT_EQ(s.at(Ticks{2}), Nanos{1});
  EXPECT_EQ(s.at(Ticks{3}), Nanos{1});  // 2/3 in 32.32 is a little less than 2/3
}

TEST(Segment, DoesNotDecreaseAndEndsAtOrBelowItsEndValue) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 1000; ++i) {
    const Rate rate{(1ULL << 22) + random() % (1ULL << 40)};
    const Segment s = make_segment(Ticks{random()}, Nanos{static_cast<std::int64_t>(random() >> 3)},
                                   rate, Nanos{static_cast<std::int64_t>(random() % 500'000'000)});
    if (s.length.raw() < 2) continue;
    Nanos last = s.at(s.start);
    for (int step = 1; step <= 16; ++step) {
      const Ticks t = s.start + TickDelta{s.length.raw() / 16 * static_cast<std::uint64_t>(step)};
      EXPECT_GE(s.at(t), last);
      last = s.at(t);
    }
    EXPECT_LE(last, s.end_value());
  }
}

TEST(Segment, TheHotPathsProductFitsForEveryPlausibleRate) {
  for (unsigned shift = 22; shift <= 42; ++shift) {
    const Segment s = make_segment(Ticks{0}, Nanos{0}, Rate{1ULL << shift}, milliseconds(10'000));
    const auto product = static_cast<UnsignedWide>(s.length.raw()) * s.rate.raw();
    EXPECT_LT(product, static_cast<UnsignedWide>(1) << 63) << "rate 2^" << shift;
    EXPECT_LT((s.end_value() - s.base).raw(), kNanosPerSecond) << "more than one carry";
  }
}

TEST(Rate, IsMeasuredFromTicksAndTime) {
  EXPECT_EQ(rate_of(TickDelta{1000}, Nanos{1000}), Rate{1ULL << 32});
  EXPECT_FALSE(rate_of(TickDelta{0}, Nanos{5}).plausible());
  EXPECT_FALSE(rate_of(TickDelta{5}, Nanos{-5}).plausible());
  EXPECT_FALSE(rate_of(TickDelta{1}, Nanos{INT64_MAX}).plausible());
}

TEST(Rate, BendsByPartsInABillion) {
  EXPECT_EQ(Rate{1'000'000'000}.bent(1'000'000), Rate{1'001'000'000});
  EXPECT_EQ(Rate{1'000'000'000}.bent(-900'000'000), Rate{100'000'000});
}

TEST(Ticks, ABackwardCounterShows) {
  EXPECT_TRUE((Ticks{5} - Ticks{6}).backward());
  EXPECT_FALSE((Ticks{6} - Ticks{5}).backward());
  EXPECT_FALSE((Ticks{3} - Ticks{UINT64_MAX}).backward()) << "a wrap is not a step back";
}

}  // namespace
}  // namespace clockshim
