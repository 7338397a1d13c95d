#include "cli/doctor/elf_imports.h"

#include <sys/syscall.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "cli/inject/elf_file.h"
#include "symbolize/imported_calls.h"

namespace clockshim::cli {
namespace {

using Segments = std::vector<GElf_Phdr>;

// The offset in the file of an address in the loaded image.
std::optional<std::uint64_t> offset_of(const Segments& segments, std::uint64_t address) {
  for (const GElf_Phdr& s : segments) {
    if (s.p_type == PT_LOAD && address >= s.p_vaddr && address - s.p_vaddr < s.p_filesz)
      return address - s.p_vaddr + s.p_offset;
  }
  return std::nullopt;
}

void read_symbols(const ElfFile& file, const GElf_Phdr& dynamic, ElfImports& result) {
  Elf_Data* const table = file.part(dynamic.p_offset, dynamic.p_filesz, ELF_T_DYN);
  if (table == nullptr) return;
  std::uint64_t symbols = 0;
  std::uint64_t strings = 0;
  std::uint64_t string_bytes = 0;
  GElf_Dyn entry;
  for (int i = 0; gelf_getdyn(table, i, &entry) != nullptr; ++i) {
    if (entry.d_tag == DT_SYMTAB) symbols = entry.d_un.d_ptr;
    if (entry.d_tag == DT_STRTAB) strings = entry.d_un.d_ptr;
    if (entry.d_tag == DT_STRSZ) string_bytes = entry.d_un.d_val;
  }
  const auto symbols_at = offset_of(file.segments(), symbols);
  const auto strings_at = offset_of(file.segments(), strings);
  // The symbols end where the strings begin. Linkers lay them out so, and without reading a hash
  // table there is no other way to know.
  if (!symbols_at || !strings_at || strings < symbols) return;
  const Elf_Data* const names = file.part(*strings_at, string_bytes, ELF_T_BYTE);
  Elf_Data* const data = file.part(*symbols_at, strings - symbols, ELF_T_SYM);
  result.readable = names != nullptr;
  GElf_Sym symbol;
  for (int i = 0; names != nullptr && data != nullptr && gelf_getsym(data, i, &symbol) != nullptr;
       ++i) {
    if (symbol.st_shndx != SHN_UNDEF || symbol.st_name == 0 || symbol.st_name >= names->d_size)
      continue;
    const char* const name = static_cast<const char*>(names->d_buf) + symbol.st_name;
    result.names.emplace_back(name, strnlen(name, names->d_size - symbol.st_name));
  }
}

// Whether machine code loads a system call's number as first argument (mov $NUMBER, %edi), and the
// import that it calls next is syscall().
bool calls_by_number(std::string_view code, std::uint64_t address, std::uint32_t number,
                     const ImportedCalls& calls) {
  constexpr std::size_t kNear = 64;  // bytes in which the other arguments are loaded
  std::string load("\xBF\0\0\0\0", 5);
  std::memcpy(load.data() + 1, &number, sizeof number);
  for (auto at = code.find(load); at != std::string_view::npos; at = code.find(load, at + 1)) {
    const std::uint64_t start = address + at;
    const auto called = calls.between({start, start + std::min(kNear, code.size() - at)});
    if (!called.empty() && called.front() == "syscall") return true;
  }
  return false;
}

void read_content(const ElfFile& file, ElfImports& result) {
  std::optional<ImportedCalls> calls;
  if (result.imports("syscall")) calls.emplace(file.elf());
  for (const GElf_Phdr& segment : file.segments()) {
    if (segment.p_type != PT_LOAD) continue;
    const std::string_view bytes =
        bytes_of(file.part(segment.p_offset, segment.p_filesz, ELF_T_BYTE));
    for (const char* name : {"__vdso_clock_gettime", "__vdso_gettimeofday"})
      result.names_vdso_clock =
          result.names_vdso_clock || bytes.find(name) != std::string_view::npos;
    if (!calls || (segment.p_flags & PF_X) == 0) continue;
    for (const unsigned number : {unsigned{SYS_clock_gettime}, unsigned{SYS_gettimeofday}})
      result.clock_by_syscall =
          result.clock_by_syscall || calls_by_number(bytes, segment.p_vaddr, number, *calls);
  }
}

}  // namespace

bool ElfImports::imports(const std::string& name) const {
  return std::find(names.begin(), names.end(), name) != names.end();
}

ElfImports read_imports(const std::string& path) {
  ElfImports result;
  const ElfFile file(path);
  if (file.bits() != ELFCLASS64) return result;
  for (const GElf_Phdr& segment : file.segments()) {
    if (segment.p_type == PT_DYNAMIC) read_symbols(file, segment, result);
  }
  result.go = file.is_go();
  if (!result.go) read_content(file, result);
  return result;
}

}  // namespace clockshim::cli
