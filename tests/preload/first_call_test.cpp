// Why: allocators, IFUNC resolvers and early constructors ask for the time before any code of ours
// ran, and destructors after all of it has. Zeroed memory must answer rightly, and the early calls
// are counted like all others.
#include <gtest/gtest.h>

#include "run_host.h"

namespace clockshim::test {
namespace {

TEST(FirstCall, BeforeEveryConstructorAndAfterEveryDestructor) {
  const HostRun bare = run_host("first_call", {.shim = false});
  const HostRun run = run_host("first_call", {.report = true});
  EXPECT_EQ(bare.ending(), "exit 5");
  EXPECT_EQ(run.ending(), "exit 5") << run.err;
  // The host's own words hold process numbers; what was asked where does not.
  const auto asked = [](const HostRun& r) {
    std::vector<std::string> lines;
    for (const auto& line : lines_of(r.out)) {
      if (line.rfind("asked", 0) == 0) lines.push_back(line);
    }
    return lines;
  };
  EXPECT_EQ(asked(run), asked(bare));
  EXPECT_EQ(asked(run).size(), 6U);
}

TEST(FirstCall, EarlyCallsAreCounted) {
  const HostRun run = run_host("first_call", {.report = true});
  ASSERT_EQ(run.reports.size(), 1U) << run.err;
  const long calls = calls_in_all(run.reports.begin()->second);
  const long before_exit = numbers_by_process(run, "before_exit").begin()->second;
  // The host's two destructors ask twice each, before or after ours.
  EXPECT_GE(calls, before_exit);
  EXPECT_LE(calls, before_exit + 4);
}

TEST(FirstCall, LibraryRelocatedBeforeTheShim) {
  const HostRun bare = run_host("early_library_host", {.shim = false});
  ASSERT_EQ(bare.ending(), "exit 0") << bare.out;
  for (const char* now : {"", "1"}) {
    const HostRun run = run_host("early_library_host", {.environment = {{"LD_BIND_NOW", now}}});
    EXPECT_EQ(run.ending(), "exit 0") << "LD_BIND_NOW=" << now << "\n" << run.out << run.err;
    EXPECT_EQ(run.out, bare.out);
  }
}

// Of the library whose constructor runs before the shim's: the functions that are passed on say
// what they say without the shim, before start as after it.
// Whichever comes first, of those that can't do without the real function.
TEST(FirstCall, FunctionsThatArePassedOnWorkBeforeStart) {
  for (const char* first : {"CLOSE_FIRST", "SET_FIRST"}) {
    const HostRun bare =
        run_host("early_library_host", {.environment = {{first, "1"}}, .shim = false});
    const HostRun run = run_host("early_library_host", {.environment = {{first, "1"}}});
    EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
    const auto lines = lines_of(run.out);
    EXPECT_EQ(lines, lines_of(bare.out)) << first;
    ASSERT_EQ(lines.size(), 3U) << run.out;
    EXPECT_EQ(lines[1].substr(6), lines[2].substr(6));
    EXPECT_NE(lines[1].find(" syscall=-1/38 getppid=1/0 "), std::string::npos) << lines[1];
    EXPECT_NE(lines[1].find(" dlclose=0/0"), std::string::npos) << lines[1];
  }
}

// A thread that has asked before the shim knew that stacks are wanted is one whose stacks are
// wanted, too.
TEST(FirstCall, StacksAreKeptOfTheThreadThatAskedBeforeStart) {
  const HostRun run = run_host(
      "early_library_host", {.environment = {{"CLOCKSHIM_PROFILE", "stacks:1"}}, .report = true});
  ASSERT_EQ(run.reports.size(), 1U) << run.err;
  const Json& report = run.reports.begin()->second;
  EXPECT_GE(calls_in_all(report), 10);
  long from_here = 0;
  for (const Json& stack : report.at("stacks"))
    from_here = std::max(from_here, stack.at("calls").get<long>());
  EXPECT_EQ(from_here, 10) << report.dump(1);
}

}  // namespace
}  // namespace clockshim::test
