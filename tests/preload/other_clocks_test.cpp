// Why: whoever else interposes the clock functions has been put there to give the program another
// time, or to see its calls. With the shim in between, before it or behind it, the program has to
// see what it sees without. And where the other one only looks on and asks the next (a sanitizer's
// runtime), serving goes on.
#include <gtest/gtest.h>

#include "run_host.h"

namespace clockshim::test {
namespace {

constexpr const char* kFaketime = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

std::string other(const std::string& name) { return host_path("other_" + name + ".so"); }

std::size_t lines_naming(const HostRun& run, const std::string& library) {
  std::size_t count = 0;
  for (const auto& line : lines_of(run.err))
    count += line.rfind("clockshim: ", 0) == 0 && line.find(library) != std::string::npos ? 1 : 0;
  return count;
}

struct Pair {
  HostRun bare;
  HostRun shimmed;
};

// The same program without and with the shim. Standard output has to be the same.
Pair run_both(const std::string& host, HostOptions options) {
  options.shim = false;
  Pair runs{run_host(host, options), {}};
  options.shim = true;
  options.report = true;
  runs.shimmed = run_host(host, options);
  EXPECT_EQ(runs.shimmed.out, runs.bare.out);
  EXPECT_EQ(runs.shimmed.ending(), runs.bare.ending());
  return runs;
}

std::string mode_of(const HostRun& run) {
  return run.reports.size() == 1 ? run.reports.begin()->second.value("mode", "") : "no report";
}

class Others : public testing::TestWithParam<std::string> {};

TEST_P(Others, BehindUsAreAskedAsWithoutUs) {
  const std::string library = other(GetParam());
  const Pair runs = run_both("clock_values", {.preload_after = library});
  EXPECT_EQ(lines_naming(runs.shimmed, library), 1U) << runs.shimmed.err;
  EXPECT_EQ(mode_of(runs.shimmed), "passthrough");
  const Json& report = runs.shimmed.reports.begin()->second;
  EXPECT_EQ(calls_in_all(report), 3000) << "they are counted all the same";
  for (const Json& clock : report.at("clocks"))
    EXPECT_EQ(clock.at("real"), clock.at("calls")) << report.dump(1);
}

TEST_P(Others, BeforeUsAskUsOrNobody) {
  const Pair runs = run_both("clock_values", {.preload_before = other(GetParam())});
  EXPECT_EQ(lines_naming(runs.shimmed, "other_"), 0U) << runs.shimmed.err;
}

// A program that is left alone asks them too.
TEST_P(Others, BehindUsAreAskedByASkippedProgram) {
  run_both("clock_values", {.environment = {{"CLOCKSHIM_SKIP", "clock_values"}},
                            .preload_after = other(GetParam())});
}

INSTANTIATE_TEST_SUITE_P(OfAllKinds, Others, testing::Values("fake", "timeofday", "counting"),
                         [](const auto& kind) { return kind.param; });

TEST(OtherClocks, OneThatCountsBeforeUsIsServed) {
  const Pair runs = run_both("clock_values", {.preload_before = other("counting")});
  EXPECT_EQ(runs.shimmed.err, "");
  EXPECT_NE(mode_of(runs.shimmed), "passthrough");
}

// What a sanitizer's runtime notes of a call changes no time, and it hands the call on.
TEST(OtherClocks, SanitizersDoNotEndServing) {
  const HostRun run =
      run_host("clock_values", {.preload_after = other("sanitizer"), .report = true});
  EXPECT_EQ(run.ending(), "exit 0");
  EXPECT_EQ(run.err, "");
  EXPECT_NE(mode_of(run), "passthrough");
}

TEST(OtherClocks, BehindASanitizerAreFound) {
  const Pair runs =
      run_both("clock_values", {.preload_after = other("sanitizer") + " " + other("fake")});
  EXPECT_EQ(lines_naming(runs.shimmed, other("fake")), 1U) << runs.shimmed.err;
}

// Linked with the program instead of preloaded: still between us and the C library.
TEST(OtherClocks, OfALinkedLibraryAreAsked) {
  const Pair runs = run_both("clock_values_linked", {});
  EXPECT_EQ(lines_naming(runs.shimmed, "other_fake.so"), 1U) << runs.shimmed.err;
}

// A definition in the program itself comes before us, and is nothing to speak of.
TEST(OtherClocks, OfTheProgramItself) {
  const Pair runs = run_both("clock_values_own", {});
  EXPECT_EQ(runs.shimmed.err, "");
  EXPECT_NE(mode_of(runs.shimmed), "passthrough");
}

// What is loaded later stands behind the C library, where no call goes.
TEST(OtherClocks, LoadedLaterAreNotAsked) {
  const Pair runs = run_both("clock_values", {.arguments = {other("fake")}});
  EXPECT_EQ(runs.shimmed.err, "");
  EXPECT_NE(mode_of(runs.shimmed), "passthrough");
}

TEST(OtherClocks, ThreadSanitizerIsServed) {
  if (!std::filesystem::exists(host_path("clock_values_tsan")))
    GTEST_SKIP() << "built without -fsanitize=thread";
  const HostRun run = run_host("clock_values_tsan", {.report = true});
  if (run.err.find("ThreadSanitizer") != std::string::npos)
    GTEST_SKIP() << "it does not run here: " << run.err;
  EXPECT_EQ(run.ending(), "exit 0");
  EXPECT_EQ(run.err, "");
  EXPECT_NE(mode_of(run), "passthrough");
}

class Faketime : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kFaketime)) GTEST_SKIP() << "no libfaketime here";
  }
  // The shim behind it, or before it.
  static HostOptions options(std::vector<std::string> arguments) {
    HostOptions out{.arguments = std::move(arguments),
                    .environment = {{"FAKETIME", "@2001-02-03 04:05:06"}, {"TZ", "UTC"}}};
    (GetParam() ? out.preload_before : out.preload_after) = kFaketime;
    return out;
  }
};

TEST_P(Faketime, GivesDateItsYear) {
  const HostRun run = run_host("/usr/bin/date", options({"+%Y"}));
  EXPECT_EQ(run.out, "2001\n");
  EXPECT_EQ(lines_naming(run, kFaketime), GetParam() ? 0U : 1U) << run.err;
}

TEST_P(Faketime, LetsPythonSleep) {
  if (!std::filesystem::exists("/usr/bin/python3")) GTEST_SKIP() << "no /usr/bin/python3 here";
  const HostRun run =
      run_host("/usr/bin/python3", options({"-c", "import time; time.sleep(0.001)"}));
  EXPECT_EQ(run.ending(), "exit 0") << run.err;
}

INSTANTIATE_TEST_SUITE_P(InBothOrders, Faketime, testing::Bool(), [](const auto& before) {
  return before.param ? "before_us" : "behind_us";
});

}  // namespace
}  // namespace clockshim::test
