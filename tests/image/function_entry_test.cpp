// A jump at a function's beginning, and what it displaces: it has to do the same elsewhere.
#include "cli/inject/function_entry.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <ctime>
#include <random>
#include <span>
#include <vector>

#include "cli/inject/memory_map.h"
#include "cli/inject/vdso.h"

namespace clockshim::cli {
namespace {

using Code = std::vector<std::uint8_t>;

std::uint64_t address(const void* at) { return reinterpret_cast<std::uint64_t>(at); }

// A page that can be written and run, near to another one.
class Page {
 public:
  explicit Page(std::uint64_t near = 0) {
    void* at = nullptr;
    if (near != 0) {
      const auto places = room_near(memory_map_of(getpid()), near, kSize);
      if (!places.empty()) at = reinterpret_cast<void*>(places.front());
    }
    memory_ = static_cast<std::uint8_t*>(
        mmap(at, kSize, PROT_READ | PROT_WRITE | PROT_EXEC,
             MAP_PRIVATE | MAP_ANONYMOUS | (at != nullptr ? MAP_FIXED_NOREPLACE : 0), -1, 0));
    EXPECT_NE(memory_, MAP_FAILED);
  }
  ~Page() { munmap(memory_, kSize); }
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;

  [[nodiscard]] std::uint64_t at() const { return address(memory_); }
  void write(std::span<const std::uint8_t> code) { std::copy(code.begin(), code.end(), memory_); }
  template <class F>
  [[nodiscard]] F as() const {
    return reinterpret_cast<F>(memory_);
  }

