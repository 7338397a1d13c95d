// What was written is read back; what older versions wrote is read too; what is no report is
// refused with the reason.
#include "analysis/read_json.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "reports.h"

namespace clockshim {
namespace {

using test::hostile_report;
using test::small_report;
using test::threaded_report;
using test::watched_report;

std::string recorded() {
  std::ifstream file(std::string(std::getenv("CLOCKSHIM_TEST_DATA")) + "/redis.json");
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string problem_of(const std::string& json) {
  Report report;
  std::string problem;
  EXPECT_FALSE(read_json(json, report, problem)) << json;
  EXPECT_EQ(problem.find('\n'), std::string::npos) << problem;
  return problem;
}

// In a report that is otherwise right.
std::string with(const std::string& key, const std::string& value) {
  std::string json = render_json(small_report());
  const std::size_t at = json.find("\"" + key + "\": ") + key.size() + 4;
  EXPECT_GT(at, key.size() + 4) << key;
  return json.replace(at, json.find(",\n", at) - at, value);
}

TEST(ReadJson, WhatWasWrittenIsReadBack) {
  Report wrote = small_report();
  wrote.pids = {42, 43};
  wrote.forked_from = 41;
  wrote.state = "running";
  wrote.started_at = 1.7e9;
  wrote.errors = {{15, 7}, {31, 6}};
  wrote.notes = {"a note"};
  wrote.advice = {{"pairs", "do", {"a", "b"}, 7, 8}};
  wrote.sites[0].frames[0].file = "/src/clock.cpp";
  wrote.sites[0].frames[0].line = 12;
  wrote.sites[0].frames[0].inlined = true;
  wrote.sites[0].frames[0].build_id = "00ff";
  wrote.sites[0].frames[0].symbol_offset = 5;
  wrote.clocks[0].real_call_ns = 2025.125;
  wrote.clocks[0].served_call_ns = 25;
  wrote.clocks[0].saved_ns = 2'000'000;
  wrote.stacks = {wrote.sites[0]};
  wrote.stacks[0].sampled = true;
  Report read;
  std::string problem;
  ASSERT_TRUE(read_json(render_json(wrote), read, problem)) << problem;
  // Clocks are an object, and objects have no order.
  std::swap(read.clocks[0], read.clocks[1]);
  EXPECT_EQ(render_json(read), render_json(wrote));
  EXPECT_TRUE(read.sites[0].frames[0].inlined);
  EXPECT_TRUE(read.stacks[0].sampled);
  EXPECT_EQ(read.errors[1].samples, 6U);
  EXPECT_EQ(read.clocks[0].real_call_ns, 2025.125);
  EXPECT_EQ(read.clocks[0].saved_ns, 2'000'000);
  EXPECT_EQ(read.saved_how, "timed in the processes: real call 2.03 us, served 25.0 ns");
}

TEST(ReadJson, ThreadsAreReadBackWithWhatTheyAsked) {
  Report read;
  std::string problem;
  ASSERT_TRUE(read_json(render_json(threaded_report()), read, problem)) << problem;
  ASSERT_EQ(read.threads.size(), 3U);
  EXPECT_EQ(read.threads[0].tid, 4711U);
  EXPECT_EQ(read.threads[0].name, "worker");
  EXPECT_EQ(read.threads[0].calls, 700U);
  EXPECT_EQ(read.threads[1].threads, 121U);
  EXPECT_TRUE(read.threads[1].ended);
  EXPECT_TRUE(read.threads[2].shared);
  ASSERT_EQ(read.sites[2].threads.size(), 2U);
  EXPECT_EQ(read.sites[2].threads[1].thread, 2U);
  EXPECT_EQ(read.sites[2].threads[1].calls, 20U);
}

// Sites are sorted when they have been read; a thread's are told by the numbers that they had in
// the file.
TEST(ReadJson, ThreadsKeepTheirSitesWhateverTheOrder) {
  Report wrote = threaded_report();
  std::swap(wrote.sites[0], wrote.sites[2]);
  Report read;
  std::string problem;
  ASSERT_TRUE(read_json(render_json(wrote), read, problem)) << problem;
  EXPECT_EQ(read.sites[0].calls, 1000U);
  ASSERT_EQ(read.sites[0].threads.size(), 2U);
  EXPECT_EQ(read.sites[0].threads[0].calls, 600U);
  EXPECT_EQ(read.sites[2].threads[0].calls, 10U);
}

TEST(ReadJson, RatesAreReadBack) {
  Report read;
  std::string problem;
  ASSERT_TRUE(read_json(render_json(watched_report()), read, problem)) << problem;
  EXPECT_EQ(read.rates.interval, 1);
  EXPECT_EQ(read.rates.started_at, 1.7e9);
  EXPECT_EQ(read.rates.times, (std::vector<double>{1, 1.5, 3.5}));
  ASSERT_EQ(read.rates.clocks.size(), 2U);
  EXPECT_EQ(read.rates.clocks[0].clock, "realtime")
      << "most calls first, though a JSON object has no order";
  EXPECT_EQ(read.rates.clocks[0].calls, (std::vector<std::uint64_t>{100, 200, 0}));
  ASSERT_EQ(read.rates.callers.size(), 3U);
  EXPECT_EQ(read.rates.callers[2].caller, "log");
  EXPECT_EQ(read.rates.callers[2].module, "daemon");
  EXPECT_EQ(read.rates.callers[2].function, "clock_gettime");
  EXPECT_EQ(read.rates.callers[2].clock, "realtime");
  EXPECT_EQ(read.rates.callers[2].calls, (std::vector<std::uint64_t>{10, 0, 0}));
}

TEST(ReadJson, HostileNamesComeBackAsTheyWereTold) {
  Report once;
  Report twice;
  std::string problem;
  ASSERT_TRUE(read_json(render_json(hostile_report(true)), once, problem)) << problem;
  ASSERT_TRUE(read_json(render_json(once), twice, problem)) << problem;
  EXPECT_EQ(render_json(once), render_json(twice));
  EXPECT_EQ(once.sites.size(), hostile_report(true).sites.size());
}

TEST(ReadJson, AReportOfTheFirstVersion) {
  Report report;
  std::string problem;
  ASSERT_TRUE(read_json(recorded(), report, problem)) << problem;
  EXPECT_EQ(report.program, "redis-server");
  EXPECT_EQ(report.calls(), 299'190U);
  EXPECT_EQ(report.sites.size(), 17U);
  EXPECT_EQ(report.sites[1].frames[0].symbol, "call");
  EXPECT_EQ(report.state, "");
  EXPECT_EQ(report.started_at, 0);
  EXPECT_TRUE(report.errors.empty());
}

TEST(ReadJson, CutShortAnywhereItIsRefused) {
  const std::string whole = recorded();
  for (std::size_t size = 0; size + 3 < whole.size(); size += 97) {
    EXPECT_EQ(problem_of(whole.substr(0, size)),
              "is neither a live file nor a report: not JSON, or cut short");
  }
}

TEST(ReadJson, WhatIsNoReportIsRefusedWithTheReason) {
  EXPECT_EQ(problem_of("[]"), "is JSON, but no report: it has no \"schema_version\"");
  EXPECT_EQ(problem_of("{\"schema_version\": 2}"), "is of schema version 2; this command reads 1");
  EXPECT_EQ(problem_of("{\"schema_version\": \"1\"}"),
            "is of schema version \"1\"; this command reads 1");
  EXPECT_EQ(problem_of("{\"schema_version\": 1}"), "is no report: \"sites\" must be an array");
  EXPECT_EQ(problem_of("{\"schema_version\": 1, \"sites\": []}"),
            "is no report: \"clocks\" must be an object");
  EXPECT_EQ(problem_of(with("program", "7")), "is no report: \"program\" must be a string");
  EXPECT_EQ(problem_of(with("pid", "-7")),
            "is no report: \"pid\" must be a whole number, not negative");
  EXPECT_EQ(problem_of(with("dropped", "1.5")),
            "is no report: \"dropped\" must be a whole number, not negative");
  EXPECT_EQ(problem_of(with("tolerance_ns", "18446744073709551615")),
            "is no report: \"tolerance_ns\" must be a whole number, not negative");
  EXPECT_EQ(problem_of(with("seconds", "\"2\"")), "is no report: \"seconds\" must be a number");
  EXPECT_EQ(problem_of(with("clocks", "{\"realtime\": 7}")),
            "is no report: \"clocks\" must be an object of objects");
  for (const char* cost : {"-1", "1e10"}) {
    EXPECT_EQ(
        problem_of(with("clocks", std::string("{\"tai\": {\"real_call_ns\": ") + cost + "}}")),
        "is no report: \"real_call_ns\" must be nanoseconds, less than a second of them");
  }
  EXPECT_EQ(problem_of(with("notes", "[7]")),
            "is no report: \"notes\" must be an array of strings");
  EXPECT_EQ(problem_of(with("notes", "7")), "is no report: \"notes\" must be an array of strings");
  EXPECT_EQ(problem_of(with("threads", "7")), "is no report: \"threads\" must be an array");
  EXPECT_EQ(problem_of(with("threads", "[{\"tid\": -1}]")),
            "is no report: \"tid\" must be a whole number, not negative");
  EXPECT_EQ(problem_of(with("threads", "[{\"sites\": [{\"site\": 3, \"calls\": 1}]}]")),
            "is no report: \"site\" must be the number of one of \"sites\"");
  EXPECT_EQ(problem_of(with("rates", "7")), "is no report: \"rates\" must be an object");
  for (const char* times : {"[\"1\"]", "[0]", "[-1]", "[1, 1]", "[2, 1]", "[1e10]"}) {
    EXPECT_EQ(problem_of(with("rates", std::string("{\"times\": ") + times + "}")),
              "is no report: \"times\" must be an array of ascending seconds")
        << times;
  }
  EXPECT_EQ(problem_of(with("rates", "{\"times\": [1], \"clocks\": [1]}")),
            "is no report: \"clocks\" must be an object of arrays");
  for (const char* calls : {"[1, 2]", "[]", "[-1]", "[1.5]", "7", "null"}) {
    EXPECT_EQ(problem_of(with("rates", std::string("{\"times\": [1], \"callers\": [{\"calls\": ") +
                                           calls + "}]}")),
              "is no report: \"calls\" must be an array of as many whole numbers as \"times\" has")
        << calls;
  }
  EXPECT_EQ(problem_of(with("stacks", "[[]]")),
            "is no report: \"stacks\" must be an array of objects");
  EXPECT_EQ(problem_of(with("stacks", "[{\"frames\": 7}]")),
            "is no report: \"frames\" must be an array");
  EXPECT_EQ(problem_of(with("stacks", "[{\"sampled\": 1}]")),
            "is no report: \"sampled\" must be true or false");
}

TEST(ReadJson, DeepNestingIsNoTrap) {
  EXPECT_EQ(problem_of(with("stacks", std::string(200'000, '[') + std::string(200'000, ']'))),
            "is no report: \"stacks\" must be an array of objects");
}

}  // namespace
}  // namespace clockshim
