// Why: whoever wants a report knows the program's name, or that it runs; not where its live file
// is, nor whose it is. What report, top and diff find by themselves, and what they say if they
// can't.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/livefiles/find_processes.h"
#include "live_host.h"

namespace clockshim::test {
namespace {

using Json = nlohmann::json;

// The pids of the reports that are printed.
std::vector<long> pids_in(const Ending& ending) {
  std::vector<long> out;
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  std::istringstream lines(ending.out);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("clockshim ")) out.push_back(std::stol(line.substr(line.find('[') + 1)));
  }
  return out;
}

class Finds : public testing::Test {
 protected:
  Ending run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin() + 1, {"--dir", dir_.path().string()});
    return run_clockshim(arguments);
  }
  static void expect_refused(const Ending& ending, const std::string& text) {
    EXPECT_EQ(ending.exit_code, 2);
    EXPECT_EQ(ending.out, "");
    EXPECT_EQ(ending.err, "clockshim: " + text + "\n");
  }

  TempDir dir_;
};

TEST_F(Finds, SeveralProcessesByNameOrNumber) {
  LiveHost first(dir_.path().string(), "first");
  LiveHost second(dir_.path().string(), "second");
  std::vector<long> both{first.pid(), second.pid()};
  std::sort(both.begin(), both.end());
  const std::string as_pidof_prints = first.number() + " " + second.number();
  EXPECT_EQ(pids_in(run({"report", "live_program"})), both) << "by the kernel's name";
  EXPECT_EQ(pids_in(run({"report", "second"})), std::vector<long>{second.pid()})
      << "by the name in the live file";
  EXPECT_EQ(pids_in(run({"report", as_pidof_prints})),
            (std::vector<long>{first.pid(), second.pid()}));
  EXPECT_EQ(pids_in(run({"report", "--all"})), both);
  EXPECT_EQ(pids_in(run({"report", "--watch", "20ms", "--interval", "10ms", "live_program"})),
            both);
  EXPECT_EQ(pids_in(run({"report", "second", second.number()})), std::vector<long>{second.pid()})
      << "each live file once";

  const std::vector<std::string> once{"top", "--once", "--json", "--interval", "10ms"};
  const auto top = [&](const std::string& word) {
    std::vector<std::string> arguments = once;
    arguments.push_back(word);
    return Json::parse(run(arguments).out)["processes"];
  };
  EXPECT_EQ(top(as_pidof_prints).size(), 2U);
  EXPECT_EQ(top("live_program").size(), 2U);
  EXPECT_FALSE(top("live_program")[0].contains("callers"));
  ASSERT_EQ(top("first").size(), 1U);
  EXPECT_TRUE(top("first")[0].contains("callers"));
  LiveHost third(dir_.path().string(), "third");
  EXPECT_EQ(top(as_pidof_prints).size(), 2U) << "only those that were named";
  EXPECT_EQ(top("--all").size(), 3U);

  const Ending both_as_one = run({"diff", first.number(), as_pidof_prints});
  EXPECT_NE(line_with(both_as_one.out, "after: ").find("first, second (2 processes)"),
            std::string::npos)
      << both_as_one.out << both_as_one.err;
}

TEST_F(Finds, NewestIfNothingIsNamed) {
  expect_refused(run({"report"}),
                 "report: no process that runs has a live file in " + dir_.path().string() +
                     ": start one with `clockshim run COMMAND ...`; clockshim list shows those "
                     "that are gone");
  dead_file(dir_);
  EXPECT_NE(run({"report"}).out.find(", lost\n"), std::string::npos) << "better than nothing";
  LiveHost first(dir_.path().string(), "first");
  EXPECT_EQ(run({"report"}).err, "");
  LiveHost second(dir_.path().string(), "second");
  const Ending newest = run({"report"});
  EXPECT_EQ(pids_in(newest), std::vector<long>{second.pid()});
  EXPECT_EQ(
      newest.err,
      "clockshim: report: this is the newest of 2 processes; clockshim list shows the others, "
      "and --all takes them all\n");
  // Of a diff: the newest of the same program.
  const std::string before = dir_.path("before.json");
  ASSERT_EQ(run({"report", "--format", "json", "--output", before, "first"}).exit_code, 0);
  EXPECT_NE(line_with(run({"diff", before}).out, "after: ").find("first[" + first.number() + "]"),
            std::string::npos);
  EXPECT_NE(line_with(run({"diff", "--all", before}).out, "after: ").find("(2 processes)"),
            std::string::npos);
}

TEST_F(Finds, ProgramThatIsGoneByItsName) {
  dead_file(dir_);
  EXPECT_NE(run({"report", "daemon"}).out.find(", lost\n"), std::string::npos);
  EXPECT_NE(run({"top", "--once", "daemon"}).err.find("must be a process that runs"),
            std::string::npos);
  // A file of that name stands back, unless its name is one of reports.
  dir_.file("daemon", "hello", kPlain);
  EXPECT_EQ(Running({"/bin/sh", "-c",
                     "cd " + dir_.path().string() + " && " + command_path() +
                         " report --dir . daemon | grep -c lost"})
                .finish()
                .out,
            "1\n");
}

