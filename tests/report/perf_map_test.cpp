// Maps of generated code: what is in them, and whose are believed.
#include "symbolize/perf_map.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace clockshim {
namespace {

std::string name_at(const PerfMap& map, std::uint64_t address) {
  std::uint64_t offset = 0;
  const std::string* name = map.at(address, offset);
  return name == nullptr ? "" : *name + "+" + std::to_string(offset);
}

TEST(PerfMap, FindsTheFunctionAroundAnAddress) {
  const PerfMap map("7f00 100 Clock.tick(long)\n0x8000 10 py::now:/srv/app.py\n");
  EXPECT_EQ(name_at(map, 0x7f00), "Clock.tick(long)+0");
  EXPECT_EQ(name_at(map, 0x7fff), "Clock.tick(long)+255");
  EXPECT_EQ(name_at(map, 0x8000), "py::now:/srv/app.py+0");
  EXPECT_EQ(name_at(map, 0x8010), "");
  EXPECT_EQ(name_at(map, 0x7eff), "");
}

TEST(PerfMap, CodeThatWasReplacedHasItsNewName) {
  const PerfMap map("1000 100 a\n2000 100 b\n1080 1000 c\n");
  EXPECT_EQ(name_at(map, 0x1000), "") << "a is gone, as a whole";
  EXPECT_EQ(name_at(map, 0x1080), "c+0");
  EXPECT_EQ(name_at(map, 0x2010), "c+3984");
}

TEST(PerfMap, NonsenseIsPassedOver) {
  const PerfMap map(
      "\n\nzz 10 a\n1000\n1000 10\n1000 10 \n1000 0 b\nffffffffffffffff 10 c\n3000 10 d");
  EXPECT_EQ(name_at(map, 0x1000), "");
  EXPECT_EQ(name_at(map, 0x3000), "d+0") << "a last line without its end";
  EXPECT_TRUE(PerfMap("").empty());
}

class PerfMapFile : public testing::Test {
 protected:
  PerfMapFile() {
    char name[] = "/tmp/clockshim-test-XXXXXX";
    folder_ = mkdtemp(name);
    std::ofstream(path()) << "1000 10 a\n";
  }
  ~PerfMapFile() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::string path() const { return folder_ + "/perf-1.map"; }
  std::string read(uid_t owner, double started_at = 0) {
    return read_perf_map(path(), owner, started_at, problem_);
  }

  std::string folder_;
  std::string problem_;
};

TEST_F(PerfMapFile, OfTheOwnerIsRead) {
  EXPECT_EQ(read(geteuid()), "1000 10 a\n");
  EXPECT_EQ(problem_, "");
}

TEST_F(PerfMapFile, OfSomebodyElseIsNotBelieved) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  ASSERT_EQ(chown(path().c_str(), 4711, 4711), 0);
  EXPECT_EQ(read(4712), "");
  EXPECT_EQ(problem_, path() + " is not believed: it belongs to another user than the process");
  EXPECT_EQ(read(4711), "1000 10 a\n");
}

TEST_F(PerfMapFile, OfAnEarlierProcessIsNotBelieved) {
  struct stat info {};
  ASSERT_EQ(stat(path().c_str(), &info), 0);
  EXPECT_EQ(read(geteuid(), static_cast<double>(info.st_mtim.tv_sec) + 10), "");
  EXPECT_EQ(problem_, path() + " is not believed: it is older than the process");
  EXPECT_NE(read(geteuid(), static_cast<double>(info.st_mtim.tv_sec) - 10), "");
}

TEST_F(PerfMapFile, ASymbolicLinkOrAPipeIsNotRead) {
  std::filesystem::remove(path());
  std::filesystem::create_symlink("/etc/passwd", path());
  EXPECT_EQ(read(geteuid()), "");
  std::filesystem::remove(path());
  ASSERT_EQ(mkfifo(path().c_str(), 0600), 0);
  EXPECT_EQ(read(geteuid()), "");
  EXPECT_NE(problem_, "");
}

}  // namespace
}  // namespace clockshim
