// Why: sandboxes allow what a program is known to call, and kill it for anything else: sshd's
// child, that is forked and contained, calls clock_gettime and never calls what a library may want
// besides. So a process that is contained makes no system call of ours: not at its first call, not
// at any later one, not at its end; however it came to be, whoever put the filter on, and whenever.
// Its counts are kept all the same.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "live_counts.h"

namespace clockshim::test {
namespace {

struct Contained {
  std::string process;  // made how
  std::string when;     // the filter came on
  std::string asks;
  std::string end;
  std::string how;  // by which call
  std::string privileges;
  std::string action;
  std::string parent;  // has it asked before

  [[nodiscard]] std::string name() const {
    return process + "__" + when + "__" + asks + "__" + end + "__" + how + "__" + privileges +
           "__" + action + "__" + parent;
  }
};

void PrintTo(const Contained& c, std::ostream* out) { *out << c.name(); }

// All processes, moments and ends with each other; of the rest, each value beside each of these in
// turn.
std::vector<Contained> all_cases() {
  const std::vector<std::string> processes{
      "self",     "fork",  "_Fork",      "raw_clone",      "clone_with_stack",
      "raw_fork", "spawn", "grandchild", "raw_grandchild", "thread_fork"};
  const std::vector<std::string> asks{"all", "one", "threads", "none", "all"};
  const std::vector<std::string> ends{"return", "exit", "_exit", "pthread_exit", "segv", "term"};
  std::vector<Contained> cases;
  std::size_t turn = 0;
  for (const std::string& process : processes) {
    for (const std::string when : {"before", "first", "later"}) {
      if (process == "spawn" && when == "before") continue;  // the filter would be its start's too
      for (const std::string& end : ends) {
        // The end of a thread unwinds to where it began, which is on another stack.
        if (process == "clone_with_stack" && end == "pthread_exit") continue;
        if (process == "thread_fork" && end == "return") continue;
        cases.push_back({process, when, asks[turn % asks.size()], end,
                         (turn / 2 + turn) % 2 == 0 ? "prctl" : "syscall",
                         geteuid() != 0 || turn % 3 == 0 ? "no_new_privs" : "privileged",
                         (turn / 4 + turn) % 2 == 0 ? "kill" : "trap",
                         turn % 7 < 5 ? "warm" : "cold"});
        ++turn;
      }
    }
  }
  return cases;
}

class ContainedProcess : public testing::TestWithParam<Contained> {
 protected:
  struct Outcome {
    HostRun run;
    long calls;
    long status;
    long trapped;
  };
  Outcome outcome(bool shim) const {
    const Contained& c = GetParam();
    const BoardFile board(home_.path() / (shim ? "shimmed" : "bare"));
    HostRun run =
        run_host("filtered", {.arguments = {board.path(), c.process, c.when, c.asks, c.end, c.how,
                                            c.privileges, c.action, c.parent},
                              .environment = {{"CLOCKSHIM_DIR", folder_}},
                              .shim = shim,
                              .report = true});
    return {std::move(run), board->calls, board->status, board->trapped};
  }

  TempDir home_;
  std::filesystem::path folder_ = home_.path() / "live";
};

std::string in_words(long status) {
  const int s = static_cast<int>(status);
  return WIFSIGNALED(s) ? "signal " + std::to_string(WTERMSIG(s))
                        : "exit " + std::to_string(WEXITSTATUS(s));
}

TEST_P(ContainedProcess, MakesNoSystemCallOfOurs) {
  const Outcome bare = outcome(false);
  const std::string& end = GetParam().end;
  const std::string expected = end == "segv"           ? "signal 11"
                               : end == "term"         ? "signal 15"
                               : end == "pthread_exit" ? "exit 0"
                                                       : "exit 7";
  ASSERT_EQ(bare.run.out, "");
  if (GetParam().process == "self") {
    ASSERT_EQ(bare.run.ending(), expected) << "trapped: " << bare.trapped - 1;
  } else {
    ASSERT_EQ(bare.run.ending(), "exit 0");
    if (!GetParam().process.ends_with("grandchild")) {
      ASSERT_EQ(in_words(bare.status), expected) << "trapped: " << bare.trapped - 1;
    }
  }
  const Outcome shimmed = outcome(true);
  EXPECT_EQ(shimmed.trapped - 1, bare.trapped - 1)
      << "a system call that was not expected (-1: none)";
  EXPECT_EQ(shimmed.run.ending(), bare.run.ending()) << shimmed.run.err;
  EXPECT_EQ(in_words(shimmed.status), in_words(bare.status)) << shimmed.run.err;
  EXPECT_EQ(shimmed.run.out, "");
  EXPECT_EQ(calls_accounted_for(shimmed.run, folder_), shimmed.calls) << shimmed.run.err;
}

INSTANTIATE_TEST_SUITE_P(OfEveryKind, ContainedProcess, testing::ValuesIn(all_cases()),
                         [](const auto& c) { return c.param.name(); });

}  // namespace
}  // namespace clockshim::test
