#include "os/possible_cpus.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "os/kernel_line.h"

namespace clockshim {
namespace {

TEST(PossibleCpus, ListsAreCounted) {
  EXPECT_EQ(count_in_list("0"), 1U);
  EXPECT_EQ(count_in_list("0-1"), 2U);
  EXPECT_EQ(count_in_list("0-3,8,10-11"), 7U);
  EXPECT_EQ(count_in_list("0-255"), 256U);
}

TEST(PossibleCpus, WhatIsNoListCountsAsNone) {
  for (const char* text : {"", "-1", "0-", "3-1", "0,", "0;1", "0-1 ", "x", "99999999999"})
    EXPECT_EQ(count_in_list(text), 0U) << text;
}

TEST(PossibleCpus, AreWhatTheCLibraryCounts) {
  EXPECT_EQ(possible_cpus(), static_cast<unsigned>(sysconf(_SC_NPROCESSORS_CONF)));
}

TEST(KernelLine, IsTheFileWithoutItsLastNewline) {
  char buffer[64];
  EXPECT_EQ(kernel_line("/proc/sys/kernel/ostype", buffer), "Linux");
}

TEST(KernelLine, IsCutWhereTheBufferEnds) {
  char buffer[3];
  EXPECT_EQ(kernel_line("/proc/sys/kernel/ostype", buffer), "Lin");
}

TEST(KernelLine, IsEmptyForWhatCannotBeRead) {
  char buffer[64];
  EXPECT_EQ(kernel_line("/proc/no/such/file", buffer), "");
  EXPECT_EQ(kernel_line("/proc/self/mem", buffer), "");
  EXPECT_EQ(kernel_line("/proc", buffer), "");
}

}  // namespace
}  // namespace clockshim
