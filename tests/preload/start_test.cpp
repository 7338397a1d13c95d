// Why: what is loaded at start is paid for by each process of a shell script, stays in its memory,
// and may define functions that the program finds in the place of its own.
#include <gtest/gtest.h>

#include <set>

#include "run_host.h"

namespace clockshim::test {
namespace {

// The libraries in the memory of a process that looks at itself.
std::set<std::string> libraries_of(const HostRun& run) {
  std::set<std::string> all;
  for (const auto& line : lines_of(run.out)) {
    const auto slash = line.find('/');
    if (slash != std::string::npos && line.find(".so") != std::string::npos)
      all.insert(line.substr(slash));
  }
  return all;
}

TEST(Start, BringsNoOtherLibrary) {
  HostOptions options{.arguments = {"/proc/self/maps"},
                      .environment = {{"CLOCKSHIM_PROFILE", "stacks"}}};
  const std::set<std::string> shimmed = libraries_of(run_host("/bin/cat", options));
  options.shim = false;
  std::set<std::string> expected = libraries_of(run_host("/bin/cat", options));
  ASSERT_FALSE(expected.empty());
  expected.insert(std::filesystem::canonical(shim_path()).string());
  EXPECT_EQ(shimmed, expected);
}

}  // namespace
}  // namespace clockshim::test
