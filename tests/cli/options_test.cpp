// The command line of `clockshim`: a mistake is one line on standard error and exit status 2, and
// nothing is started.
#include <gtest/gtest.h>

#include <sstream>

#include "cli/console/nearest.h"
#include "cli/inject/setting_options.h"
#include "run_command.h"

namespace clockshim::test {
namespace {

void expect_refused(const std::vector<std::string>& arguments, const std::string& part,
                    const std::vector<std::string>& environment = {}) {
  const Ending ending = run_clockshim(arguments, environment);
  EXPECT_EQ(ending.exit_code, 2) << part;
  EXPECT_EQ(ending.out, "") << "nothing may be started";
  EXPECT_TRUE(ending.err.starts_with("clockshim: ")) << ending.err;
  EXPECT_EQ(count_of(ending.err, "\n"), 1U) << ending.err;
  EXPECT_NE(ending.err.find(part), std::string::npos) << ending.err;
}

void expect_refused_option(const std::string& option, const std::string& value,
                           const std::string& right) {
  expect_refused({"run", option, value, "--", "echo", "started"},
                 option + " \"" + value + "\": " + right);
}

TEST(Options, Version) {
  const Ending ending = run_clockshim({"--version"});
  EXPECT_EQ(ending.exit_code, 0);
  EXPECT_EQ(ending.out, "clockshim " CLOCKSHIM_VERSION "\n");
  EXPECT_EQ(ending.err, "");
}

TEST(Options, Help) {
  EXPECT_NE(run_clockshim({"--help"}).out.find("clockshim run [OPTION...] COMMAND [ARG...]"),
            std::string::npos);
  const Ending ending = run_clockshim({"run", "--help"});
  EXPECT_EQ(ending.exit_code, 0);
  for (const Setting& setting : kSettings)
    EXPECT_NE(ending.out.find(cli::option_name(setting) + " "), std::string::npos)
        << setting.variable;
}

TEST(Options, NoCommand) {
  expect_refused({}, "say what to do");
  expect_refused({"run"}, "no command");
  expect_refused({"run", "--"}, "no command");
  expect_refused({"run", "--tolerance", "1us", "--"}, "no command");
  expect_refused({"no-such-thing"}, "no-such-thing");
}

TEST(Options, BadValuesAreNamedWithWhatWouldBeRight) {
  expect_refused_option("--tolerance", "10", "must be a duration");
  expect_refused_option("--tolerance", "-5us", "must be a duration");
  expect_refused_option("--tolerance", "2s", "must be a duration");
  expect_refused_option("--counters", "synced", "must be one of auto agree disagree");
  expect_refused_option("--order", "lax", "must be one of strict relaxed");
  expect_refused_option("--profile", "some", "must be off, sites, stacks or stacks:N");
  expect_refused_option("--profile", "stacks:0", "must be off, sites, stacks or stacks:N");
  expect_refused_option("--profile", "stacks:10x", "must be off, sites, stacks or stacks:N");
  expect_refused_option("--depth", "7", "must be a number from 0 to 6");
  expect_refused_option("--depth", "two", "must be a number from 0 to 6");
  expect_refused_option("--clocks", "realtime,sundial", "must be a comma list");
  expect_refused_option("--follow", "yes", "must be one of 0 1");
  expect_refused_option("--log", "loud", "must be one of");
  expect_refused_option("--report", "", "must be stderr, none, or a path");
  expect_refused_option("--report", "/nowhere/report.txt", "can't be made in /nowhere/");
  expect_refused_option("--report", "/", "is a directory");
  expect_refused_option("--dir", "", "must be the path of a folder");
  expect_refused_option("--tolerance", "", "must have a value");
  expect_refused({"run", "--no-such-option", "--", "echo", "started"}, "--no-such-option");
  expect_refused({"run", "--tolerance"}, "--tolerance");
}

// Our options come first; the first word that is none of them begins the command.
TEST(Options, CommandBeginsWithItsName) {
  const std::vector<std::string> show = {"printf", "<%s>", "-x", "--depth", "--", "--help"};
  for (const char* ours : {"", "--", "--depth 2", "--depth=2 --report none", "--report none --"}) {
    std::vector<std::string> arguments = {"run"};
    std::istringstream words(ours);
    for (std::string word; words >> word;) arguments.push_back(word);
    arguments.insert(arguments.end(), show.begin(), show.end());
    const Ending ending = run_clockshim(arguments);
    EXPECT_EQ(ending.exit_code, 0) << ending.err;
    EXPECT_EQ(ending.out, "<-x><--depth><--><--help>");
  }
  // A word that an option takes is no command, and an option of ours must be one.
  expect_refused({"run", "--depth", "2"}, "no command");
  expect_refused({"run", "--no-such-option", "echo", "started"}, "--no-such-option");
  expect_refused({"run", "--depth", "echo", "started"}, "--depth \"echo\": must be a number");
  expect_refused({"run", "--tolerance", "--", "echo", "started"}, "--tolerance");
}

TEST(Options, NearestRightWordIsNamed) {
  expect_refused({"reprot", "1"},
                 "\"reprot\": no such command (did you mean \"report\"?); usage: ");
  expect_refused({"docter"}, "\"docter\": no such command (did you mean \"doctor\"?); usage: ");
  expect_refused({"run", "--tolerence", "1ms", "echo", "started"},
                 "--tolerence (did you mean \"--tolerance\"?); usage: clockshim run");
  expect_refused({"run", "--tolerence=1ms", "echo", "started"}, "(did you mean \"--tolerance\"?)");
  expect_refused({"top", "--onec"}, "--onec (did you mean \"--once\"?); usage: clockshim top");
  expect_refused_option("--order", "stirct",
                        "must be one of strict relaxed (did you mean \"strict\"?)");
  expect_refused_option("--profile", "stack", "must be off, sites, stacks");
  expect_refused({"run", "--profile", "stack", "echo", "started"}, "(did you mean \"stacks\"?)");
  expect_refused({"report", "--format", "jsom", "1"}, "(did you mean \"json\"?)");
  for (const char* word : {"frobnicate", "x"}) {
    const Ending ending = run_clockshim({word});
    EXPECT_EQ(ending.exit_code, 2);
    EXPECT_EQ(count_of(ending.err, "did you mean"), 0U) << ending.err;
  }
}

TEST(Options, EditDistance) {
  EXPECT_EQ(cli::edit_distance("", "abc"), 3U);
  EXPECT_EQ(cli::edit_distance("abc", "abc"), 0U);
  EXPECT_EQ(cli::edit_distance("stirct", "strict"), 1U) << "two that are swapped";
  EXPECT_EQ(cli::edit_distance("tolerence", "tolerance"), 1U);
  EXPECT_EQ(cli::edit_distance("kitten", "sitting"), 3U);
}

// Each command names what it can't use, and shows its usage.
TEST(Options, ArgumentsOfOtherCommands) {
  expect_refused({"list", "x"}, "x; usage: clockshim list");
  expect_refused({"gc", "--", "x"}, "gc \"x\": takes no command; usage: clockshim gc");
  expect_refused({"bench", "--", "list"},
                 "bench \"list\": takes no command; usage: clockshim bench");
  expect_refused({"doctor", "a", "b"}, "doctor \"b\": must be one command or process id; usage: ");
  expect_refused({"doctor", "a", "--", "b"}, "doctor \"b\": must be one command or process id");
  const std::string two = "diff: must have BEFORE and AFTER, or only BEFORE; usage: clockshim diff";
  expect_refused({"diff"}, two);
  expect_refused({"diff", "--all", "a", "b"}, two);
  expect_refused({"diff", "a", "b", "c"}, "diff \"c\": must be two at most; usage: clockshim diff");
  expect_refused({"report", "--merge", "--apart", "1"}, " excludes --");
  expect_refused({"list", "gc"}, "gc; usage: clockshim list");
}

// Help comes first, whatever else is wrong; the last of several values counts.
TEST(Options, HelpAndTheLastValueWin) {
  EXPECT_EQ(run_clockshim({"run", "--tolerance", "banana", "--help"}).exit_code, 0);
  EXPECT_EQ(run_clockshim({"run", "--report=none", "--depth", "9", "--depth", "2", "--", "sh", "-c",
                           "echo $CLOCKSHIM_DEPTH"})
                .out,
            "2\n");
}

TEST(Options, BecomeTheCommandsSettings) {
  const Ending ending = run_clockshim(
      {"run",      "--tolerance", "1ms",      "--order",   "relaxed",    "--profile", "off",
       "--report", "none",        "--clocks", "monotonic", "--log",      "info",      "--follow",
       "1",        "--only=env*", "--skip=x", "--dir",     "/dev/shm/x", "--",        "env"});
  for (const char* entry :
       {"TOLERANCE=1ms", "ORDER=relaxed", "PROFILE=off", "REPORT=none", "CLOCKS=monotonic",
        "LOG=info", "FOLLOW=1", "ONLY=env*", "SKIP=x", "DIR=/dev/shm/x"}) {
    EXPECT_EQ(count_of(ending.out, "CLOCKSHIM_" + std::string(entry) + "\n"), 1U)
        << entry << " in " << ending.out;
  }
}

TEST(Options, ComeBeforeTheEnvironment) {
  const Ending ending = run_clockshim(
      {"run", "--report", "none", "--tolerance", "1ms", "--", "env"},
      {"CLOCKSHIM_TOLERANCE=2ms", "CLOCKSHIM_REPORT=/nowhere/x", "CLOCKSHIM_ORDER=relaxed"});
  EXPECT_EQ(count_of(ending.out, "CLOCKSHIM_TOLERANCE="), 1U);
  EXPECT_NE(ending.out.find("CLOCKSHIM_TOLERANCE=1ms\n"), std::string::npos);
  EXPECT_NE(ending.out.find("CLOCKSHIM_ORDER=relaxed\n"), std::string::npos)
      << "what has no option stays";
  EXPECT_EQ(ending.err, "");
}

// Compose files and service units have variables that are set to nothing.
TEST(Options, EmptyVariablesAreUnset) {
  const Ending ending = run_clockshim(
      {"run", "--", "env"},
      {"CLOCKSHIM_TOLERANCE=", "CLOCKSHIM_ORDER=", "CLOCKSHIM_LOG=", "CLOCKSHIM_COUNTERS=",
       "CLOCKSHIM_REPORT=", "CLOCKSHIM_DIR=", "CLOCKSHIM_LIBRARY="});
  EXPECT_EQ(ending.exit_code, 0);
  EXPECT_EQ(ending.err.find("CLOCKSHIM_"), std::string::npos) << ending.err;
}

TEST(Options, LibraryThatIsNotThere) {
  expect_refused({"run", "--", "echo", "started"}, "CLOCKSHIM_LIBRARY=\"/nowhere/lib.so\"",
                 {"CLOCKSHIM_LIBRARY=/nowhere/lib.so"});
  // Which the loader would ignore, or stop at.
  expect_refused({"run", "--", "echo", "started"}, "not a 64-bit library for x86-64",
                 {"CLOCKSHIM_LIBRARY=/etc/passwd"});
  // Away from its own folder the command finds no library around it, and says where it looked.
  const TempDir folder;
  std::filesystem::create_directories(folder.path("a/bin"));
  const std::string copy = folder.path("a/bin/clockshim");
  std::filesystem::copy_file(command_path(), copy);
  const Ending ending = Running({copy, "run", "--", "echo", "started"}).finish();
  EXPECT_EQ(ending.exit_code, 2);
  EXPECT_EQ(ending.out, "");
  for (const char* place : {"a/bin/,", "a/,", "a/lib/x86_64-linux-gnu/,", "a/lib/;"}) {
    EXPECT_NE(ending.err.find(folder.path(place)), std::string::npos)
        << place << " in " << ending.err;
  }
  // ... and there it is.
  std::filesystem::create_directories(folder.path("a/lib/x86_64-linux-gnu"));
  std::filesystem::copy_file(shim_path(), folder.path("a/lib/x86_64-linux-gnu/libclockshim.so"));
  EXPECT_EQ(Running({copy, "run", "--", "sh", "-c", "echo $LD_PRELOAD"}).finish().out,
            folder.path("a/lib/x86_64-linux-gnu/libclockshim.so\n"));
}

}  // namespace
}  // namespace clockshim::test
