// The rule that leads from a frame to its caller's.
#include "callsite/stack.h"

#include <gtest/gtest.h>

namespace clockshim {
namespace {

TEST(FrameRule, SurvivesPacking) {
  for (const FrameRule rule :
       {FrameRule{8, 0, false}, FrameRule{16, -16, true}, FrameRule{4096, -32768, false},
        FrameRule{.cfa_offset = 16, .saved_frame = -16, .from_frame = true, .other_stack = true}}) {
    const FrameRule back = FrameRule::unpacked(rule.packed());
    EXPECT_EQ(back.cfa_offset, rule.cfa_offset);
    EXPECT_EQ(back.saved_frame, rule.saved_frame);
    EXPECT_EQ(back.from_frame, rule.from_frame);
    EXPECT_EQ(back.interpreted, rule.interpreted);
    EXPECT_EQ(back.other_stack, rule.other_stack);
    EXPECT_NE(rule.packed(), 0U) << "0 means: not written yet";
  }
}

TEST(FrameRule, FindsTheCallersFrame) {
  std::uintptr_t stack[8] = {0, 0, 0xbbbb, 0xcafe,
                             0};  // saved rbp at [2], return address at [3], CFA is &[4]
  const Frame frame{0x1234, reinterpret_cast<std::uintptr_t>(&stack[1]), 0x9999};
  const Frame caller = FrameRule{24, -16, false}.caller_of(frame);
  EXPECT_EQ(caller.pc, 0xcafeU);
  EXPECT_EQ(caller.frame, 0xbbbbU);
  EXPECT_EQ(caller.stack, reinterpret_cast<std::uintptr_t>(&stack[4]));
}

}  // namespace
}  // namespace clockshim
