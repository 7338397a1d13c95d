// The records of sampled stacks: each stack's once, with all its samples.
#include "callsite/full_stacks.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>

#include "../support/at_once.h"
#include "callsite_parts.h"

namespace clockshim {
namespace {

TEST(FullStacksTest, ThreadsThatKeepTheSameStacksMakeEachOnce) {
  constexpr unsigned kKept = 256;
  const auto region = std::make_unique<live::Region>();
  region->header.sections[static_cast<unsigned>(live::SectionId::stacks)].count = live::kStacks;
  const auto stacks = std::make_unique<FullStacks>();
  test::at_once(4, kKept, [&](unsigned, unsigned round) {
    const std::uint64_t frames[] = {0x1000 + round, 0x20, 0x30};
    stacks->keep(*region, key_of(0x1000 + round), frames, 3, round % 2 != 0);
  });
  unsigned complete = 0;
  for (const live::StackRecord& record : region->stacks) {
    if (record.key.load() == 0) continue;
    ++complete;
    EXPECT_EQ(record.state.load(), live::kValid);
    EXPECT_EQ(record.samples.load(), 4U);
    EXPECT_EQ(record.depth, 3);
    EXPECT_EQ(record.cut, (record.pc[0] - 0x1000) % 2);
    EXPECT_EQ(record.pc[2], 0x30U);
  }
  EXPECT_EQ(complete, kKept);
  EXPECT_EQ(region->shared.dropped_samples.load(), 0U);
}

}  // namespace
}  // namespace clockshim
