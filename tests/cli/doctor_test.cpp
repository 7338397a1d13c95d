// `clockshim doctor`: the command as a whole on this machine, also under a filter.
#include "cli/doctor/cmd_doctor.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "run_command.h"

namespace clockshim::cli {
namespace {

using test::Ending;
using test::run_clockshim;
using Json = nlohmann::json;

Json parsed(const Ending& ending) {
  const Json json = Json::parse(ending.out, nullptr, false);
  EXPECT_TRUE(json.is_object()) << ending.out << ending.err;
  return json;
}

int status_of(const Json& json) {
  const bool takes = json["program"].is_null() || json["program"]["takes"] == true;
  return json["verdict"] == "healthy" && takes ? kHealthy : kFinding;
}

TEST(DoctorCommand, TellsTheSameAsTextAndJson) {
  const Ending text = run_clockshim({"doctor", "--quick"});
  EXPECT_TRUE(text.out.starts_with("verdict: ")) << text.out;
  EXPECT_EQ(text.err, "") << "no progress where there is no terminal";
  const Ending ending = run_clockshim({"doctor", "--quick", "--json"});
  const Json json = parsed(ending);
  EXPECT_EQ(ending.exit_code, status_of(json)) << ending.out;
  for (const char* clock : {"realtime", "monotonic"}) {
    EXPECT_GT(json["clocks"][clock]["bare_ns"], 0) << clock;
    EXPECT_GT(json["clocks"][clock]["strict_ns"], 0) << clock;
  }
  EXPECT_EQ(json["shim"]["tried"], true) << ending.out;
}

// Each name that the schema demands is there, and each that is there stands in the schema.
void expect_fits(const Json& value, const Json& schema, const std::string& at) {
  if (!schema.contains("properties") || !value.is_object()) return;
  for (const Json& name : schema.value("required", Json::array()))
    EXPECT_TRUE(value.contains(name)) << at << "." << name;
  for (const auto& [name, member] : value.items()) {
    ASSERT_TRUE(schema["properties"].contains(name))
        << at << "." << name << " is not in the schema";
    expect_fits(member, schema["properties"][name], at + "." + name);
  }
}

TEST(DoctorCommand, FitsItsSchema) {
  std::ifstream file(std::string(getenv("CLOCKSHIM_TEST_DOCS")) + "/doctor.schema.json");
  const Json schema = Json::parse(file);
  expect_fits(parsed(run_clockshim({"doctor", "--quick", "--json", "sh"})), schema, "doctor");
}

TEST(DoctorCommand, Programs) {
  Json json =
      parsed(run_clockshim({"doctor", "--quick", "--json", test::program_path("clock_program")}));
  EXPECT_EQ(json["program"]["takes"], true);
  EXPECT_EQ(json["program"]["by_image"], false);
  const Ending ending =
      run_clockshim({"doctor", "--quick", "--json", test::program_path("static_program")});
  json = parsed(ending);
  EXPECT_EQ(json["program"]["takes"], true);
  EXPECT_EQ(json["program"]["by_image"], true);
  EXPECT_NE(json["program"]["notes"].dump().find("statically linked"), std::string::npos);
}

TEST(DoctorCommand, Processes) {
  const test::Running bare({"/bin/cat"});
  Json json = parsed(run_clockshim({"doctor", "--quick", "--json", std::to_string(bare.pid())}));
  EXPECT_EQ(json["program"]["pid"], bare.pid());
  EXPECT_EQ(json["program"]["loaded"], false);
  test::Running shimmed({"/bin/sh", "-c", "echo there; read x"},
                        {"LD_PRELOAD=" + test::shim_path(), "CLOCKSHIM_REPORT=none"});
  ASSERT_TRUE(shimmed.wait_for("there"));
  json =
      parsed(run_clockshim({"doctor", "--quick", "--json", "--", std::to_string(shimmed.pid())}));
  EXPECT_EQ(json["program"]["loaded"], true);
}

// What the image is in is known by its live file, which all that look at processes read.
TEST(DoctorCommand, ProcessesWithTheImage) {
  const test::TempDir folder;
  const std::vector<std::string> environment{"CLOCKSHIM_LIBRARY=" + test::shim_path(),
                                             "CLOCKSHIM_DIR=" + folder.path("live")};
  test::Running run({std::getenv("CLOCKSHIM_TEST_COMMAND"), "run", "--report", "none", "--",
                     test::program_path("paced_program_static")},
                    environment);
  ASSERT_TRUE(run.wait_for("there"));
  const std::string number = std::to_string(run.pid());
  std::ifstream children("/proc/" + number + "/task/" + number + "/children");
  std::string pid;
  ASSERT_TRUE(children >> pid);
  const Json program =
      parsed(run_clockshim({"doctor", "--quick", "--json", pid}, environment))["program"];
  EXPECT_EQ(program["loaded"], true) << program.dump(1);
  EXPECT_EQ(program["by_image"], true);
  EXPECT_EQ(program["calls_counted_by"], "live file");
  const Ending top = run_clockshim({"top", "--once", pid}, environment);
  EXPECT_NE(top.out.find("main"), std::string::npos) << top.out << top.err;
  const Ending list = run_clockshim({"list"}, environment);
  EXPECT_NE(list.out.find("paced_program"), std::string::npos) << list.out << list.err;
  kill(std::stoi(pid), SIGKILL);  // it would go on without the command, too
}

// Its rate is in its live file. It reads the clock about 10,000 times a second, or less often where
// the machine is busy; never without a pause.
TEST(DoctorCommand, RateOfAProcessWithTheLibraryIsThatOfItsLiveFile) {
  const test::TempDir folder;
  test::Running shimmed({test::program_path("paced_program")},
                        {"LD_PRELOAD=" + test::shim_path(), "CLOCKSHIM_REPORT=none",
                         "CLOCKSHIM_DIR=" + folder.path("live")});
  ASSERT_TRUE(shimmed.wait_for("there"));
  const Ending ending =
      run_clockshim({"doctor", "--quick", "--json", std::to_string(shimmed.pid())},
                    {"CLOCKSHIM_DIR=" + folder.path("live")});
  const Json program = parsed(ending)["program"];
  EXPECT_EQ(program["calls_counted_by"], "live file") << ending.out;
  EXPECT_GT(program["calls_per_second"], 10) << ending.out;
  EXPECT_LT(program["calls_per_second"], 20'000) << ending.out;
  EXPECT_TRUE(program["cpu_share_saved"].is_number()) << ending.out;
  const Ending elsewhere =
      run_clockshim({"doctor", "--quick", "--json", std::to_string(shimmed.pid())},
                    {"CLOCKSHIM_DIR=" + folder.path("none")});
  EXPECT_TRUE(parsed(elsewhere)["program"]["calls_per_second"].is_null());
  EXPECT_NE(parsed(elsewhere)["unseen"].dump().find("how often the process asks: no live file"),
            std::string::npos);
}

void expect_refused(const std::vector<std::string>& arguments, const std::string& part) {
  const Ending ending = run_clockshim(arguments);
  EXPECT_EQ(ending.exit_code, kError) << part;
  EXPECT_EQ(ending.out, "");
  EXPECT_EQ(test::count_of(ending.err, "\n"), 1U) << ending.err;
  EXPECT_NE(ending.err.find(part), std::string::npos) << ending.err;
}

TEST(DoctorCommand, MistakesAreOneLine) {
  expect_refused({"doctor", "no-such-command-anywhere"}, "no such command");
  expect_refused({"doctor", "2147483646"}, "no such process");
  expect_refused({"doctor", "sh", "sh"}, "clockshim doctor [--quick]");
  expect_refused({"doctor", "--slow"}, "--slow");
  expect_refused({"doctor", "--save", "--json"}, "--json");
  expect_refused({"doctor", "--save", "sh"}, "--save takes no program");
  expect_refused({"doctor", "sh", "--", "sh"}, "must be one command");
}

// From here on this thread, and what it starts, may not do these system calls.
bool forbid(const std::vector<int>& calls) {
  std::vector<sock_filter> program{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const int call : calls) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

TEST(DoctorCommand, SaysWhatItCouldNotSee) {
  Ending ending;
  bool filtered = false;
  std::thread confined([&] {
    filtered = forbid({SYS_sched_setaffinity, SYS_adjtimex, SYS_clock_adjtime, SYS_syslog,
                       SYS_prctl, SYS_seccomp, SYS_perf_event_open});
    if (filtered) ending = run_clockshim({"doctor", "--quick", "--json", std::to_string(getpid())});
  });
  confined.join();
  if (!filtered) GTEST_SKIP() << "no filter can be installed here";
  const Json json = parsed(ending);
  EXPECT_EQ(ending.exit_code, status_of(json));
  const std::string unseen = json["unseen"].dump();
  EXPECT_NE(unseen.find("NTP"), std::string::npos) << unseen;
  EXPECT_NE(unseen.find("proof of what the vDSO answers"), std::string::npos) << unseen;
  EXPECT_NE(unseen.find("how often the process asks"), std::string::npos) << unseen;
  if (sysconf(_SC_NPROCESSORS_ONLN) > 1) {
    EXPECT_NE(unseen.find("pairs not compared"), std::string::npos) << unseen;
  }
}

}  // namespace
}  // namespace clockshim::cli
