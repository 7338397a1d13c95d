#include "cli/doctor/elf_imports.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <optional>

namespace clockshim::cli {
namespace {

constexpr Elf64_Xword kMostTable = 64
                                   << 20;  // a larger one is not a symbol table, but a broken file
constexpr const char* kGoNote = "Go";

class File {
 public:
  explicit File(const std::string& path) : in_(path, std::ios::binary) {}

  std::string bytes(std::uint64_t offset, std::uint64_t size) {
    if (size > kMostTable) return "";
    std::string data(size, '\0');
    in_.clear();
    in_.seekg(static_cast<std::streamoff>(offset));
    in_.read(data.data(), static_cast<std::streamsize>(size));
    data.resize(static_cast<std::size_t>(std::max<std::streamsize>(in_.gcount(), 0)));
    return data;
  }
  template <class T>
  std::optional<T> read(std::uint64_t offset) {
    const std::string data = bytes(offset, sizeof(T));
    T value;
    if (data.size() != sizeof value) return std::nullopt;
    std::memcpy(&value, data.data(), sizeof value);
    return value;
  }

 private:
  std::ifstream in_;
};

using Segments = std::vector<Elf64_Phdr>;

// The offset in the file of an address in the loaded image.
std::optional<std::uint64_t> offset_of(const Segments& segments, std::uint64_t address) {
  for (const Elf64_Phdr& s : segments) {
    if (s.p_type == PT_LOAD && address >= s.p_vaddr && address - s.p_vaddr < s.p_filesz)
      return address - s.p_vaddr + s.p_offset;
  }
  return std::nullopt;
}

bool has_go_note(File& file, const Elf64_Phdr& notes) {
  const std::string data = file.bytes(notes.p_offset, notes.p_filesz);
  const auto aligned = [](std::uint64_t n) { return (n + 3) & ~std::uint64_t{3}; };
  for (std::uint64_t at = 0; at + sizeof(Elf64_Nhdr) <= data.size();) {
    Elf64_Nhdr note;
    std::memcpy(&note, data.data() + at, sizeof note);
    if (data.compare(at + sizeof note, 3, kGoNote, 3) == 0 && note.n_namesz >= 3) return true;
    at += sizeof note + aligned(note.n_namesz) + aligned(note.n_descsz);
  }
  return false;
}

void read_symbols(File& file, const Segments& segments, const Elf64_Phdr& dynamic,
                  ElfImports& result) {
  const std::string table = file.bytes(dynamic.p_offset, dynamic.p_filesz);
  std::uint64_t symbols = 0;
  std::uint64_t strings = 0;
  std::uint64_t string_bytes = 0;
  for (std::size_t at = 0; at + sizeof(Elf64_Dyn) <= table.size(); at += sizeof(Elf64_Dyn)) {
    Elf64_Dyn entry;
    std::memcpy(&entry, table.data() + at, sizeof entry);
    if (entry.d_tag == DT_SYMTAB) symbols = entry.d_un.d_ptr;
    if (entry.d_tag == DT_STRTAB) strings = entry.d_un.d_ptr;
    if (entry.d_tag == DT_STRSZ) string_bytes = entry.d_un.d_val;
  }
  const auto symbols_at = offset_of(segments, symbols);
  const auto strings_at = offset_of(segments, strings);
  // The symbols end where the strings begin. Linkers lay them out so, and without reading a hash
  // table there is no other way to know.
  if (!symbols_at || !strings_at || strings < symbols) return;
  const std::string names = file.bytes(*strings_at, string_bytes);
  const std::string data = file.bytes(*symbols_at, strings - symbols);
  result.readable = !names.empty();
  for (std::size_t at = 0; at + sizeof(Elf64_Sym) <= data.size(); at += sizeof(Elf64_Sym)) {
    Elf64_Sym symbol;
    std::memcpy(&symbol, data.data() + at, sizeof symbol);
    if (symbol.st_shndx != SHN_UNDEF || symbol.st_name == 0 || symbol.st_name >= names.size())
      continue;
    result.names.emplace_back(names.c_str() + symbol.st_name);
  }
}

}  // namespace

bool ElfImports::imports(const std::string& name) const {
  return std::find(names.begin(), names.end(), name) != names.end();
}

ElfImports read_imports(const std::string& path) {
  ElfImports result;
  File file(path);
  const auto header = file.read<Elf64_Ehdr>(0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
      header->e_ident[EI_CLASS] != ELFCLASS64)
    return result;
  if (header->e_phentsize != sizeof(Elf64_Phdr)) return result;
  Segments segments;
  for (unsigned i = 0; i < header->e_phnum; ++i) {
    const auto segment =
        file.read<Elf64_Phdr>(header->e_phoff + std::uint64_t{i} * sizeof(Elf64_Phdr));
    if (!segment) return result;
    segments.push_back(*segment);
  }
  for (const Elf64_Phdr& segment : segments) {
    if (segment.p_type == PT_NOTE && has_go_note(file, segment)) result.go = true;
    if (segment.p_type == PT_DYNAMIC) read_symbols(file, segments, segment, result);
  }
  return result;
}

}  // namespace clockshim::cli
