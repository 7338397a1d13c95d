#include "report/symbols.h"

#include <cxxabi.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "report/text.h"

namespace clockshim {
namespace {

// A file in memory, read only. Every access goes through at(), which refuses what is not there: a truncated or hostile
// file costs names, not the process.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    struct stat info;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0) {
      void* data = mmap(nullptr, static_cast<std::size_t>(info.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
      if (data != MAP_FAILED) {
        data_ = static_cast<const char*>(data);
        size_ = static_cast<std::size_t>(info.st_size);
      }
    }
    close(fd);
  }
  ~MappedFile() {
    if (data_ != nullptr) munmap(const_cast<char*>(data_), size_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  template <class T>
  [[nodiscard]] const T* at(std::uint64_t offset, std::uint64_t count = 1) const {
    if (offset > size_ || count > (size_ - offset) / sizeof(T)) return nullptr;
    return reinterpret_cast<const T*>(data_ + offset);
  }
  [[nodiscard]] std::string string_at(std::uint64_t offset) const {
    if (offset >= size_) return "";
    return std::string(data_ + offset, strnlen(data_ + offset, size_ - offset));
  }

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

// The first GNU build-id note of a note section.
std::string build_id_in(const MappedFile& file, const Elf64_Shdr& section) {
  std::uint64_t offset = section.sh_offset;
  while (const auto* note = file.at<Elf64_Nhdr>(offset)) {
    if (offset + sizeof *note > section.sh_offset + section.sh_size) break;
    const std::uint64_t name = offset + sizeof *note;
    const std::uint64_t text = name + ((note->n_namesz + 3ULL) & ~3ULL);
    if (note->n_type == NT_GNU_BUILD_ID && file.string_at(name) == "GNU") {
      const auto* bytes = file.at<unsigned char>(text, note->n_descsz);
      return bytes == nullptr ? "" : hexadecimal({bytes, note->n_descsz});
    }
    offset = text + ((note->n_descsz + 3ULL) & ~3ULL);
  }
  return "";
}

std::string demangled(const std::string& name) {
  if (name.rfind("_Z", 0) != 0) return name;  // a C function called t is no unsigned short
  int status = 0;
  char* text = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
  if (text == nullptr || status != 0) return name;
  std::string out = text;
  std::free(text);
  return out;
}

}  // namespace

void Symbols::read_file(const std::string& path, Table& out, std::string* build_id) {
  const MappedFile file(path);
  const auto* header = file.at<Elf64_Ehdr>(0);
  if (header == nullptr || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64) return;
  const auto* sections = file.at<Elf64_Shdr>(header->e_shoff, header->e_shnum);
  if (sections == nullptr) return;
  for (unsigned i = 0; i < header->e_shnum; ++i) {
    const Elf64_Shdr& section = sections[i];
    if (section.sh_type == SHT_NOTE && build_id != nullptr && build_id->empty()) *build_id = build_id_in(file, section);
    if ((section.sh_type != SHT_SYMTAB && section.sh_type != SHT_DYNSYM) || section.sh_link >= header->e_shnum) continue;
    const std::uint64_t count = section.sh_size / sizeof(Elf64_Sym);
    const auto* symbols = file.at<Elf64_Sym>(section.sh_offset, count);
    if (symbols == nullptr) continue;
    for (std::uint64_t s = 0; s < count; ++s) {
      const auto type = ELF64_ST_TYPE(symbols[s].st_info);
      if ((type != STT_FUNC && type != STT_GNU_IFUNC) || symbols[s].st_shndx == SHN_UNDEF) continue;
      out.push_back({symbols[s].st_value, symbols[s].st_size, file.string_at(sections[section.sh_link].sh_offset + symbols[s].st_name)});
    }
  }
}

Symbols::Table Symbols::load(const std::string& path) {
  Table table;
  std::string build_id;
  read_file(path, table, &build_id);
  if (build_id.size() > 2) {
    read_file("/usr/lib/debug/.build-id/" + build_id.substr(0, 2) + "/" + build_id.substr(2) + ".debug", table, nullptr);
  }
  std::stable_sort(table.begin(), table.end(), [](const Entry& a, const Entry& b) { return a.start < b.start; });
  return table;
}

SymbolName Symbols::at(const std::string& module_path, std::uint64_t offset) {
  auto found = tables_.find(module_path);
  if (found == tables_.end()) found = tables_.emplace(module_path, load(module_path)).first;
  const Table& table = found->second;
  auto after = std::upper_bound(table.begin(), table.end(), offset, [](std::uint64_t o, const Entry& e) { return o < e.start; });
  // Several symbols may cover an address (aliases, a function inside another's range): the innermost that does wins.
  for (int tries = 0; after != table.begin() && tries < 16; ++tries) {
    --after;
    if (offset - after->start < after->size) return {demangled(after->name), offset - after->start};
  }
  return {};
}

}  // namespace clockshim
