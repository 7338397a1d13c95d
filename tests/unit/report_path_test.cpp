// Where a report may go.
#include "os/report_path.h"

#include <gtest/gtest.h>

#include "../support/temp_dir.h"

namespace clockshim {
namespace {

TEST(ReportPath, IsWhateverIsNoWord) {
  EXPECT_TRUE(report_is_path("report.json"));
  for (const char* word : {"stderr", "none", ""}) EXPECT_FALSE(report_is_path(word)) << word;
}

TEST(ReportPath, MustBeAFileThatCanBeWritten) {
  const test::TempDir folder;
  const std::string there = folder.file("there", "", static_cast<std::filesystem::perms>(0644));
  const std::string here = folder.path().string();
  EXPECT_EQ(report_path_problem(there, here), "");
  EXPECT_EQ(report_path_problem(folder.path("new"), here), "");
  EXPECT_EQ(report_path_problem(here, "/"), kReportPathIsDirectory);
  EXPECT_EQ(report_path_problem("/nowhere/new", "/nowhere"),
            "can't be made in /nowhere: No such file or directory");
  EXPECT_EQ(report_path_problem(there + "/new", there),
            "can't be made in " + there + ": Permission denied");
}

}  // namespace
}  // namespace clockshim
