// Why: the file itself is a promise. What it exports takes over the host's symbols; what it needs
// is loaded into the host; its TLS must fit the small reserve that the loader keeps; and it is
// small.
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

  [[nodiscard]] std::vector<Elf64_Phdr> segments() const {
    return table<Elf64_Phdr>(header().e_phoff, header().e_phnum);
  }

  [[nodiscard]] std::set<std::string> exports() const { return dynamic_symbols(true); }
  [[nodiscard]] std::set<std::string> imports() const { return dynamic_symbols(false); }

  [[nodiscard]] std::set<std::string> needed() const {
    std::set<std::string> names;
    for (const auto& section : sections(SHT_DYNAMIC)) {
      const std::uint64_t strings = all_sections()[section.sh_link].sh_offset;
      for (const auto& entry :
           table<Elf64_Dyn>(section.sh_offset, section.sh_size / sizeof(Elf64_Dyn))) {
        if (entry.d_tag == DT_NEEDED) names.insert(&bytes_[strings + entry.d_un.d_val]);
      }
    }
    return names;
  }

 private:
  [[nodiscard]] std::set<std::string> dynamic_symbols(bool defined) const {
    std::set<std::string> names;
    for (const auto& section : sections(SHT_DYNSYM)) {
      const std::uint64_t strings = all_sections()[section.sh_link].sh_offset;
      for (const auto& symbol :
           table<Elf64_Sym>(section.sh_offset, section.sh_size / sizeof(Elf64_Sym))) {
        const bool local = ELF64_ST_BIND(symbol.st_info) == STB_LOCAL;
        if (!local && (symbol.st_shndx != SHN_UNDEF) == defined)
          names.insert(&bytes_[strings + symbol.st_name]);
      }
    }
    return names;
  }

  template <class T>
  [[nodiscard]] std::vector<T> table(std::uint64_t offset, std::uint64_t count) const {
    std::vector<T> entries(count);
    std::memcpy(entries.data(), &bytes_.at(offset), count * sizeof(T));
    return entries;
  }
  [[nodiscard]] Elf64_Ehdr header() const { return table<Elf64_Ehdr>(0, 1)[0]; }
  [[nodiscard]] std::vector<Elf64_Shdr> all_sections() const {
    return table<Elf64_Shdr>(header().e_shoff, header().e_shnum);
  }
  [[nodiscard]] std::vector<Elf64_Shdr> sections(std::uint32_t type) const {
    std::vector<Elf64_Shdr> found;
    for (const auto& section : all_sections()) {
      if (section.sh_type == type) found.push_back(section);
    }
    return found;
  }

  std::vector<char> bytes_;
};

// And two by which it is called when modules come and go (src/preload/).
TEST(LibraryFile, ExportsTheInterposedFunctionsAndNothingElse) {
  EXPECT_EQ(Elf(shim_path()).exports(),
            (std::set<std::string>{"__gmon_start__", "adjtime", "adjtimex", "clock_adjtime",
                                   "clock_gettime", "clock_settime", "clockshim_under_loader_lock",
                                   "dlclose", "gettimeofday", "ntp_adjtime", "prctl",
                                   "settimeofday", "syscall", "timespec_get"}));
}

// Whatever is called here may be somebody else's by the time it is called, or find a lock held:
// memory, stdio, locale and strings are our own. What may be added is asynchronous-signal-safe, or
// called at start only, or never.
TEST(LibraryFile, TakesLittleOfTheCLibrary) {
  const std::set<std::string> at_start{"__libc_stack_end", "__register_atfork",
                                       "clock_getres",     "dl_iterate_phdr",
                                       "fnmatch",          "getauxval",
                                       "getenv",           "program_invocation_short_name",
                                       "__progname",       "strtol",
                                       "strtoull",         "sysconf"};
  const std::set<std::string> anywhere{"__errno_location", "__tls_get_addr", "prctl",
                                       "pthread_self",     "snprintf",       "syscall"};
  // spdlog's, for messages with a time and for errors of its own; of the compiler's own start-up
  // files; assert().
  const std::set<std::string> never{"localtime_r",
                                    "gmtime_r",
                                    "pthread_mutex_lock",
                                    "pthread_mutex_unlock",
                                    "_ITM_deregisterTMCloneTable",
                                    "_ITM_registerTMCloneTable",
                                    "__cxa_finalize",
                                    "__cxa_atexit",
                                    "__assert_fail"};
  for (const auto& name : Elf(shim_path()).imports()) {
    EXPECT_EQ(at_start.count(name) + anywhere.count(name) + never.count(name), 1U)
        << name << "() is somebody else's";
  }
}

TEST(LibraryFile, NeedsTheCLibraryOnly) {
  for (const auto& name : Elf(shim_path()).needed()) {
    const bool is_libc = name == "libc.so.6" || name == "ld-linux-x86-64.so.2";
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
    if (segment.p_type == PT_LOAD)
      loaded = std::max<std::uint64_t>(loaded, segment.p_offset + segment.p_filesz);
  }
  EXPECT_GT(loaded, 0U);
  EXPECT_LE(loaded + 4096, 896U << 10);
}

}  // namespace
}  // namespace clockshim::test
