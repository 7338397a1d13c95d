// How callers behind wrappers are found where nobody else tells: by the first instructions of a
// function, and by Go's own table. What is in the files of strangers must not lead astray.
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <gelf.h>
#include <gtest/gtest.h>
#include <link.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "../preload/run_host.h"
#include "callsite/stack.h"
#include "cli/inject/dynamic_image.h"
#include "cli/inject/image_bytes.h"
#include "os/descriptor.h"
#include "symbolize/go_functions.h"
#include "symbolize/prologue.h"
#include "symbolize/wrapper_code.h"

namespace clockshim {
namespace {

using Code = std::vector<std::uint8_t>;

struct OpenElf {
  explicit OpenElf(const std::string& path) : file(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    elf_version(EV_CURRENT);
    elf.reset(elf_begin(file.get(), ELF_C_READ, nullptr));
  }
  Descriptor file;
  std::unique_ptr<Elf, int (*)(Elf*)> elf{nullptr, elf_end};
};

// Calls f(address, size) for each function of a loaded file, where it is in memory. A function's
// cold part, which has a symbol of its own, does not begin where the function does.
template <class F>
void for_each_function(const std::string& path, std::uintptr_t bias, F f) {
  const OpenElf opened(path);
  Elf_Scn* section = nullptr;
  while ((section = elf_nextscn(opened.elf.get(), section)) != nullptr) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr ||
        (header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM))
      continue;
    Elf_Data* const data = elf_getdata(section, nullptr);
    GElf_Sym symbol;
    for (int i = 0; gelf_getsym(data, i, &symbol) != nullptr; ++i) {
      if (GELF_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_shndx != SHN_UNDEF &&
          symbol.st_size != 0 &&
          std::string_view(elf_strptr(opened.elf.get(), header.sh_link, symbol.st_name))
                  .find(".cold") == std::string_view::npos)
        f(bias + symbol.st_value, symbol.st_size);
    }
  }
}

// The unwind table says the same, of thousands of functions of this program and its libraries.
TEST(Prologue, IsAsTheUnwindTableHasIt) {
  long calls = 0;
  long wrong = 0;
  const auto look_at = [&](dl_phdr_info* info) {
    const std::string path = info->dlpi_name[0] == '\0' ? "/proc/self/exe" : info->dlpi_name;
    if (path.find("vdso") != std::string::npos) return;
    for_each_function(path, info->dlpi_addr, [&](std::uintptr_t at, std::size_t size) {
      for (const CallInPrologue& call :
           calls_in_prologue({reinterpret_cast<const std::uint8_t*>(at), size})) {
        FrameRule rule;
        // Code in assembly may have no table, or one that says that it can't be told.
        if (!learn_rule(at + call.at, rule) || rule.from_frame) continue;
        ++calls;
        if (rule.cfa_offset != call.cfa_offset || rule.saved_frame != call.saved_frame) {
          ++wrong;
          ADD_FAILURE() << path << " at " << std::hex << at - info->dlpi_addr << "+" << call.at
                        << std::dec << ": " << call.cfa_offset << ", " << call.saved_frame
                        << ", but the table has " << rule.cfa_offset << ", " << rule.saved_frame;
        }
        if (wrong > 10) return;
      }
    });
  };
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* f) {
        (*static_cast<decltype(look_at)*>(f))(info);
        return 0;
      },
      const_cast<void*>(static_cast<const void*>(&look_at)));
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(calls, 1'000);
}

TEST(Prologue, EndsWhereItIsNotCertain) {
  const Code moved_by_a_register{0x48, 0x29, 0xc4, 0xe8, 0, 0, 0, 0};  // sub %rax, %rsp
  EXPECT_TRUE(calls_in_prologue(moved_by_a_register).empty());
  const Code aligned{0x48, 0x83, 0xe4, 0xf0, 0xe8, 0, 0, 0, 0};  // and $-16, %rsp
  EXPECT_TRUE(calls_in_prologue(aligned).empty());
  const Code after_a_jump{0xeb, 0x02, 0xe8, 0, 0, 0, 0};
  EXPECT_TRUE(calls_in_prologue(after_a_jump).empty());
  const Code unknown{0x0f, 0x0b, 0xe8, 0, 0, 0, 0};
  EXPECT_TRUE(calls_in_prologue(unknown).empty());
  const Code cut{0x55, 0x48, 0x83, 0xec};
  EXPECT_TRUE(calls_in_prologue(cut).empty());
  EXPECT_TRUE(calls_in_prologue({}).empty());
}

TEST(Prologue, CountsWhatIsPushed) {
  // push %rbp; push %rbx; sub $8, %rsp; test %rax, %rax; je +2; call *%rax
  const Code code{0x55, 0x53, 0x48, 0x83, 0xec, 0x08, 0x48, 0x85, 0xc0, 0x74, 0x02, 0xff, 0xd0};
  const auto calls = calls_in_prologue(code);
  ASSERT_EQ(calls.size(), 1U);
  EXPECT_EQ(calls[0].at, code.size());
  EXPECT_EQ(calls[0].cfa_offset, 32);
  EXPECT_EQ(calls[0].saved_frame, -16);
}

TEST(Prologue, RandomBytesAreReadToTheirEndAtMost) {
  std::mt19937 random(4711);
  for (int i = 0; i < 200'000; ++i) {
    Code code(random() % 40);
    for (auto& byte : code) byte = static_cast<std::uint8_t>(random());
    for (const CallInPrologue& call : calls_in_prologue(code)) ASSERT_LE(call.at, code.size());
  }
}

std::string host(const char* name) { return test::host_path(name); }

