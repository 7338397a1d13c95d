// `clockshim report` of a process with threads that live: who they are, by number and name, and
// what each asked.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "run_command.h"

namespace clockshim::test {
namespace {

using Json = nlohmann::json;

class ThreadsReport : public testing::Test {
 protected:
  [[nodiscard]] std::vector<std::string> environment() const {
    return {"LD_PRELOAD=" + shim_path(), "CLOCKSHIM_DIR=" + folder_.path().string(),
            "CLOCKSHIM_ONLY=apart"};
  }
  Ending report(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "report");
    return run_clockshim(arguments, {"CLOCKSHIM_DIR=" + folder_.path().string()});
  }
  TempDir folder_;
};

std::map<std::string, long> calls_by_name(const Json& report) {
  std::map<std::string, long> calls;
  for (const Json& thread : report["threads"])
    calls[thread["name"].is_null() ? "" : thread["name"]] += thread["calls"].get<long>();
  return calls;
}

const std::map<std::string, long> kByName{{"apart", 1000}, {"asks-101", 101}, {"asks-102", 102}};
const std::map<std::string, long> kNameless{{"", 1203}};

TEST_F(ThreadsReport, NamesThreadsThatRunAndOnlyThose) {
  Running host({program_path("apart"), "wait", "2"}, environment());
  ASSERT_TRUE(host.wait_for("ready"));
  const std::string pid = std::to_string(host.pid());
  const Json running = Json::parse(report({"--format", "json", pid}).out);
  EXPECT_EQ(calls_by_name(running), kByName);
  const Ending table = report({"--threads", pid});
  EXPECT_EQ(table.exit_code, 0) << table.err;
  EXPECT_NE(table.out.find("  thread apart/" + pid + "\n"), std::string::npos) << table.out;
  EXPECT_NE(table.out.find("  thread asks-102/"), std::string::npos) << table.out;
  kill(host.pid(), SIGKILL);
  host.finish();
  const Json lost = Json::parse(report({"--format", "json", pid}).out);
  EXPECT_EQ(calls_by_name(lost), kNameless);
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(lost["threads"].at(i)["tid"], running["threads"].at(i)["tid"]);
}

TEST_F(ThreadsReport, InAnotherPidNamespaceThreadsHaveTheNumbersThatTheyHaveHere) {
  if (geteuid() != 0) GTEST_SKIP() << "only root may make a pid namespace";
  Running container(
      {"/usr/bin/unshare", "--pid", "--fork", "--kill-child", program_path("apart"), "wait", "2"},
      environment());
  ASSERT_TRUE(container.wait_for("asked 1 1 1000")) << "there, it is number 1";
  ASSERT_TRUE(container.wait_for("ready"));
  const auto files = std::filesystem::directory_iterator(folder_.path());
  const Json read = Json::parse(report({"--format", "json", files->path()}).out);
  EXPECT_EQ(calls_by_name(read), kByName);
  EXPECT_EQ(read["threads"].at(0)["tid"], read["pid"]);
  for (const Json& thread : read["threads"]) {
    const std::string task = "/proc/" + std::to_string(read["pid"].get<long>()) + "/task/" +
                             std::to_string(thread["tid"].get<long>());
    EXPECT_TRUE(std::filesystem::exists(task)) << task;
  }
}

TEST_F(ThreadsReport, OfALibraryThatWroteNoneSaysSo) {
  const std::string old = folder_.file(
      "a.json", R"({"schema_version": 1, "program": "daemon", "pid": 42, "seconds": 2.0,
    "clocks": {"realtime": {"calls": 7, "served": 7, "real": 0, "resyncs": 7}},
    "sites": [{"calls": 7, "clock": "realtime", "function": "gettimeofday", "frames": []}]})",
      kPlain);
  const Ending ending = report({"--threads", old});
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  EXPECT_NE(ending.out.find("            7  100.0%            4  threads not told\n"),
            std::string::npos)
      << ending.out;
}

}  // namespace
}  // namespace clockshim::test
