// What the kernel reports about a process.
#include "os/process.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "os/read_file.h"

namespace clockshim {
namespace {

TEST(StartTicks, StandBehindAnyName) {
  const std::string rest = " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 98765 20 21";
  EXPECT_EQ(start_ticks_in("17 (sh)" + rest), 98765U);
  EXPECT_EQ(start_ticks_in("17 (a b) c ) S 1 (x)" + rest), 98765U);
}

TEST(StartTicks, AreZeroWithoutTheField) {
  EXPECT_EQ(start_ticks_in("17 (sh) S 1 2"), 0U);
  EXPECT_EQ(start_ticks_in("17 (sh"), 0U);
  EXPECT_EQ(start_ticks_in("17 (sh) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 x 20"), 0U);
  EXPECT_EQ(start_ticks_in("17 (sh) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 "), 0U);
  EXPECT_EQ(start_ticks_in(""), 0U);
}

TEST(StartTicks, OfThisProcess) {
  EXPECT_NE(process_start_ticks(), 0U);
  EXPECT_EQ(process_start_ticks(),
            start_ticks_in(content_of("/proc/" + std::to_string(getpid()) + "/stat")));
}

TEST(Executable, IsThisProgram) {
  EXPECT_EQ(executable_path(), std::filesystem::read_symlink("/proc/self/exe").string());
}

}  // namespace
}  // namespace clockshim
