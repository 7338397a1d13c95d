#include "cli/inject/dynamic_image.h"

#include <algorithm>
#include <cstring>

namespace clockshim::cli {

// What lies outside of the file reads as zeros.
template <class T>
T DynamicImage::at(std::uint64_t place) const {
  T value{};
  if (place <= file_.size() && file_.size() - place >= sizeof value)
    std::memcpy(&value, file_.data() + place, sizeof value);
  return value;
}

DynamicImage::DynamicImage(std::span<const std::byte> file) : file_(file) {
  const auto header = at<Elf64_Ehdr>(0);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_type != ET_DYN) return;
  for (unsigned i = 0; i < header.e_phnum; ++i)
    segments_.push_back(at<Elf64_Phdr>(header.e_phoff + i * sizeof(Elf64_Phdr)));
}

std::uint64_t DynamicImage::size() const {
  std::uint64_t size = 0;
  for (const Elf64_Phdr& segment : segments_) {
    if (segment.p_type == PT_LOAD) size = std::max(size, segment.p_vaddr + segment.p_memsz);
  }
  return size;
}

// Both kinds of image have addresses in their dynamic section that are places in the file, too:
// what it points to is in a segment that begins both.
std::uint64_t DynamicImage::dynamic(std::int64_t tag) const {
  for (const Elf64_Phdr& segment : segments_) {
    if (segment.p_type != PT_DYNAMIC) continue;
    const std::uint64_t size = std::min<std::uint64_t>(segment.p_filesz, file_.size());
    for (std::uint64_t i = 0; i < size / sizeof(Elf64_Dyn); ++i) {
      const auto entry = at<Elf64_Dyn>(segment.p_offset + i * sizeof(Elf64_Dyn));
      if (entry.d_tag == tag) return entry.d_un.d_val;
    }
  }
  return 0;
}

// Nothing says how many there are; linkers and the kernel let the strings follow the symbols.
std::vector<DynamicImage::Symbol> DynamicImage::symbols() const {
  std::vector<Symbol> out;
  const std::uint64_t table = dynamic(DT_SYMTAB);
  const std::uint64_t strings = dynamic(DT_STRTAB);
  const std::uint64_t end = strings + dynamic(DT_STRSZ);
  if (table == 0 || strings <= table || end < strings || end > file_.size()) return out;
  for (std::uint64_t place = table; place + sizeof(Elf64_Sym) <= strings;
       place += sizeof(Elf64_Sym)) {
    const auto symbol = at<Elf64_Sym>(place);
    if (symbol.st_shndx == SHN_UNDEF || strings + symbol.st_name >= end) continue;
    const auto* const name = reinterpret_cast<const char*>(file_.data()) + strings + symbol.st_name;
    out.push_back({{name, strnlen(name, end - strings - symbol.st_name)},
                   symbol.st_value,
                   symbol.st_size,
                   place + offsetof(Elf64_Sym, st_value)});
  }
  return out;
}

std::uint64_t DynamicImage::find(std::string_view name) const {
  for (const Symbol& symbol : symbols()) {
    if (symbol.name == name) return symbol.value;
  }
  return 0;
}

std::vector<Elf64_Rela> DynamicImage::relative_relocations(bool& others) const {
  std::vector<Elf64_Rela> out;
  others = dynamic(DT_PLTRELSZ) != 0;
  const std::uint64_t table = dynamic(DT_RELA);
  const std::uint64_t size = std::min<std::uint64_t>(dynamic(DT_RELASZ), file_.size());
  for (std::uint64_t i = 0; i < size / sizeof(Elf64_Rela); ++i) {
    const auto relocation = at<Elf64_Rela>(table + i * sizeof(Elf64_Rela));
    if (ELF64_R_TYPE(relocation.r_info) == R_X86_64_RELATIVE) {
      out.push_back(relocation);
    } else {
      others = true;
    }
  }
  return out;
}

}  // namespace clockshim::cli
