// Why: servers fork, and the first that their child does is to start threads. Nothing says that the
// thread that forked is the one that asks first, or that one thread asks first at all. No call may
// be lost by that, nor by a parent that goes on asking meanwhile.
#include <gtest/gtest.h>

#include "live_counts.h"

namespace clockshim::test {
namespace {

class ChildThreads
    : public testing::TestWithParam<std::tuple<std::string, std::string, std::string>> {};

TEST_P(ChildThreads, AreCountedToTheLastCall) {
  const auto& [fork, first, end] = GetParam();
  const TempDir home;
  const BoardFile board(home.path() / "board");
  const std::filesystem::path folder = home.path() / "live";
  const HostRun run = run_host("child_threads", {.arguments = {board.path(), fork, first, end},
                                                 .environment = {{"CLOCKSHIM_DIR", folder}},
                                                 .report = true});
  ASSERT_EQ(run.ending(), "exit 0") << run.out << run.err;
  const Account account = account_of(run, folder);
  EXPECT_EQ(account.calls, board->calls);
  EXPECT_EQ(account.dropped, 0);
}

INSTANTIATE_TEST_SUITE_P(Whoever, ChildThreads,
                         testing::Combine(testing::Values("fork", "_Fork", "raw_clone", "in_thread",
                                                          "amid", "silent_parent"),
                                          testing::Values("other", "two", "all",
                                                          "one_after_another", "beside_its_parent"),
                                          testing::Values("exit", "_exit")),
                         [](const auto& c) {
                           return std::get<0>(c.param) + "__" + std::get<1>(c.param) + "__" +
                                  std::get<2>(c.param);
                         });

}  // namespace
}  // namespace clockshim::test