 private:
  static constexpr std::size_t kSize = 4096;
  std::uint8_t* memory_ = nullptr;
};

// f(x), as compilers begin it: endbr64; cmp $9, %edi; ja 1f; lea 1(%rdi), %eax; ret; 1: lea data
Code with_condition() {
  return {0xf3, 0x0f, 0x1e, 0xfa,               // endbr64
          0x83, 0xff, 0x09,                     // cmp $9, %edi
          0x77, 0x04,                           // ja +4
          0x8d, 0x47, 0x01,                     // lea 1(%rdi), %eax
          0xc3,                                 // ret
          0xb8, 0x4d, 0x00, 0x00, 0x00, 0xc3};  // mov $77, %eax; ret
}

TEST(FunctionEntry, AConditionalJumpLeadsWhereItDid) {
  Code code = with_condition();
  code.erase(code.begin(), code.begin() + 4);
  for (const bool with_endbr : {false, true}) {
    const Code function = with_endbr ? with_condition() : code;
    Page original;
    original.write(function);
    Page elsewhere(original.at());
    ASSERT_TRUE(takes_jump(function));
    const Code moved = moved_entry(function, original.at(), elsewhere.at()).code;
    ASSERT_FALSE(moved.empty());
    elsewhere.write(moved);
    original.write(Code(kJumpSize, 0xcc));  // what is displaced is not run any more
    for (const int x : {0, 5, 9, 10, 1'000})
      EXPECT_EQ(elsewhere.as<int (*)(int)>()(x), x <= 9 ? x + 1 : 77);
  }
}

TEST(FunctionEntry, AnAddressFromTheInstructionStaysTheSame) {
  // push %rbp; lea 16(%rip), %rax; pop %rbp; ret
  const Code function{0x55, 0x48, 0x8d, 0x05, 0x10, 0x00, 0x00, 0x00, 0x5d, 0xc3};
  Page original;
  original.write(function);
  Page elsewhere(original.at());
  const Code moved = moved_entry(function, original.at(), elsewhere.at()).code;
  elsewhere.write(moved);
  original.write(Code(kJumpSize, 0xcc));
  EXPECT_EQ(elsewhere.as<std::uint64_t (*)()>()(), original.at() + 8 + 16);
}

TEST(FunctionEntry, TheKernelsOwnFunctionsGoOnElsewhere) {
  const Vdso& vdso = own_vdso();
  const VdsoFunction function = find_function(vdso, "clock_gettime");
  ASSERT_NE(function.at, 0U);
  EXPECT_TRUE(takes_jump(function.code));
  EXPECT_TRUE(takes_jump(find_function(vdso, "gettimeofday").code));
  Page elsewhere(function.at);
  ASSERT_TRUE(within_jump(function.at, elsewhere.at()));
  const Code moved = moved_entry(function.code, function.at, elsewhere.at()).code;
  ASSERT_FALSE(moved.empty()) << "the system call would do, but slowly";
  elsewhere.write(moved);
  timespec before{};
  timespec served{};
  timespec after{};
  clock_gettime(CLOCK_MONOTONIC, &before);
  EXPECT_EQ(elsewhere.as<int (*)(clockid_t, timespec*)>()(CLOCK_MONOTONIC, &served), 0);
  clock_gettime(CLOCK_MONOTONIC, &after);
  const auto ns = [](const timespec& t) { return t.tv_sec * 1'000'000'000L + t.tv_nsec; };
  EXPECT_LE(ns(before), ns(served));
  EXPECT_LE(ns(served), ns(after));
}

TEST(FunctionEntry, AFunctionThatLeadsBackToItsBeginningTakesNoJump) {
  Code loop(64, 0x90);
  EXPECT_TRUE(takes_jump(loop));
  for (const int to : {0, 1, 4}) {
    Code near = loop;
    near[20] = 0xeb;  // jmp
    near[21] = static_cast<std::uint8_t>(to - 22);
    EXPECT_FALSE(takes_jump(near));
    near[20] = 0x75;  // jne
    EXPECT_FALSE(takes_jump(near));
    Code far = loop;
    far[20] = 0x0f;
    far[21] = 0x85;
    const int by = to - 26;
    std::memcpy(&far[22], &by, sizeof by);
    EXPECT_FALSE(takes_jump(far));
  }
  loop[20] = 0xeb;
  loop[21] = static_cast<std::uint8_t>(5 - 22);
  EXPECT_TRUE(takes_jump(loop));
  EXPECT_FALSE(takes_jump(std::span(loop).first(4)));
}

TEST(FunctionEntry, WhatIsNotKnownIsNotMoved) {
  for (const Code& code : {Code{0xe8, 0, 0, 0, 0, 0xc3},        // call
                           Code{0xff, 0x25, 0, 0, 0, 0, 0xc3},  // jmp *(%rip)
                           Code{0x0f, 0x31, 0x90, 0x90, 0x90},  // rdtsc
                           Code{0x55}, Code{}})
    EXPECT_TRUE(moved_entry(code, 0x10000, 0x20000).code.empty());
}

TEST(FunctionEntry, RandomBytesAreReadToTheirEndAtMost) {
  std::mt19937 random(4711);
  for (int i = 0; i < 200'000; ++i) {
    Code code(random() % 24);
    for (std::uint8_t& byte : code) byte = static_cast<std::uint8_t>(random());
    const Code moved = moved_entry(code, 0x7000'0000'0000, 0x7000'1000'0000).code;
    takes_jump(code);
    if (!moved.empty()) {
      ASSERT_LE(moved.size(), 64U);
    }
  }
}

TEST(FunctionEntry, RoomIsFreeAndNear) {
  const std::vector<MappedRange> map{{0x400000, 0x500000, "r-xp", "/a"},
                                     {0x510000, 0x600000, "rw-p", ""},
                                     {0x7ffe'0000'0000, 0x7ffe'0010'0000, "rw-p", "[stack]"},
                                     {0x7ffe'0020'0000, 0x7ffe'0020'2000, "r-xp", "[vdso]"}};
  constexpr std::uint64_t kSize = 0x8000;
  const auto rooms = room_near(map, 0x7ffe'0020'0000, kSize);
  ASSERT_FALSE(rooms.empty());
  EXPECT_EQ(rooms.at(0), 0x7ffe'0020'2000);
  EXPECT_EQ(rooms.at(1), 0x7ffe'0020'0000 - kSize);
  for (const std::uint64_t room : rooms) {
    for (const MappedRange& range : map)
      EXPECT_TRUE(room + kSize <= range.begin || room >= range.end) << std::hex << room;
    EXPECT_FALSE(room + kSize > 0x7ffd'0000'0000 && room < 0x7ffe'0000'0000)
        << "the stack may grow there";
  }
}

}  // namespace
}  // namespace clockshim::cli
