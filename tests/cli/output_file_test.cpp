// A file that the command writes is whole or not there at all, and stays whose it was.
#include "cli/console/output_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "os/read_file.h"
#include "run_command.h"

namespace clockshim::cli {
namespace {

using test::TempDir;

mode_t mode_of(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

TEST(OutputFile, IsMadeWithTheModeOfNewFiles) {
  const TempDir folder;
  const mode_t before = umask(027);
  EXPECT_EQ(write_file(folder.path("new"), "content"), 0);
  umask(before);
  EXPECT_EQ(content_of(folder.path("new")), "content");
  EXPECT_EQ(mode_of(folder.path("new")), 0640U);
  EXPECT_EQ(folder.files(), 1U) << "the temporary file is left";
}

TEST(OutputFile, IsReplacedAndKeepsItsMode) {
  const TempDir folder;
  const std::string path =
      folder.file("there", "longer than before", static_cast<std::filesystem::perms>(0604));
  ASSERT_EQ(symlink("there", folder.path("link").c_str()), 0);
  EXPECT_EQ(write_file(folder.path("link"), "new"), 0);
  EXPECT_EQ(content_of(path), "new");
  EXPECT_EQ(mode_of(path), 0604U);
  EXPECT_TRUE(std::filesystem::is_symlink(folder.path("link")));
  EXPECT_EQ(folder.files(), 2U);
}

TEST(OutputFile, MayBeADeviceAndSaysWhyNot) {
  EXPECT_EQ(write_file("/dev/null", "content"), 0);
  EXPECT_EQ(write_file("/nowhere/file", "content"), ENOENT);
  EXPECT_EQ(write_file("/dev/full", "content"), ENOSPC);
}

}  // namespace
}  // namespace clockshim::cli
