// The error histogram: percentiles are upper bounds within a bucket, the maximum is exact.
#include "live/histogram.h"

#include <gtest/gtest.h>

#include <memory>

namespace clockshim {
namespace {

TEST(Accuracy, IsEmptyAtFirst) {
  const auto s = std::make_unique<Accuracy>()->summary();
  EXPECT_EQ(s.samples, 0U);
  EXPECT_EQ(s.max, Nanos{0});
  EXPECT_EQ(s.p99, Nanos{0});
}

TEST(Accuracy, PercentilesBoundTheValuesFromAboveByOneBucket) {
  Accuracy a;
  for (int i = 1; i <= 1000; ++i) a.record(Nanos{i}, Nanos{900});
  const auto s = a.summary();
  EXPECT_EQ(s.samples, 1000U);
  EXPECT_EQ(s.max, Nanos{1000});
  EXPECT_EQ(s.over_tolerance, 100U);
  EXPECT_GE(s.p50, Nanos{500});
  EXPECT_LE(s.p50, Nanos{563});
  EXPECT_GE(s.p99, Nanos{990});
  EXPECT_LE(s.p99, Nanos{1000}) << "never above the maximum";
}

TEST(Accuracy, TakesTheLargestValueThereIs) {
  Accuracy a;
  a.record(Nanos{INT64_MAX}, Nanos{1});
  EXPECT_EQ(a.summary().max, Nanos{INT64_MAX});
  EXPECT_EQ(a.summary().p99, Nanos{INT64_MAX});
}

}  // namespace
}  // namespace clockshim
