// Why: a program that asks for the time in a signal handler on 8 KiB of stack, or in a thread with
// 16, has room for what a bare call takes, and not for much more. So nothing that the shim does
// after its start may take more than 2 KiB beyond the bare call: the stack is painted, and both are
// compared.
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "run_host.h"

namespace clockshim::test {
namespace {

constexpr long kMost = 2048;

using Depths = std::map<std::string, long>;
using Environment = std::map<std::string, std::string>;

Depths depths_of(const std::vector<std::string>& arguments, Environment environment, bool shim) {
  environment["LD_BIND_NOW"] = "1";
  const HostRun run =
      run_host("stack_depth",
               {.arguments = arguments, .environment = environment, .shim = shim, .report = shim});
  if (run.exit_code == 77) return {};
  EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
  Depths depths;
  for (const auto& line : lines_of(run.out)) {
    std::istringstream words(line);
    std::string word, which;
    long bytes = 0;
    if (words >> word >> which >> bytes && word == "depth") depths[which] = bytes;
  }
  return depths;
}

void expect_little(const std::vector<std::string>& arguments, const Environment& environment) {
  const Depths bare = depths_of(arguments, environment, false);
  const Depths shimmed = depths_of(arguments, environment, true);
  EXPECT_FALSE(bare.empty());
  EXPECT_EQ(bare.size(), shimmed.size());
  long most = 0;
  for (const auto& [which, bytes] : shimmed) {
    ASSERT_TRUE(bare.count(which) != 0) << which;
    EXPECT_LE(bytes - bare.at(which), kMost)
        << which << ": bare " << bare.at(which) << ", with the shim " << bytes;
    most = std::max(most, bytes - bare.at(which));
  }
  testing::Test::RecordProperty("most", std::to_string(most));
}

class Stack : public testing::TestWithParam<Environment> {};

TEST_P(Stack, AskingTakesLittle) { expect_little({"main"}, GetParam()); }
TEST_P(Stack, AskingInAThreadTakesLittle) { expect_little({"thread"}, GetParam()); }
TEST_P(Stack, AForkedChildsFirstCallTakesLittle) { expect_little({"fork"}, GetParam()); }

TEST_P(Stack, AskingFromPythonTakesLittle) {
  const std::string python =
      run_host("/bin/sh", {.arguments = {"-c", "ls /usr/lib/x86_64-linux-gnu/libpython3.*.so.1.0"},
                           .shim = false})
          .out;
  const auto all = lines_of(python);
  if (all.empty() || depths_of({"python", all[0]}, {}, false).empty())
    GTEST_SKIP() << "no libpython here";
  expect_little({"python", all[0]}, GetParam());
}

const Environment kWays[] = {{},
                             {{"CLOCKSHIM_PROFILE", "stacks:1"}},
                             {{"CLOCKSHIM_DEPTH", "6"}},
                             {{"CLOCKSHIM_DEPTH", "6"}, {"CLOCKSHIM_PROFILE", "stacks:1"}},
                             {{"CLOCKSHIM_COUNTERS", "disagree"}},
                             {{"CLOCKSHIM_ORDER", "relaxed"}}};
const char* const kNames[] = {"Default",        "Stacks",           "Depth",
                              "DepthAndStacks", "CountersDisagree", "Relaxed"};
std::string name_of(const testing::TestParamInfo<Environment>& way) { return kNames[way.index]; }
INSTANTIATE_TEST_SUITE_P(Ways, Stack, testing::ValuesIn(kWays), name_of);

}  // namespace
}  // namespace clockshim::test
