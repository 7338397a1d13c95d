// What the screen of `clockshim top` shows of a snapshot, without a terminal: which rows, in which
// order, and where the mark is. This process is the one that is looked at: it has a file mapped
// that is made by hand.
#include "cli/top/top_table.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "own_file.h"

namespace clockshim::cli {
namespace {

using test::OwnFile;
using test::TempDir;
constexpr std::size_t kWidth = 100;

class ATopTable : public testing::Test {
 protected:
  [[nodiscard]] bool shows(std::size_t row, const std::string& text) const {
    return row < table_.rows() && table_.line(row, kWidth).find(text) != std::string::npos;
  }

  TempDir dir_;
  OwnFile file_{dir_, "1.live", 1};
  Watch watch_;
  TopTable table_{watch_, {dir_.path().string()}, getpid()};
};

TEST_F(ATopTable, TheMarkStaysOnWhatItIsOn) {
  file_.count(1000, 50);
  table_.refresh();
  ASSERT_EQ(table_.rows(), 2U);
  ASSERT_TRUE(shows(0, "+0x10")) << "most calls first; no rates yet";
  table_.mark(1);
  file_.count(1001, 5000);
  table_.refresh();
  EXPECT_TRUE(shows(0, "+0x20")) << "it asks most now";
  EXPECT_EQ(table_.marked(), 0U) << "and has taken the mark with it";
}

TEST_F(ATopTable, TheMarkIsOnARow) {
  table_.refresh();
  table_.mark(17);
  EXPECT_EQ(table_.marked(), 1U);
  table_.filter("no such caller");
  EXPECT_EQ(table_.rows(), 0U);
  EXPECT_EQ(table_.marked(), 0U);
  table_.filter("");
  EXPECT_EQ(table_.rows(), 2U);
}

TEST_F(ATopTable, EachTableHasAnOrderOfItsOwn) {
  table_.refresh();
  const SortBy first = table_.sort();
  table_.sort_by_next();
  const SortBy second = table_.sort();
  EXPECT_NE(second, first);
  table_.show(0);
  EXPECT_EQ(table_.sort(), sort_columns(false).front()) << "of processes";
  table_.show(getpid());
  EXPECT_EQ(table_.sort(), second) << "of callers, as it was left";
  for (std::size_t i = 1; i < sort_columns(true).size(); ++i) table_.sort_by_next();
  EXPECT_EQ(table_.sort(), first) << "round and round";
}

TEST_F(ATopTable, GoesFromAProcessToItsCallersAndBack) {
  table_.show(0);
  ASSERT_EQ(table_.rows(), 1U);
  EXPECT_EQ(table_.process(), nullptr);
  EXPECT_EQ(table_.marked_process(), getpid());
  table_.filter("daemon");
  table_.show(table_.marked_process());
  EXPECT_EQ(table_.filter(), "") << "it was of the processes";
  EXPECT_EQ(table_.rows(), 2U);
  EXPECT_EQ(table_.marked_process(), 0) << "these are callers";
  ASSERT_NE(table_.process(), nullptr);
  EXPECT_EQ(table_.process()->pid, getpid());
}

TEST_F(ATopTable, WhatWasSeenOfAProcessThatIsGoneStays) {
  file_.count(1000, 50);
  table_.refresh();
  file_.count(2000, 50);
  table_.refresh();
  std::filesystem::remove(file_.path());
  table_.refresh();
  ASSERT_NE(table_.process(), nullptr);
  EXPECT_EQ(table_.process()->state, "gone");
  EXPECT_EQ(table_.process()->rate, 0);
  EXPECT_EQ(table_.process()->calls, 2050U);
  EXPECT_TRUE(shows(0, "2,000"));
}

}  // namespace
}  // namespace clockshim::cli
