// Why: a report that is cut short, with status 0, is taken for whole: by the next command of a
// script, and by whoever reads the file a week later. The commands are those that --help lists, and
// so is each one's --json: a new one that prints past cli/console/output.h fails here.
#include <gtest/gtest.h>

#include <map>
#include <regex>

#include "live_host.h"

namespace clockshim::test {
namespace {

using Words = std::vector<std::string>;

Ending run_into(const std::string& file, const Words& arguments) {
  Words argv{"/bin/sh", "-c", "exec \"$@\" >" + file, "sh", command_path()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return Running(argv).finish();
}

void expect_failure(const Words& arguments) {
  std::string line;
  for (const std::string& word : arguments) line += " " + word;
  const Ending ending = run_into("/dev/full", arguments);
  EXPECT_EQ(ending.exit_code, 2) << line;
  EXPECT_TRUE(ending.err.ends_with("clockshim: standard output: No space left on device\n"))
      << line << ": " << ending.err;
}

// What is behind `--help`'s usage lines: "clockshim list [--json] [--dir D]".
std::map<std::string, std::string> usages() {
  const std::string help = run_clockshim({"--help"}).out;
  const std::regex usage("(?:usage: | +)clockshim ([a-z]+) (.*)");
  std::map<std::string, std::string> out;
  std::istringstream lines(help);
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_match(line, match, usage)) out[match[1]] = match[2];
  }
  return out;
}

TEST(FullDisk, IsAnErrorInEachCommand) {
  const TempDir dir;
  const std::string file = dead_file(dir);
  LiveHost host(dir.path().string(), "host");
  const std::string folder = dir.path().string();
  // Arguments with which each prints something and says "fine", if it can. None for `run`, which
  // prints nothing to standard output: that is its command's, and so is the status.
  // As another user, one may not attach to what one has not started, on many systems.
  const bool may_attach = geteuid() == 0;
  Running bare({"/bin/sleep", "1000"});
  const std::string number = std::to_string(bare.pid());
  const std::map<std::string, Words> printing = {
      {"run", {}},
      {"attach", may_attach ? Words{"--dir", folder, number} : Words{}},
      {"detach", may_attach ? Words{number} : Words{}},
      {"doctor", {"--quick"}},
      {"bench", {"--quick"}},
      {"report", {"--dir", folder}},
      {"top", {"--once", "--interval", "10ms", "--dir", folder}},
      {"list", {"--dir", folder}},
      {"gc", {"--dry-run", "--dir", folder}},
      {"diff", {"--dir", folder, file, host.number()}},
  };
  const auto commands = usages();
  EXPECT_EQ(commands.size(), printing.size());
  for (const auto& [name, usage] : commands) {
    expect_failure({name, "--help"});
    const auto found = printing.find(name);
    ASSERT_NE(found, printing.end()) << name << ": say here how it is made to print";
    if (found->second.empty()) continue;
    Words arguments{name};
    arguments.insert(arguments.end(), found->second.begin(), found->second.end());
    expect_failure(arguments);
    if (usage.find("--json") == std::string::npos) continue;
    arguments.insert(arguments.begin() + 1, "--json");
    expect_failure(arguments);
  }
  expect_failure({"--help"});
  expect_failure({"--version"});
  expect_failure({"top", "--json", "--interval", "10ms", "--dir", folder});
}

TEST(FullDisk, ClosedOutputIsOneToo) {
  const Ending ending = run_into("&-", {"--version"});
  EXPECT_EQ(ending.exit_code, 2);
  EXPECT_EQ(ending.err, "clockshim: standard output: Bad file descriptor\n");
}

// Whoever reads only the beginning has what he wanted.
TEST(FullDisk, ReaderThatLeavesIsNoError) {
  const TempDir dir;
  LiveHost host(dir.path().string(), "host");
  const Ending ending =
      Running({"/bin/bash", "-c",
               command_path() + " top --json --interval 10ms --dir " + dir.path().string() +
                   " | head -n 1 >/dev/null; echo ${PIPESTATUS[0]}"})
          .finish();
  EXPECT_EQ(ending.out, "0\n") << ending.err;
}

}  // namespace
}  // namespace clockshim::test