TEST(GoTable, HasTheFunctionsOfAProgramAlsoOfAStrippedOne) {
  for (const char* name : {"asks_go", "asks_go_stripped"}) {
    const OpenElf opened(host(name));
    if (opened.elf == nullptr) GTEST_SKIP() << "no Go compiler was found";
    std::set<std::string> names;
    std::uint64_t last = 0;
    for (const GoFunction& function : read_go_functions(opened.elf.get())) {
      names.insert(function.name);
      EXPECT_GE(function.start, last);
      EXPECT_GE(function.end, function.start);
      last = function.start;
    }
    for (const char* wanted : {"main.asksNow", "main.asksSince", "main.main", "time.Now"})
      EXPECT_EQ(names.count(wanted), 1U) << wanted;
  }
}

// Each byte of the table's head, and many of the rest, is made another one.
TEST(GoTable, DamageIsNoReasonToReadElsewhere) {
  std::ifstream file(host("asks_go_stripped"), std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(file), {}};
  if (whole.empty()) GTEST_SKIP() << "no Go compiler was found";
  const std::size_t table =
      whole.find(std::string("\xf0\xff\xff\xff\0\0\1\x08", 8)) != std::string::npos
          ? whole.find(std::string("\xf0\xff\xff\xff\0\0\1\x08", 8))
          : whole.find(std::string("\xf1\xff\xff\xff\0\0\1\x08", 8));
  ASSERT_NE(table, std::string::npos);
  std::mt19937 random(815);
  for (int i = 0; i < 150; ++i) {
    std::string damaged = whole;
    const std::size_t at = i < 72 ? static_cast<std::size_t>(i) : random() % 100'000;
    damaged[table + at] = static_cast<char>(random());
    Elf* const elf = elf_memory(damaged.data(), damaged.size());
    ASSERT_NE(elf, nullptr);
    for (const GoFunction& function : read_go_functions(elf))
      ASSERT_LE(function.name.size(), damaged.size() - table);
    elf_end(elf);
  }
}

TEST(WrapperCode, OfStaticProgramsMuslAndGo) {
  EXPECT_FALSE(read_wrapper_file(host("asks_static")).wrappers.empty());
  EXPECT_TRUE(read_wrapper_file(host("asks_static_stripped")).wrappers.empty());
  EXPECT_TRUE(read_wrapper_file("/nowhere").wrappers.empty());
  EXPECT_TRUE(read_wrapper_file("/proc/self/maps").wrappers.empty());
  for (const char* name : {"asks_static", "asks_musl_static", "asks_go"}) {
    std::uint64_t last = 0;
    for (const WrapperStretch& stretch : read_wrapper_file(host(name)).wrappers) {
      EXPECT_GE(stretch.begin, last) << name;
      EXPECT_GT(stretch.end, stretch.begin) << name;
      last = stretch.end;
    }
  }
}

TEST(WrapperCode, RulesThatLeadAstrayAreNoRules) {
  for (const WrapperStretch& rule : {WrapperStretch{0, 1, 8, 0, false},
                                     {0, 1, 32, -16, false},
                                     {0, 1, 1024, -1024, false},
                                     {0, 1, 16, -16, true}})
    EXPECT_TRUE(is_plausible(rule)) << rule.cfa_offset << " " << rule.saved_frame;
  for (const WrapperStretch& rule : {WrapperStretch{0, 1, 0, 0, false},
                                     {0, 1, -8, 0, false},
                                     {0, 1, 1032, 0, false},
                                     {0, 1, 12, 0, false},
                                     {0, 1, 32, -8, false},
                                     {0, 1, 32, -40, false},
                                     {0, 1, 32, 16, false},
                                     {0, 1, 32, -20, false},
                                     {0, 1, 24, -16, true},
                                     {0, 1, 16, 0, true}})
    EXPECT_FALSE(is_plausible(rule)) << rule.cfa_offset << " " << rule.saved_frame;
}

// The command relocates it, and knows one kind of relocation.
TEST(DynamicImage, OursNeedsNoLoader) {
  const cli::DynamicImage image(cli::image_bytes());
  bool others = true;
  static_cast<void>(image.relative_relocations(others));
  EXPECT_FALSE(others);
  for (const char* name : {"clockshim_image_clock_gettime", "clockshim_image_gettimeofday",
                           "clockshim_image_entry", "clockshim_image_settings"})
    EXPECT_NE(image.find(name), 0U) << name;
  for (const Elf64_Phdr& segment : image.segments()) {
    EXPECT_NE(segment.p_type, static_cast<Elf64_Word>(PT_TLS));
    EXPECT_NE(segment.p_type, static_cast<Elf64_Word>(PT_INTERP));
    EXPECT_NE(segment.p_flags & (PF_W | PF_X), static_cast<Elf64_Word>(PF_W | PF_X));
  }
}

TEST(DynamicImage, WhatIsNoneHasNothing) {
  std::mt19937 random(42);
  const auto ours = cli::image_bytes();
  for (int i = 0; i < 2'000; ++i) {
    std::vector<std::byte> damaged(ours.begin(), ours.begin() + static_cast<int>(random() % 4096));
    for (int flips = 0; flips < 4 && !damaged.empty(); ++flips)
      damaged[random() % damaged.size()] = static_cast<std::byte>(random());
    const cli::DynamicImage image(damaged);
    bool others = false;
    const auto* const file = reinterpret_cast<const char*>(damaged.data());
    for (const auto& symbol : image.symbols()) {
      ASSERT_GE(symbol.name.data(), file);
      ASSERT_LE(symbol.name.data() + symbol.name.size(), file + damaged.size());
    }
    ASSERT_LE(image.relative_relocations(others).size(), damaged.size());
  }
}

}  // namespace
}  // namespace clockshim
