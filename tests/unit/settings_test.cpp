// The environment's grammar: what is taken, what is refused, and that a refusal names the setting
// and the value.
#include "os/settings.h"

#include <gtest/gtest.h>

#include <map>

#include "base/duration.h"
#include "os/setting_table.h"

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

std::size_t errors_of(const Settings& s) {
  return s.serving_errors.size() + s.observing_errors.size();
}

TEST(Duration, TakesANumberAndAUnit) {
  EXPECT_EQ(parse_duration("500ns"), Nanos{500});
  EXPECT_EQ(parse_duration("10us"), Nanos{10'000});
  EXPECT_EQ(parse_duration("1.5ms"), Nanos{1'500'000});
  EXPECT_EQ(parse_duration("1s"), Nanos{1'000'000'000});
  EXPECT_EQ(parse_duration("0"), Nanos{0});
}

TEST(Duration, RefusesTheRest) {
  for (const char* bad : {"", "banana", "-5ms", "1e99s", "5", "5 ms", "ms", "10us ", "nan", "inf",
                          "0x10us", "99999999s", "10usec"}) {
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
  EXPECT_EQ(errors_of(s), 0U);
  EXPECT_EQ(s.tolerance, microseconds(10));
  EXPECT_EQ(s.order, Order::strict);
  EXPECT_EQ(s.counters, Counters::automatic);
  EXPECT_EQ(s.profile, Profile::sites);
  EXPECT_EQ(s.report, "stderr");
  EXPECT_EQ(s.clocks, all_servable());
  EXPECT_TRUE(s.follow);
}

// What the table says is the default is what stands where nothing is set.
TEST(Settings, TheTableNamesTheDefaults) {
  std::map<std::string, std::string> usual;
  for (const Setting& setting : kSettings) {
    if (setting.usual != std::string("unset") && setting.id != SettingId::dir)
      usual[setting.variable] = setting.usual;
  }
  const Settings s = with(usual);
  const Settings fresh;
  EXPECT_EQ(errors_of(s), 0U);
  EXPECT_EQ(s.tolerance, fresh.tolerance);
  EXPECT_EQ(s.order, fresh.order);
  EXPECT_EQ(s.counters, fresh.counters);
  EXPECT_EQ(s.clocks, fresh.clocks);
  EXPECT_EQ(s.profile, fresh.profile);
  EXPECT_EQ(s.depth, fresh.depth);
  EXPECT_EQ(s.report, fresh.report);
  EXPECT_EQ(s.follow, fresh.follow);
  EXPECT_EQ(s.log, fresh.log);
}

// Words become enumerators by their place.
TEST(Settings, WordsStandInTheOrderOfTheirEnum) {
  EXPECT_EQ(with({{"CLOCKSHIM_ORDER", "strict"}}).order, Order::strict);
  EXPECT_EQ(with({{"CLOCKSHIM_ORDER", "relaxed"}}).order, Order::relaxed);
  EXPECT_EQ(with({{"CLOCKSHIM_COUNTERS", "auto"}}).counters, Counters::automatic);
  EXPECT_EQ(with({{"CLOCKSHIM_COUNTERS", "agree"}}).counters, Counters::agree);
  EXPECT_EQ(with({{"CLOCKSHIM_COUNTERS", "disagree"}}).counters, Counters::disagree);
  EXPECT_EQ(with({{"CLOCKSHIM_COUNTERS", "measured"}}).counters, Counters::measured);
  EXPECT_FALSE(with({{"CLOCKSHIM_FOLLOW", "0"}}).follow);
  EXPECT_TRUE(with({{"CLOCKSHIM_FOLLOW", "1"}}).follow);
  EXPECT_EQ(with({{"CLOCKSHIM_LOG", "off"}}).log, LogLevel::off);
  EXPECT_EQ(with({{"CLOCKSHIM_LOG", "error"}}).log, LogLevel::error);
  EXPECT_EQ(with({{"CLOCKSHIM_LOG", "warn"}}).log, LogLevel::warn);
  EXPECT_EQ(with({{"CLOCKSHIM_LOG", "info"}}).log, LogLevel::info);
  EXPECT_EQ(with({{"CLOCKSHIM_LOG", "debug"}}).log, LogLevel::debug);
}

TEST(Settings, TheTableNamesEachClock) {
  const Setting& clocks = setting_of(SettingId::clocks);
  for (const auto& clock : kServableClocks) {
    EXPECT_NE(std::string(clocks.right).find(clock.name), std::string::npos) << clock.name;
    EXPECT_NE(std::string(clocks.values).find("`" + std::string(clock.name) + "`"),
              std::string::npos)
        << clock.name;
  }
}

// ONLY, SKIP and REPORT do.
bool takes_any_text(const Setting& setting) {
  return *setting.words == '\0' && *setting.right == '\0';
}

TEST(Settings, ABadValueIsNamedWithItsSetting) {
  for (const Setting& setting : kSettings) {
    const std::string name = setting.variable;
    const Settings s = with({{name, "banana"}});
    ASSERT_EQ(errors_of(s), takes_any_text(setting) ? 0U : 1U) << name;
    if (takes_any_text(setting)) continue;
    const bool serves = setting.concern == Concern::serving;
    const auto& errors = serves ? s.serving_errors : s.observing_errors;
    ASSERT_EQ(errors.size(), 1U) << name << (serves ? " decides on serving" : " observes only");
    EXPECT_NE(errors[0].find(name + "=\"banana\": must be "), std::string::npos) << errors[0];
    EXPECT_EQ(errors[0].find('\n'), std::string::npos);
  }
}

// A blank between two words is no part of a word.
TEST(Settings, WordsAreTakenOneByOne) {
  for (const char* bad : {"strict relaxed", "strict ", " relaxed", "Strict", "relax"})
    EXPECT_EQ(errors_of(with({{"CLOCKSHIM_ORDER", bad}})), 1U) << bad;
  EXPECT_EQ(errors_of(with({{"CLOCKSHIM_COUNTERS", "measured:TICKS"}})), 1U);
}

// A bad value of a setting that only observes leaves the default in its place.
TEST(Settings, ObservingFallsBackToTheDefault) {
  const Settings s = with({{"CLOCKSHIM_PROFILE", "stacks:0"},
                           {"CLOCKSHIM_DEPTH", "7"},
                           {"CLOCKSHIM_DIR", "no/root"},
                           {"CLOCKSHIM_LOG", "loud"}});
  EXPECT_EQ(s.observing_errors.size(), 4U);
  const Settings fresh;
  EXPECT_EQ(s.profile, fresh.profile);
  EXPECT_EQ(s.stacks_every, fresh.stacks_every);
  EXPECT_EQ(s.depth, fresh.depth);
  EXPECT_EQ(s.dir, fresh.dir);
  EXPECT_EQ(s.log, fresh.log);
}

TEST(Settings, EmptyIsUnset) {
  std::map<std::string, std::string> all;
  for (const Setting& setting : kSettings) all[setting.variable] = "";
  const Settings s = with(all);
  const Settings fresh;
  EXPECT_EQ(errors_of(s), 0U);
  EXPECT_EQ(s.tolerance, fresh.tolerance);
  EXPECT_EQ(s.clocks, fresh.clocks);
  EXPECT_EQ(s.follow, fresh.follow);
  EXPECT_EQ(s.report, fresh.report);
  EXPECT_EQ(s.dir, fresh.dir);
  EXPECT_EQ(s.profile, fresh.profile);
}

TEST(Settings, MeasuredCountersMaySayHowFar) {
  EXPECT_EQ(with({{"CLOCKSHIM_COUNTERS", "measured"}}).counters, Counters::measured);
  const Settings s = with({{"CLOCKSHIM_COUNTERS", "measured:4300"}});
  EXPECT_EQ(errors_of(s), 0U);
  EXPECT_EQ(s.counters, Counters::measured);
  EXPECT_EQ(s.measured_ticks, "4300");
  for (const char* bad : {"measured:", "measured:-1", "measured:4 us",
                          "measured:999999999999999999999", "measured4"}) {
    const Settings refused = with({{"CLOCKSHIM_COUNTERS", bad}});
    ASSERT_EQ(refused.serving_errors.size(), 1U) << bad;
    EXPECT_NE(refused.serving_errors[0].find("must "), std::string::npos)
        << refused.serving_errors[0];
    EXPECT_EQ(refused.counters, Counters::automatic) << bad;
  }
}

TEST(Settings, DepthEndsAtSix) {
  EXPECT_EQ(with({}).depth, 0U);
  EXPECT_EQ(with({{"CLOCKSHIM_DEPTH", "6"}}).depth, 6U);
  for (const char* bad : {"7", "-1", "06", "1 ", "10"})
    EXPECT_EQ(errors_of(with({{"CLOCKSHIM_DEPTH", bad}})), 1U) << bad;
}

TEST(Settings, ToleranceEndsAtASecond) {
  EXPECT_EQ(errors_of(with({{"CLOCKSHIM_TOLERANCE", "1s"}})), 0U);
  EXPECT_EQ(errors_of(with({{"CLOCKSHIM_TOLERANCE", "1001ms"}})), 1U);
  EXPECT_EQ(with({{"CLOCKSHIM_TOLERANCE", "0"}}).tolerance, Nanos{0});
}

TEST(Settings, ClocksAreAList) {
  EXPECT_EQ(with({{"CLOCKSHIM_CLOCKS", "realtime,tai"}}).clocks,
            mask_of(CLOCK_REALTIME) | mask_of(CLOCK_TAI));
  EXPECT_EQ(errors_of(with({{"CLOCKSHIM_CLOCKS", "realtime,"}})), 1U);
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
