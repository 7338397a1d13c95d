// A folder is of use to its owner, whatever the umask is.
#include "os/make_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "../support/temp_dir.h"

namespace clockshim {
namespace {

mode_t mode_of(const std::string& path) {
  struct stat info;
  return lstat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

TEST(MakeFolder, GivesTheOwnerAllAndOthersNothing) {
  const test::TempDir parent;
  for (const mode_t mask : {0777, 0700, 0277, 0022, 0000}) {
    const std::string path = parent.path(std::to_string(mask));
    const mode_t before = umask(mask);
    const int error = make_own_folder(path.c_str());
    umask(before);
    EXPECT_EQ(error, 0) << std::oct << mask;
    EXPECT_EQ(mode_of(path), 0700U) << std::oct << mask;
  }
}

TEST(MakeFolder, LeavesWhatIsThere) {
  const test::TempDir parent;
  const std::string path = parent.path("there");
  ASSERT_EQ(mkdir(path.c_str(), 0500), 0);
  EXPECT_EQ(make_own_folder(path.c_str()), EEXIST);
  EXPECT_EQ(mode_of(path), 0500U);
  const std::string link = parent.path("link");
  ASSERT_EQ(symlink(path.c_str(), link.c_str()), 0);
  EXPECT_EQ(make_own_folder(link.c_str()), EEXIST);
  EXPECT_EQ(mode_of(path), 0500U);
  EXPECT_EQ(make_own_folder(parent.path("none/below").c_str()), ENOENT);
}

}  // namespace
}  // namespace clockshim
