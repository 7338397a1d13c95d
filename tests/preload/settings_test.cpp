// Why: a typing error in a unit file at night must neither stop the daemon nor go unseen, and what
// only observes must not switch serving off. One line says which variable, which value and what
// would be right. The host ends as it would have: on real time where the setting is about serving,
// served with the setting's default where it is about observing.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "run_host.h"

namespace clockshim::test {
namespace {

struct Bad {
  std::string name;
  std::string variable;
  std::string value;  // DIR: a directory that exists
};

std::size_t lines_with(const std::string& text, const std::string& first,
                       const std::string& second) {
  std::size_t count = 0;
  for (const auto& line : lines_of(text)) {
    count +=
        line.find(first) != std::string::npos && line.find(second) != std::string::npos ? 1 : 0;
  }
  return count;
}

// What the test's name shows; googletest would print the bytes.
void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.variable << "=" << bad.value; }

// The word behind "mode" in the report on standard error: "passthrough" where nothing was served.
bool passed_through(const std::string& report) {
  return report.find("mode passthrough") != std::string::npos;
}
bool served(const std::string& report) {
  return report.find("mode ") != std::string::npos && !passed_through(report);
}

std::size_t lines_of_trouble(const HostRun& run) {
  std::size_t lines = 0;
  for (const auto& line : lines_of(run.err)) lines += line.rfind("clockshim: ", 0) == 0 ? 1 : 0;
  return lines;
}

HostRun run_with(const TempDir& folder, const std::string& variable, std::string& value) {
  const auto place = value.find("DIR");
  if (place != std::string::npos) value.replace(place, 3, folder.path().string());
  return run_host("asks", {.environment = {{variable, value}}});
}

void expect_one_line(const HostRun& run, const std::string& variable, const std::string& value) {
  EXPECT_EQ(run.ending(), "exit 7");
  EXPECT_EQ(run.out, "asked\n");
  EXPECT_EQ(lines_with(run.err, variable, value), 1U)
      << "lines that name the variable and the value, in:\n"
      << run.err;
  EXPECT_EQ(lines_of_trouble(run), 1U) << "lines that speak of trouble, in:\n" << run.err;
  EXPECT_NE(run.err.find("asks["), std::string::npos) << "no report on stderr:\n" << run.err;
}

const auto kNameOf = [](const auto& bad) { return bad.param.name; };

class BadServing : public testing::TestWithParam<Bad> {};

TEST_P(BadServing, OneLineSaysSoAndTheHostRunsOnRealTime) {
  const TempDir folder;
  auto [name, variable, value] = GetParam();
  const HostRun run = run_with(folder, variable, value);
  expect_one_line(run, variable, value);
  EXPECT_TRUE(passed_through(run.err)) << run.err;
}

INSTANTIATE_TEST_SUITE_P(OfEveryVariable, BadServing,
                         testing::Values(Bad{"word", "CLOCKSHIM_TOLERANCE", "banana"},
                                         Bad{"negative", "CLOCKSHIM_TOLERANCE", "-5ms"},
                                         Bad{"huge", "CLOCKSHIM_TOLERANCE", "1e99s"},
                                         Bad{"no_unit", "CLOCKSHIM_TOLERANCE", "10"},
                                         Bad{"nan", "CLOCKSHIM_TOLERANCE", "nan"},
                                         Bad{"spaces", "CLOCKSHIM_TOLERANCE", "10 us"},
                                         Bad{"order", "CLOCKSHIM_ORDER", "random"},
                                         Bad{"clocks", "CLOCKSHIM_CLOCKS", "monotonic,sundial"},
                                         Bad{"counters", "CLOCKSHIM_COUNTERS", "synced"},
                                         Bad{"follow", "CLOCKSHIM_FOLLOW", "maybe"},
                                         Bad{"follow_whom", "CLOCKSHIM_FOLLOW", "0"}),
                         kNameOf);

class BadObserving : public testing::TestWithParam<Bad> {};

TEST_P(BadObserving, OneLineSaysSoAndTheHostIsServed) {
  const TempDir folder;
  auto [name, variable, value] = GetParam();
  const HostRun run = run_with(folder, variable, value);
  expect_one_line(run, variable, value);
  EXPECT_TRUE(served(run.err)) << run.err;
}

INSTANTIATE_TEST_SUITE_P(
    OfEveryVariable, BadObserving,
    testing::Values(Bad{"profile", "CLOCKSHIM_PROFILE", "everything"},
                    Bad{"depth", "CLOCKSHIM_DEPTH", "7"}, Bad{"log", "CLOCKSHIM_LOG", "loud"},
                    Bad{"folder_relative", "CLOCKSHIM_DIR", "live"},
                    Bad{"report_missing_folder", "CLOCKSHIM_REPORT", "DIR/missing/report.json"},
                    Bad{"report_folder", "CLOCKSHIM_REPORT", "DIR"}),
    kNameOf);

// Compose files and service units have variables that are set to nothing.
class EmptySetting : public testing::TestWithParam<std::string> {};

TEST_P(EmptySetting, IsUnset) {
  const TempDir folder;
  std::string nothing;
  const HostRun run = run_with(folder, "CLOCKSHIM_" + GetParam(), nothing);
  EXPECT_EQ(run.ending(), "exit 7");
  EXPECT_EQ(lines_of_trouble(run), 0U) << run.err;
  EXPECT_TRUE(served(run.err)) << run.err;
}

INSTANTIATE_TEST_SUITE_P(OfEveryVariable, EmptySetting,
                         testing::Values("TOLERANCE", "ORDER", "COUNTERS", "CLOCKS", "PROFILE",
                                         "DEPTH", "REPORT", "FOLLOW", "ONLY", "SKIP", "DIR", "LOG",
                                         "RUN_PID"),
                         [](const auto& setting) { return setting.param; });

// `clockshim run` names the process that CLOCKSHIM_FOLLOW=0 is about. A name that is empty is none.
TEST(EmptyRunPid, IsNoNameOfAProcess) {
  const HostRun run =
      run_host("asks", {.environment = {{"CLOCKSHIM_FOLLOW", "0"}, {"CLOCKSHIM_RUN_PID", ""}}});
  expect_one_line(run, "CLOCKSHIM_FOLLOW", "0");
}

// Folders and reports of somebody else, as a worker that has changed its user meets them. Root may
// write anywhere, so root becomes nobody in these runs. Nobody may not read a project below /root,
// so library and host are copied to where everybody may.
class SomebodyElses : public testing::TestWithParam<Bad> {
 protected:
  void SetUp() override {
    if (getuid() != 0) GTEST_SKIP() << "only root can make files of another user";
  }
};

TEST_P(SomebodyElses, OneLineSaysSoAndTheHostIsServed) {
  const TempDir folder;
  auto [name, variable, value] = GetParam();
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  std::ofstream(folder.path() / "report.txt") << "somebody's\n";
  const std::string library = folder.path("libclockshim.so");
  const std::string host = folder.path("asks");
  std::filesystem::copy_file(shim_path(), library);
  std::filesystem::copy_file(host_path("asks"), host);
  value.replace(value.find("DIR"), 3, folder.path().string());
  const HostRun run = run_host(
      "/usr/bin/setpriv", {.arguments = {"--reuid=65534", "--regid=65534", "--clear-groups", host},
                           .environment = {{variable, value}, {"CLOCKSHIM_ONLY", "asks"}},
                           .shim = false,
                           .preload_before = library});
  EXPECT_EQ(run.ending(), "exit 7") << run.err;
  EXPECT_EQ(lines_of_trouble(run), 1U) << run.err;
  EXPECT_NE(run.err.find(folder.path().string()), std::string::npos) << run.err;
  EXPECT_TRUE(served(run.err)) << run.err;
}

INSTANTIATE_TEST_SUITE_P(Observing, SomebodyElses,
                         testing::Values(Bad{"folder", "CLOCKSHIM_DIR", "DIR"},
                                         Bad{"report", "CLOCKSHIM_REPORT", "DIR/report.txt"},
                                         Bad{"report_new", "CLOCKSHIM_REPORT", "DIR/new.json"}),
                         kNameOf);

}  // namespace
}  // namespace clockshim::test
