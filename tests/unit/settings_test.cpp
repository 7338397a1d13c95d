// The environment's grammar: what is taken, what is refused, and that a refusal names the setting and the value.
#include "os/settings.h"

#include <gtest/gtest.h>

#include <map>

#include "base/duration.h"

namespace clockshim {
namespace {

std::map<std::string, std::string> g_environment;

Settings with(std::map<std::string, std::string> environment) {
  g_environment = std::move(environment);
  return read_settings([](const char* name) -> const char* {
    const auto found = g_environment.find(name);
    return found == g_environment.end() ? nullptr : found->second.c_str();
  });
}

TEST(Duration, TakesANumberAndAUnit) {
  EXPECT_EQ(parse_duration("500ns"), Nanos{500});
  EXPECT_EQ(parse_duration("10us"), Nanos{10'000});
  EXPECT_EQ(parse_duration("1.5ms"), Nanos{1'500'000});
  EXPECT_EQ(parse_duration("1s"), Nanos{1'000'000'000});
  EXPECT_EQ(parse_duration("0"), Nanos{0});
}

TEST(Duration, RefusesTheRest) {
  for (const char* bad : {"", "banana", "-5ms", "1e99s", "5", "5 ms", "ms", "10us ", "nan", "inf", "0x10us", "99999999s", "10usec"}) {
    EXPECT_FALSE(parse_duration(bad).has_value()) << bad;
  }
}

TEST(Duration, IsWrittenShort) {
  EXPECT_EQ(format_duration(Nanos{0}), "0ns");
  EXPECT_EQ(format_duration(Nanos{812}), "812ns");
  EXPECT_EQ(format_duration(Nanos{10'000}), "10us");
  EXPECT_EQ(format_duration(Nanos{1'500'000}), "1.5ms");
  EXPECT_EQ(format_duration(Nanos{3'012'345'678}), "3.012s");
}

TEST(Settings, DefaultsStandWhereNothingIsSet) {
  const Settings s = with({});
  EXPECT_TRUE(s.errors.empty());
  EXPECT_EQ(s.tolerance, microseconds(10));
  EXPECT_EQ(s.order, Order::strict);
  EXPECT_EQ(s.counters, Counters::automatic);
  EXPECT_EQ(s.profile, Profile::sites);
  EXPECT_EQ(s.report, "stderr");
  EXPECT_EQ(s.clocks, all_servable());
  EXPECT_TRUE(s.follow);
}

TEST(Settings, ABadValueIsNamedWithItsSetting) {
  for (const char* name : {"CLOCKSHIM_TOLERANCE", "CLOCKSHIM_COUNTERS", "CLOCKSHIM_ORDER", "CLOCKSHIM_PROFILE", "CLOCKSHIM_DEPTH",
                           "CLOCKSHIM_CLOCKS", "CLOCKSHIM_FOLLOW", "CLOCKSHIM_LOG"}) {
    const Settings s = with({{name, "banana"}});
    ASSERT_EQ(s.errors.size(), 1U) << name;
    EXPECT_NE(s.errors[0].find(std::string(name) + "=\"banana\""), std::string::npos) << s.errors[0];
    EXPECT_NE(s.errors[0].find("must be"), std::string::npos) << s.errors[0];
    EXPECT_EQ(s.errors[0].find('\n'), std::string::npos);
  }
}

TEST(Settings, MeasuredCountersMaySayHowFar) {
  EXPECT_EQ(with({{"CLOCKSHIM_COUNTERS", "measured"}}).counters, Counters::measured);
  const Settings s = with({{"CLOCKSHIM_COUNTERS", "measured:4300"}});
  EXPECT_TRUE(s.errors.empty());
  EXPECT_EQ(s.counters, Counters::measured);
  EXPECT_EQ(s.measured_ticks, "4300");
  for (const char* bad : {"measured:", "measured:-1", "measured:4 us", "measured:999999999999999999999", "measured4"}) {
    const Settings refused = with({{"CLOCKSHIM_COUNTERS", bad}});
    ASSERT_EQ(refused.errors.size(), 1U) << bad;
    EXPECT_NE(refused.errors[0].find("must "), std::string::npos) << refused.errors[0];
    EXPECT_EQ(refused.counters, Counters::automatic) << bad;
  }
}

TEST(Settings, DepthEndsAtSix) {
  EXPECT_EQ(with({}).depth, 0U);
  EXPECT_EQ(with({{"CLOCKSHIM_DEPTH", "6"}}).depth, 6U);
  for (const char* bad : {"", "7", "-1", "06", "1 ", "10"}) EXPECT_EQ(with({{"CLOCKSHIM_DEPTH", bad}}).errors.size(), 1U) << bad;
}

TEST(Settings, ToleranceEndsAtASecond) {
  EXPECT_TRUE(with({{"CLOCKSHIM_TOLERANCE", "1s"}}).errors.empty());
  EXPECT_EQ(with({{"CLOCKSHIM_TOLERANCE", "1001ms"}}).errors.size(), 1U);
  EXPECT_EQ(with({{"CLOCKSHIM_TOLERANCE", "0"}}).tolerance, Nanos{0});
}

TEST(Settings, ClocksAreAList) {
  EXPECT_EQ(with({{"CLOCKSHIM_CLOCKS", "realtime,tai"}}).clocks, mask_of(CLOCK_REALTIME) | mask_of(CLOCK_TAI));
  EXPECT_EQ(with({{"CLOCKSHIM_CLOCKS", "realtime,"}}).errors.size(), 1U);
}

TEST(Skip, TimeDaemonsAreLeftAloneUnlessNamed) {
  EXPECT_NE(reason_to_skip(with({}), "chronyd"), "");
  EXPECT_NE(reason_to_skip(with({}), "systemd-timesyn"), "") << "the kernel cuts names at 15";
  EXPECT_EQ(reason_to_skip(with({{"CLOCKSHIM_ONLY", "chrony*"}}), "chronyd"), "");
  EXPECT_NE(reason_to_skip(with({{"CLOCKSHIM_ONLY", "redis*,nginx"}}), "sh"), "");
  EXPECT_EQ(reason_to_skip(with({{"CLOCKSHIM_ONLY", "redis*,nginx"}}), "nginx"), "");
  EXPECT_NE(reason_to_skip(with({{"CLOCKSHIM_SKIP", "s?"}}), "sh"), "");
  EXPECT_EQ(reason_to_skip(with({}), "redis-server"), "");
}

TEST(Path, PlaceholdersAreReplaced) {
  const PathFacts facts{12, "redis", "box", 99};
  EXPECT_EQ(expand_path("/r/%e.%p.%h.%t.json", facts), "/r/redis.12.box.99.json");
  EXPECT_EQ(expand_path("100%%", facts), "100%");
  EXPECT_EQ(expand_path("%x%", facts), "%x%");
}

}  // namespace
}  // namespace clockshim
