#include "os/executable_symbols.h"

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "os/clock_readers.h"
#include "os/module.h"

namespace clockshim {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr unsigned kMostSections = 128;  // linkers make some 40
constexpr unsigned kReadAtOnce = 16;     // 1 KiB of stack: more would be new pages of it

template <class T>
bool read_at(int file, std::uint64_t offset, T* out, std::size_t count) noexcept {
  return pread(file, out, count * sizeof(T), static_cast<off_t>(offset)) ==
         static_cast<ssize_t>(count * sizeof(T));
}

// Whether the file is the one that was mapped: e_entry and e_shoff distinguish two programs.
bool is_mapped(const Elf64_Ehdr& header, const Module& program) noexcept {
  return program.map_end - program.map_start >= sizeof header &&
         std::memcmp(&header, reinterpret_cast<const void*>(program.map_start), sizeof header) == 0;
}

bool find_symbols(int file, const Elf64_Ehdr& header, Elf64_Shdr& out) noexcept {
  Elf64_Shdr some[kReadAtOnce];
  if (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shnum > kMostSections) return false;
  for (unsigned first = 0; first < header.e_shnum; first += kReadAtOnce) {
    const unsigned count = std::min<unsigned>(kReadAtOnce, header.e_shnum - first);
    if (!read_at(file, header.e_shoff + first * sizeof some[0], some, count)) return false;
    const auto* const found = std::find_if(
        some, some + count, [](const Elf64_Shdr& s) { return s.sh_type == SHT_SYMTAB; });
    if (found == some + count) continue;
    out = *found;
    return true;
  }
  return false;
}

}  // namespace

ExecutableSymbols::ExecutableSymbols(std::size_t most_bytes) noexcept {
  Module program;
  // Only a function that reads the clock has wrappers. The dynamic string table, which the loader
  // has just read, tells; the symbol table is in the file, and reading it is a tenth of a start.
  if (!find_module(getauxval(AT_PHDR), program) || !names_clock_reader(program)) return;
  const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  Elf64_Ehdr header;
  Elf64_Shdr symbols;
  Elf64_Shdr names;
  if (read_at(file, 0, &header, 1) && is_mapped(header, program) &&
      find_symbols(file, header, symbols) && symbols.sh_link < header.e_shnum &&
      read_at(file, header.e_shoff + symbols.sh_link * sizeof names, &names, 1) &&
      map_sections(file, symbols, names, most_bytes))
    load_bias_ = program.load_bias;
  close(file);
}

ExecutableSymbols::~ExecutableSymbols() {
  if (map_ != nullptr) munmap(map_, map_size_);
}

// Maps both sections at once. Linkers put them next to each other, with at most the names of
// sections in between.
bool ExecutableSymbols::map_sections(int file, const Elf64_Shdr& symbols, const Elf64_Shdr& names,
                                     std::size_t most_bytes) noexcept {
  if (symbols.sh_size > most_bytes || names.sh_size > most_bytes || names.sh_size == 0 ||
      symbols.sh_offset % alignof(Elf64_Sym) != 0)
    return false;
  const std::uint64_t start = std::min(symbols.sh_offset, names.sh_offset) / kPage * kPage;
  const std::uint64_t size =
      std::max(symbols.sh_offset + symbols.sh_size, names.sh_offset + names.sh_size) - start;
  if (size > most_bytes) return false;
  // Touching a page beyond the end of a truncated file would kill the host. A running executable
  // can't be written to, so the length stays.
  if (const off_t length = lseek(file, 0, SEEK_END);
      length < 0 || start + size > static_cast<std::uint64_t>(length))
    return false;
  void* const map =
      mmap(nullptr, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, static_cast<off_t>(start));
  if (map == MAP_FAILED) return false;
  map_ = map;
  map_size_ = size;
  const auto* bytes = static_cast<const char*>(map);
  if (bytes[names.sh_offset - start + names.sh_size - 1] != '\0')
    return false;  // so that no name runs past the end
  symbols_ = {reinterpret_cast<const Elf64_Sym*>(bytes + (symbols.sh_offset - start)),
              symbols.sh_size / sizeof(Elf64_Sym)};
  names_ = bytes + (names.sh_offset - start);
  names_size_ = names.sh_size;
  return true;
}

}  // namespace clockshim
