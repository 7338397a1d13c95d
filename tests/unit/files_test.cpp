// Files: named, read whole, and closed by their owner.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "../support/temp_dir.h"
#include "os/base_name.h"
#include "os/descriptor.h"
#include "os/read_file.h"

namespace clockshim {
namespace {

constexpr auto kPlain = static_cast<std::filesystem::perms>(0644);

bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

TEST(BaseName, IsWhatFollowsTheLastSlash) {
  EXPECT_EQ(base_name("/usr/bin/env"), "env");
  EXPECT_EQ(base_name("env"), "env");
  EXPECT_EQ(base_name("/usr/bin/"), "");
  EXPECT_EQ(base_name(""), "");
}

TEST(ReadFile, ReadsAllOfIt) {
  const test::TempDir folder;
  const std::string content(200'000, 'x');  // more than is read at once
  std::string text = "before ";
  EXPECT_EQ(read_file(folder.file("large", content, kPlain), text), 0);
  EXPECT_EQ(text, "before " + content);
  EXPECT_NE(content_of("/proc/self/maps"), "") << "the kernel says that it has no size";
}

TEST(ReadFile, TellsAnEmptyOneFromNone) {
  const test::TempDir folder;
  std::string text;
  EXPECT_EQ(read_file(folder.file("empty", "", kPlain), text), 0);
  EXPECT_EQ(read_file(folder.path("none"), text), ENOENT);
  EXPECT_EQ(read_file(folder.path("none/below"), text), ENOENT);
  EXPECT_EQ(read_file(folder.path().string(), text), EISDIR);
  EXPECT_EQ(text, "");
  EXPECT_EQ(content_of(folder.path("none")), "");
}

TEST(ReadFile, KeepsNoMoreThanItMay) {
  const test::TempDir folder;
  const std::string path = folder.file("four", "1234", kPlain);
  for (const auto& [most, error] : {std::pair{5, 0}, {4, 0}, {3, EFBIG}, {0, EFBIG}}) {
    std::string text;
    EXPECT_EQ(read_file(path, text, static_cast<std::size_t>(most)), error) << most;
    EXPECT_EQ(text, std::string("1234").substr(0, static_cast<std::size_t>(most)));
  }
}

TEST(Descriptor, IsClosedOnce) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const Descriptor other(ends[1]);
  {
    Descriptor first(ends[0]);
    const Descriptor second(std::move(first));
    EXPECT_TRUE(is_open(ends[0]));
    EXPECT_EQ(second.get(), ends[0]);
  }
  EXPECT_FALSE(is_open(ends[0]));
  EXPECT_TRUE(is_open(ends[1]));
  EXPECT_LT(Descriptor().get(), 0);
}

}  // namespace
}  // namespace clockshim
