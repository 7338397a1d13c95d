// What `clockshim run` puts into the environment, as units.
#include "cli/inject/setting_options.h"
#include "cli/inject/preload_environment.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "run_command.h"

namespace clockshim::cli {
namespace {

TEST(Preload, IsLastAndKeepsWhatIsThere) {
  EXPECT_EQ(preload_with("/l/libclockshim.so", ""), "/l/libclockshim.so");
  EXPECT_EQ(preload_with("/l/libclockshim.so", "a.so b.so:c.so"),
            "a.so:b.so:c.so:/l/libclockshim.so");
  EXPECT_EQ(preload_with("/l/libclockshim.so", "::a.so: "), "a.so:/l/libclockshim.so");
}

TEST(Preload, IsNotRepeated) {
  EXPECT_EQ(preload_with("/l/libclockshim.so", "a.so:/l/libclockshim.so"),
            "a.so:/l/libclockshim.so");
  EXPECT_EQ(preload_with("/l/libclockshim.so", "/l/libclockshim.so:a.so"),
            "a.so:/l/libclockshim.so");
}

// AddressSanitizer ends a program in which it is not the first library; libfaketime's time is to be
// seen.
TEST(Preload, StandsBehindWhoIsToBeAskedFirst) {
  for (const std::string other :
       {"/usr/lib/libasan.so.8", "libtsan.so.2", "/usr/lib/faketime/libfaketime.so.1"})
    EXPECT_EQ(preload_with("/l/libclockshim.so", other), other + ":/l/libclockshim.so");
}

TEST(Patterns, FolderOfTheCallerIsNoPattern) {
  const test::TempDir folder;
  std::filesystem::create_directory(folder.path("50%p"));
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path("50%p"));
  const std::string pattern = absolute_pattern("%p.txt");
  std::filesystem::current_path(before);
  EXPECT_EQ(pattern, folder.path("50%%p/%p.txt"));
  EXPECT_EQ(expand_path(pattern, {42, "", "", 0}), folder.path("50%p/42.txt"));
  EXPECT_EQ(absolute_pattern("/a/%p"), "/a/%p");
}

TEST(SettingOptions, PathsBecomeAbsolute) {
  SettingOption report{&setting_of(SettingId::report)};
  EXPECT_EQ(take_value(report, "%p.json"), "");
  EXPECT_EQ(report.value, absolute_pattern("%p.json"));
  SettingOption dir{&setting_of(SettingId::dir)};
  EXPECT_EQ(take_value(dir, "live"), "");
  EXPECT_EQ(dir.value, std::filesystem::absolute("live").string());
}

TEST(SettingOptions, WordsForReportAreNoPaths) {
  for (const char* word : {"stderr", "none"}) {
    SettingOption report{&setting_of(SettingId::report)};
    EXPECT_EQ(take_value(report, word), "");
    EXPECT_EQ(report.value, word);
  }
}

// The message is the library's, in which the variable and the value stand before what is right.
TEST(SettingOptions, ABadValueIsNamedByTheCommandLine) {
  SettingOption depth{&setting_of(SettingId::depth)};
  EXPECT_EQ(take_value(depth, "7").find("must be a number from 0 to 6"), 0U);
  SettingOption tolerance{&setting_of(SettingId::tolerance)};
  EXPECT_EQ(take_value(tolerance, "2s").find("must be a duration from 0 to 1s"), 0U);
  SettingOption order{&setting_of(SettingId::order)};
  EXPECT_EQ(take_value(order, "lax"), "must be one of strict relaxed");
}

TEST(SettingOptions, AreNamedAfterTheirSettings) {
  EXPECT_EQ(option_name(setting_of(SettingId::depth)), "--depth");
  EXPECT_EQ(option_help(setting_of(SettingId::order)).find("strict, relaxed (default strict): "),
            0U);
  for (const SettingOption& option : setting_options())
    EXPECT_EQ(option_help(*option.setting).find('`'), std::string::npos);
}

TEST(EnvironmentOfTheCommand, SetReplaces) {
  std::string one = "A=1";
  std::string two = "AB=2";
  char* from[] = {one.data(), two.data(), nullptr};
  Environment environment(from);
  environment.set("A", "3");
  char** entries = environment.pointers();
  EXPECT_STREQ(entries[0], "AB=2");
  EXPECT_STREQ(entries[1], "A=3");
  EXPECT_EQ(entries[2], nullptr);
}

}  // namespace
}  // namespace clockshim::cli
