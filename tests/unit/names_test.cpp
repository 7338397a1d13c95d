// Names that no symbol table has: each once, as many as there is room for.
#include "live/names.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <vector>

#include "../support/at_once.h"

namespace clockshim::live {
namespace {

std::unique_ptr<Region> region_with(unsigned room) {
  auto region = std::make_unique<Region>();
  region->header.sections[static_cast<unsigned>(SectionId::names)].count = room;
  return region;
}

Name name_of(unsigned line) {
  Name name{};
  name.line = line;
  return name;
}

TEST(Names, EachKeyHasARecordOfItsOwn) {
  const auto region = region_with(kFewNames);
  bool fresh = false;
  std::set<unsigned> numbers;
  for (std::uint64_t key = 1; key <= kFewNames; ++key) {
    const unsigned number = number_of_name(
        *region, key * kFewNames, name_of(static_cast<unsigned>(key)), fresh);  // all in one place
    EXPECT_TRUE(fresh);
    EXPECT_LT(number, kFewNames);
    EXPECT_EQ(region->names[number].name.line, key);
    numbers.insert(number);
    EXPECT_EQ(number_of_name(*region, key * kFewNames, name_of(0), fresh), number);
    EXPECT_FALSE(fresh);
  }
  EXPECT_EQ(numbers.size(), kFewNames);
  EXPECT_EQ(number_of_name(*region, 1000 * kFewNames, name_of(1), fresh), kNames) << "it is full";
  EXPECT_EQ(region->names[kFewNames].state.load(), kFree) << "what is behind is not there";
}

TEST(Names, ThereIsNoRoomBeforeARegionIsDescribed) {
  const auto region = region_with(0);
  bool fresh = false;
  EXPECT_EQ(number_of_name(*region, 1, name_of(1), fresh), kNames);
  const auto damaged = region_with(1'000'000);
  EXPECT_EQ(room_for_names(*damaged), kNames);
}

TEST(Names, ThreadsAgree) {
  const auto region = region_with(kNames);
  std::vector<unsigned> numbers[4];
  test::at_once(4, 300, [&](unsigned thread, unsigned round) {
    bool fresh = false;
    const std::uint64_t key = std::uint64_t{round + 1} << 40;
    numbers[thread].push_back(number_of_name(*region, key, name_of(7), fresh));
  });
  for (const auto& other : numbers) EXPECT_EQ(other, numbers[0]);
  EXPECT_EQ(std::set<unsigned>(numbers[0].begin(), numbers[0].end()).size(), 300U);
}

}  // namespace
}  // namespace clockshim::live
