// Why: an interpreter may be loaded in the middle of a program's life, be closed, be another one
// than is known, or be none at all. It is read only where all that is known of it fits, and
// whatever stands in its memory, the host goes on.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "python_report.h"

namespace clockshim::test {
namespace {

// What is not Python, but looks like it.
class MadeUpPython : public testing::Test {
 protected:
  // Each call counted; all of them realtime.
  static HostRun play(const std::vector<std::string>& words) {
    std::vector<std::string> arguments{"play"};
    for (std::size_t i = 0; i < words.size(); ++i)
      arguments.push_back(i % 2 == 0 ? host_path(words[i] + ".so") : words[i]);
    HostRun run = run_host("pythons", {.arguments = arguments, .report = true});
    EXPECT_EQ(run.ending(), "exit 0") << run.out << run.err;
    expect_exact_counts(run, 1);
    return run;
  }
  // Calls by function: "NAME|FILE:LINE", or the C function's name.
  static Counts counts(const HostRun& run) {
    Counts all;
    for (const Json& site : only_report(run).at("sites")) {
      const Json& frame = counted_frame(site);
      all[of_python(frame) ? function_of(frame) : frame.at("symbol").get<std::string>()] +=
          site.at("calls").get<long>();
    }
    return all;
  }
  static std::string notes(const HostRun& run) { return only_report(run).at("notes").dump(); }
};

TEST_F(MadeUpPython, IsRead) {
  for (const char* scene : {"plain", "shims", "tagged"}) {
    const HostRun run = play({"made_up_python", scene});
    EXPECT_EQ(counts(run), (Counts{{"plain|/srv/app.py:12", 1000}})) << scene;
    EXPECT_EQ(notes(run), "[]");
  }
}

TEST_F(MadeUpPython, OnlyWhileItsOwnStateRuns) {
  for (const char* scene : {"unlocked", "another", "stateless"}) {
    const HostRun run = play({"made_up_python", scene});
    EXPECT_EQ(counts(run), (Counts{{"plain|/srv/app.py:12", 100}, {"asks_in_c", 900}})) << scene;
    EXPECT_EQ(notes(run), "[]");
  }
}

TEST_F(MadeUpPython, NothingThatLooksWrongIsFollowed) {
  EXPECT_EQ(counts(play({"made_up_python", "wild"})),
            (Counts{{"plain|/srv/app.py:12", 10}, {"asks_in_c", 360}}));
}

TEST_F(MadeUpPython, OtherNamesInTheSamePlaceAreAnotherFunction) {
  const Counts all = counts(play({"made_up_python", "used_again"}));
  EXPECT_EQ(all.size(), 20U);
  for (const auto& [function, calls] : all) EXPECT_EQ(calls, 5) << function;
}

TEST_F(MadeUpPython, LongNamesAreCutAtACharactersBoundary) {
  const Counts all = counts(play({"made_up_python", "long_names"}));
  ASSERT_EQ(all.size(), 1U);
  const std::string name = all.begin()->first;
  const std::size_t bar = name.find('|');
  EXPECT_TRUE(name.starts_with("..\xF0\x90\x8C")) << name;
  EXPECT_EQ(name[bar - 1], 'z');
  EXPECT_EQ(bar, 2 + 21 * 4 + 1U);
  EXPECT_EQ(name.substr(bar + 1, 4), "..dd");
  EXPECT_TRUE(name.ends_with("d/end.py:12")) << name;
  EXPECT_EQ(name.find("\uFFFD"), std::string::npos);
}

TEST_F(MadeUpPython, OneThatIsNotKnownIsSaidToBe) {
  const struct {
    const char* module;
    const char* scene;
    const char* note;
  } cases[] = {{"made_up_python", "unknown_version", "the frames of Python 3.15.1 ("},
               {"made_up_python", "candidate", "the frames of Python 3.13.0rc2 ("},
               {"made_up_python_old", "plain", "the frames of Python before 3.11 ("},
               {"made_up_python", "another_size", "Python 3.13.0 ("},
               {"made_up_python", "free_threaded", "is not built as usual"},
               {"made_up_python", "moved", "is not built as usual"},
               {"made_up_python", "another_id", "is not built as usual"}};
  for (const auto& [module, scene, note] : cases) {
    const HostRun run = play({module, scene});
    EXPECT_EQ(counts(run), (Counts{{"asks_in_c", 1000}})) << scene;
    EXPECT_NE(notes(run).find(note), std::string::npos) << scene << notes(run);
    EXPECT_NE(notes(run).find(std::string(module) + ".so"), std::string::npos) << notes(run);
    EXPECT_NE(notes(run).find("counted under C functions"), std::string::npos) << notes(run);
  }
}

TEST_F(MadeUpPython, OnlyOneOfSeveralIsRead) {
  const HostRun run = play({"made_up_python", "plain", "made_up_python_again", "plain"});
  EXPECT_EQ(counts(run), (Counts{{"plain|/srv/app.py:12", 1000}, {"asks_in_c", 1000}}));
  EXPECT_NE(notes(run).find("made_up_python_again.so) is the second Python of this process"),
            std::string::npos)
      << notes(run);
}

TEST_F(MadeUpPython, OneThatIsClosedMakesRoomForAnother) {
  const HostRun run = play({"made_up_python", "plain-", "made_up_python_again", "long_names-",
                            "made_up_python", "plain"});
  const Counts all = counts(run);
  EXPECT_EQ(all.size(), 2U);
  EXPECT_EQ(all.at("plain|/srv/app.py:12"), 2000);
  EXPECT_EQ(notes(run), "[]");
}

TEST_F(MadeUpPython, WhatStandsWhereAClosedOneWasIsLookedAtAnew) {
  const HostRun run = play({"made_up_python", "plain-", "made_up_python_old", "plain"});
  EXPECT_EQ(counts(run), (Counts{{"plain|/srv/app.py:12", 1000}, {"asks_in_c", 1000}}));
  EXPECT_NE(notes(run).find("made_up_python_old.so) are not known"), std::string::npos)
      << notes(run);
}

// A real one, loaded by another program, gone and come again.
TEST(EmbeddedPython, IsNamedAsLongAsItIsThere) {
  HostRun run;
  for (const char* library : {"libpython3.11.so.1.0", "libpython3.12.so.1.0",
                              "libpython3.13.so.1.0", "libpython3.14.so.1.0"}) {
    run = run_host("pythons", {.arguments = {"run", library}, .report = true});
    if (run.exit_code != 77) break;
  }
  if (run.exit_code == 77) GTEST_SKIP() << "there is no libpython3.11 or later";
  ASSERT_EQ(run.ending(), "exit 0") << run.err;
  Counts boottime;
  for (const Json& site : only_report(run).at("sites")) {
    if (site.at("clock") == "boottime")
      boottime[function_of(counted_frame(site))] += site.at("calls").get<long>();
  }
  EXPECT_EQ(boottime, (Counts{{"embedded|<string>:2", 3000}}));
  EXPECT_EQ(calls_from(only_report(run), "run", 2), 300) << only_report(run).dump(1);
}

}  // namespace
}  // namespace clockshim::test
