// Why: the file itself is a promise. What it exports takes over the host's symbols; what it needs is loaded into the host;
// its TLS must fit the small reserve that the loader keeps; and it is small.
#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <set>

#include "run_host.h"

namespace clockshim::test {
namespace {

// As much of ELF as this needs: the file is our own build's, so it is well formed.
class Elf {
 public:
  explicit Elf(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
    if (bytes_.size() < sizeof(Elf64_Ehdr)) throw std::runtime_error(path + " is no ELF file");
  }

  [[nodiscard]] std::vector<Elf64_Phdr> segments() const { return table<Elf64_Phdr>(header().e_phoff, header().e_phnum); }

  [[nodiscard]] std::set<std::string> exports() const {
    std::set<std::string> names;
    for (const auto& section : sections(SHT_DYNSYM)) {
      const std::uint64_t strings = all_sections()[section.sh_link].sh_offset;
      for (const auto& symbol : table<Elf64_Sym>(section.sh_offset, section.sh_size / sizeof(Elf64_Sym))) {
        const bool is_exported = symbol.st_shndx != SHN_UNDEF && ELF64_ST_BIND(symbol.st_info) != STB_LOCAL;
        if (is_exported) names.insert(&bytes_[strings + symbol.st_name]);
      }
    }
    return names;
  }

  [[nodiscard]] std::set<std::string> needed() const {
    std::set<std::string> names;
    for (const auto& section : sections(SHT_DYNAMIC)) {
      const std::uint64_t strings = all_sections()[section.sh_link].sh_offset;
      for (const auto& entry : table<Elf64_Dyn>(section.sh_offset, section.sh_size / sizeof(Elf64_Dyn))) {
        if (entry.d_tag == DT_NEEDED) names.insert(&bytes_[strings + entry.d_un.d_val]);
      }
    }
    return names;
  }

 private:
  template <class T>
  [[nodiscard]] std::vector<T> table(std::uint64_t offset, std::uint64_t count) const {
    std::vector<T> entries(count);
    std::memcpy(entries.data(), &bytes_.at(offset), count * sizeof(T));
    return entries;
  }
  [[nodiscard]] Elf64_Ehdr header() const { return table<Elf64_Ehdr>(0, 1)[0]; }
  [[nodiscard]] std::vector<Elf64_Shdr> all_sections() const { return table<Elf64_Shdr>(header().e_shoff, header().e_shnum); }
  [[nodiscard]] std::vector<Elf64_Shdr> sections(std::uint32_t type) const {
    std::vector<Elf64_Shdr> found;
    for (const auto& section : all_sections()) {
      if (section.sh_type == type) found.push_back(section);
    }
    return found;
  }

  std::vector<char> bytes_;
};

// And one of its own, by which it has the loader call it (src/preload/unloading.cpp).
TEST(LibraryFile, ExportsTheInterposedFunctionsAndNothingElse) {
  EXPECT_EQ(Elf(shim_path()).exports(),
            (std::set<std::string>{"adjtime", "adjtimex", "clock_adjtime", "clock_gettime",
                                   "clock_settime", "clockshim_under_loader_lock", "dlclose",
                                   "gettimeofday", "ntp_adjtime", "settimeofday", "timespec_get"}));
}

TEST(LibraryFile, NeedsTheCLibraryOnly) {
  for (const auto& name : Elf(shim_path()).needed()) {
    const bool is_libc = name == "libc.so.6" || name == "ld-linux-x86-64.so.2" || name == "libdl.so.2" || name == "libm.so.6";
    EXPECT_TRUE(is_libc) << name << " would be loaded into every host";
  }
}

TEST(LibraryFile, TlsFitsTheLoadersReserve) {
  for (const auto& segment : Elf(shim_path()).segments()) {
    if (segment.p_type == PT_TLS) {
      EXPECT_LE(segment.p_memsz, 1024U);
    }
  }
}

TEST(LibraryFile, NoExecutableStackAndNoWritableCode) {
  for (const auto& segment : Elf(shim_path()).segments()) {
    const bool code = (segment.p_flags & PF_X) != 0;
    if (segment.p_type == PT_GNU_STACK) {
      EXPECT_FALSE(code);
    }
    if (segment.p_type == PT_LOAD) {
      EXPECT_FALSE(code && (segment.p_flags & PF_W) != 0);
    }
  }
}

TEST(LibraryFile, IsSmall) {
  // What strip leaves: what is loaded, and section headers.
  std::uint64_t loaded = 0;
  for (const auto& segment : Elf(shim_path()).segments()) {
    if (segment.p_type == PT_LOAD) loaded = std::max<std::uint64_t>(loaded, segment.p_offset + segment.p_filesz);
  }
  EXPECT_GT(loaded, 0U);
  EXPECT_LE(loaded + 4096, 1536U << 10);
}

}  // namespace
}  // namespace clockshim::test
