// Rules from unwind tables: right ones from a table that is written by hand, and from tables with
// any mistake in them nothing worse than a wrong rule: what stands outside of the module is not
// read.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <random>
#include <vector>

#include "base/left_behind.h"
#include "callsite/stack.h"
#include "os/module.h"

namespace clockshim {
namespace {

constexpr std::size_t kSize = 512;
constexpr std::size_t kFunction = 256;  // where the function stands, from the module's beginning
constexpr std::size_t kFunctionSize = 64;

// A module of 512 bytes that ends where nothing is mapped: a table, its header, a function without
// code.
class MadeModule {
 public:
  MadeModule() : page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
    memory_ =
        static_cast<char*>(mmap(nullptr, 3 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(memory_ + page_, page_, PROT_READ | PROT_WRITE);
    start_ = reinterpret_cast<std::uint8_t*>(memory_ + 2 * page_ - kSize);
    module_.map_start = reinterpret_cast<std::uintptr_t>(start_);
    module_.map_end = module_.map_start + kSize;
    module_.unwind_header = start_;
    write_usual();
  }
  ~MadeModule() { munmap(memory_, 3 * page_); }
  MadeModule(const MadeModule&) = delete;
  MadeModule& operator=(const MadeModule&) = delete;

  void write_usual() {
    std::memset(start_, 0, kSize);
    put(0, std::vector<std::uint8_t>{1, 0x1B, 0x03, 0x3B});
    put(4, std::int32_t{60});
    put(8, std::uint32_t{1});  // one function
    put(12, std::int32_t{kFunction});
    put(16, std::int32_t{128});
    // The common entry: "zR", addresses seen from their own place; CFA = rsp + 8, the return
    // address at CFA - 8.
    put(64, std::uint32_t{20});
    put(68, std::uint32_t{0});
    put(72,
        std::vector<std::uint8_t>{1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x1B, 0x0C, 7, 8, 0x90, 1, 0, 0});
    // push rbp; mov rsp, rbp; ...; pop rbp; ret; and on as before the pop.
    put(128, std::uint32_t{40});
    put(132, std::uint32_t{132 - 64});
    put(136, std::int32_t{static_cast<std::int32_t>(kFunction) - 136});
    put(140, std::uint32_t{kFunctionSize});
    put(144, std::vector<std::uint8_t>{0, 0x41, 0x0E, 16, 0x86, 2, 0x43, 0x0D, 6, 0x02, 20, 0x0A,
                                       0x0C, 7, 8, 0xC6, 0x41, 0x0B});
  }

  template <class T>
  void put(std::size_t at, T value) {
    std::memcpy(start_ + at, &value, sizeof value);
  }
  void put(std::size_t at, const std::vector<std::uint8_t>& bytes) {
    std::memcpy(start_ + at, bytes.data(), bytes.size());
  }

  // At a call `offset` bytes into the function; the return address is behind it.
  bool rule_at(std::size_t offset, FrameRule& out) const {
    return rule_from_table(module_, module_.map_start + kFunction + offset + 1, out);
  }
  [[nodiscard]] std::uint8_t* bytes() const { return start_; }

 private:
  std::size_t page_;
  char* memory_;
  std::uint8_t* start_;
  Module module_;
};

void expect_rule(const MadeModule& module, std::size_t offset, bool from_frame, int cfa,
                 int saved) {
  FrameRule rule;
  ASSERT_TRUE(module.rule_at(offset, rule)) << offset;
  EXPECT_EQ(rule.from_frame, from_frame) << offset;
  EXPECT_EQ(rule.cfa_offset, cfa) << offset;
  EXPECT_EQ(rule.saved_frame, saved) << offset;
}

TEST(UnwindTable, EachPlaceInAFunctionHasItsRule) {
  const MadeModule module;
  expect_rule(module, 0, false, 8, 0);
  expect_rule(module, 1, false, 16, -16);
  expect_rule(module, 4, true, 16, -16);
  expect_rule(module, 23, true, 16, -16);
  expect_rule(module, 24, false, 8, 0);  // behind the pop
  expect_rule(module, 25, true, 16, -16);
  expect_rule(module, kFunctionSize - 1, true, 16, -16);
  FrameRule none;
  EXPECT_FALSE(module.rule_at(kFunctionSize, none)) << "behind the function";
  EXPECT_FALSE(module.rule_at(static_cast<std::size_t>(-1), none)) << "before it";
}

TEST(UnwindTable, WhatIsNotPlainlyUnderstoodIsNoRule) {
  struct Change {
    std::size_t at;
    std::uint8_t byte;
    const char* what;
  };
  for (const auto& [at, byte, what] :
       {Change{1, 0x50, "another encoding of the header"}, Change{74, 'S', "the frame of a signal"},
        Change{72, 9, "another version"}, Change{78, 17, "another return address"},
        Change{82, 3, "a CFA from rbx"}, Change{85, 2, "the return address elsewhere"},
        Change{145, 0x3F, "an instruction that is not known"},
        Change{147, 7, "a CFA at the return address"}}) {
    MadeModule module;
    FrameRule rule;
    ASSERT_TRUE(module.rule_at(1, rule));
    module.bytes()[at] = byte;
    EXPECT_FALSE(module.rule_at(1, rule)) << what;
  }
}

TEST(UnwindTable, AWrongTableIsNotFollowedOutOfTheModule) {
  MadeModule module;
  std::mt19937 random(1);
  long rules = 0;
  for (int i = 0; i < 200'000; ++i) {
    module.write_usual();
    for (unsigned changes = 1 + random() % 4; changes > 0; --changes)
      module.bytes()[random() % 176] = static_cast<std::uint8_t>(random());
    FrameRule rule;
    if (!module.rule_at(random() % kFunctionSize, rule)) continue;
    ++rules;
    ASSERT_GE(rule.cfa_offset, 8);
    ASSERT_LE(rule.cfa_offset, 1 << 20);
    ASSERT_LE(rule.saved_frame, 0);
  }
  EXPECT_GT(rules, 1000);
}

// Frames that are alive have no address in common.
TEST(LeftBehind, ANoteInOwnFramesIsOfSomebodyWhoIsGone) {
  EXPECT_TRUE(is_left_behind(0x1000, 0x1000, 0x2000));
  EXPECT_TRUE(is_left_behind(0x1FF8, 0x1000, 0x2000));
  EXPECT_FALSE(is_left_behind(0x2000, 0x1000, 0x2000));
  EXPECT_FALSE(is_left_behind(0x0FF8, 0x1000, 0x2000));
  EXPECT_FALSE(is_left_behind(0, 0x1000, 0x2000)) << "nobody has noted anything yet";
  EXPECT_FALSE(is_left_behind(0x1500, 0x2000, 0x1000)) << "on two stacks";
}

}  // namespace
}  // namespace clockshim
