// CPUID: what lies beyond the CPU's own leaves must not be taken for an answer. Intel CPUs give
// those of another leaf there.
#include "arch/cpu_features.h"

#include <gtest/gtest.h>

namespace clockshim {
namespace {

bool is_zero(const CpuidLeaf& l) { return (l.a | l.b | l.c | l.d) == 0; }

TEST(Cpuid, FirstLeafOfEachRangeTellsTheHighest) {
  EXPECT_GE(cpuid(0).a, 1U);
  EXPECT_GE(cpuid(0x80000000U).a, 0x80000001U);
  EXPECT_FALSE(is_zero(cpuid(1)));
  EXPECT_FALSE(is_zero(cpuid(0x80000001U)));
}

TEST(Cpuid, BeyondTheHighestIsNothing) {
  EXPECT_TRUE(is_zero(cpuid(cpuid(0).a + 1)));
  EXPECT_TRUE(is_zero(cpuid(cpuid(0x80000000U).a + 1)));
  EXPECT_TRUE(is_zero(cpuid(0x0fffffffU)));
}

TEST(Cpuid, GuestsHaveAHypervisorsLeaves) {
  if (in_virtual_machine()) {
    EXPECT_FALSE(is_zero(cpuid(0x40000000U)));
  }
}

}  // namespace
}  // namespace clockshim