TEST_F(Finds, WhatRunsWithoutTheLibrary) {
  const std::string number = std::to_string(getpid());
  const std::string name = "live_tests";
  const std::string without = name + " runs without clockshim: start it with `clockshim run " +
                              name + " ...`, serve it from now on by `clockshim attach " + number +
                              "`, or see `clockshim doctor " + number + "`";
  expect_refused(run({"report", number}), "report " + number + ": " + without);
  expect_refused(run({"top", number}), "top " + number + ": " + without);
  expect_refused(run({"diff", number, number}), "report " + number + ": " + without);
  expect_refused(run({"report", "--watch", "1s", number}),
                 "report " + number + ": must be a process that is served now: " + without);
  const std::string gone = std::to_string(dead_pid());
  expect_refused(run({"report", gone}), "report " + gone +
                                            ": no such process runs, and none has left a live "
                                            "file in " +
                                            dir_.path().string());
  expect_refused(run({"report", "no-such-program"}),
                 "report \"no-such-program\": no program of this name runs, none has left a live "
                 "file in " +
                     dir_.path().string() + ", and there is no such file");
}

TEST_F(Finds, OtherUsersProcessIsForSudo) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be somebody else";
  LiveHost host(dir_.path().string(), "host");
  Running command({"/usr/bin/setpriv", "--reuid=54321", "--clear-groups", command_path(), "report",
                   "--dir", dir_.path().string(), host.number()});
  const Ending ending = command.finish();
  if (ending.exit_code == 127 || ending.err.find("setpriv") != std::string::npos)
    GTEST_SKIP() << "the command can't be run as somebody else: " << ending.err;
  expect_refused(ending,
                 "report " + host.number() +
                     ": live_program is another user's process: permission denied, try sudo");
}

// Its folder is in /dev/shm as it sees that, and we see another one.
TEST(FindsByItself, ProcessInAContainerByItsNumberAndAmongAll) {
  const std::string user = geteuid() == 0 ? "" : "r";
  // Not in a chroot, nor where users may not make namespaces.
  if (Running({"/usr/bin/unshare", "-m" + user, "/bin/mount", "-t", "tmpfs", "none", "/dev/shm"})
          .finish()
          .exit_code != 0)
    GTEST_SKIP() << "no mount namespace can be made here";
  Running boxed({"/usr/bin/unshare", "-m" + user, "/bin/sh", "-c",
                 "mount -t tmpfs none /dev/shm && mkdir -m 700 /dev/shm/clockshim-4321 && exec " +
                     program_path("live_program") + " /dev/shm/clockshim-4321 boxed"});
  ASSERT_TRUE(boxed.wait_for("ready"));
  const std::string number = std::to_string(boxed.pid());
  const Ending ending = run_clockshim({"report", number});
  EXPECT_EQ(pids_in(ending), std::vector<long>{boxed.pid()});
  EXPECT_NE(ending.out.find("busy_caller"), std::string::npos) << ending.out;
  const Ending top = run_clockshim({"top", "--once", "--interval", "10ms", number});
  EXPECT_EQ(top.out.find("boxed[" + number + "] running"), 0U) << top.out << top.err;
  const Ending list =
      run_clockshim({"list", "--dir", "/proc/" + number + "/root/dev/shm/clockshim-4321"});
  EXPECT_NE(list.out.find("boxed"), std::string::npos) << "what it found: " << list.err;

  const std::string inside = "/proc/" + number + "/root/dev/shm/clockshim-4321/";
  EXPECT_EQ(count_of(run_clockshim({"list", "--json"}).out, "\"file\": \"" + inside + number), 1U);
  const std::vector<long> all = pids_in(run_clockshim({"report", "--all"}));
  EXPECT_EQ(std::count(all.begin(), all.end(), boxed.pid()), 1);
  const Ending top_of_all = run_clockshim({"top", "--once", "--interval", "10ms"});
  EXPECT_NE(line_with(top_of_all.out, number).find(" boxed "), std::string::npos) << top_of_all.out;
  EXPECT_EQ(pids_in(run_clockshim({"report", "boxed"})), std::vector<long>{boxed.pid()})
      << "by the name in the live file";

  // What somebody has left behind there is shown, but it is not ours to remove.
  const TempDir made_in;
  const std::string dead = dead_file(made_in);
  const std::string left = inside + dead.substr(dead.rfind('/') + 1);
  std::error_code error;
  std::filesystem::copy_file(dead, left, error);
  ASSERT_FALSE(error) << error.message();
  EXPECT_NE(run_clockshim({"list", "--json"}).out.find(left), std::string::npos);
  EXPECT_EQ(run_clockshim({"gc", "--dry-run"}).out.find("/root/"), std::string::npos);
}

TEST(FindsByItself, FolderThatTheProcessWasGiven) {
  const TempDir dir;
  Running host({program_path("live_program"), dir.path().string(), "host"},
               {"CLOCKSHIM_DIR=" + dir.path().string()});
  ASSERT_TRUE(host.wait_for("ready"));
  EXPECT_EQ(pids_in(run_clockshim({"report", std::to_string(host.pid())})),
            std::vector<long>{host.pid()});
  EXPECT_NE(run_clockshim({"list"}).out.find(" " + dir.path().string() + "/"), std::string::npos);
  const TempDir other;
  EXPECT_EQ(run_clockshim({"report", "--dir", other.path().string(), std::to_string(host.pid())})
                .exit_code,
            2)
      << "a folder that is named is the only one";
}

TEST(ProcessIds, AsPidofPrintsThem) {
  using cli::process_ids;
  EXPECT_EQ(process_ids("12"), std::vector<long>{12});
  EXPECT_EQ(process_ids("12 34\n56 "), (std::vector<long>{12, 34, 56}));
  for (const char* word : {"", " ", "12x", "12 x", "-1", "0", "12,13"})
    EXPECT_TRUE(process_ids(word).empty()) << word;
}

}  // namespace
}  // namespace clockshim::test
