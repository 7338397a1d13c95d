#include "symbolize/wrapper_code.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <gelf.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "base/wrapper_names.h"
#include "os/descriptor.h"
#include "symbolize/go_functions.h"
#include "symbolize/prologue.h"

namespace clockshim {
namespace {

// DWARF's numbers of the registers (System V ABI for x86-64, figure 3.36).
constexpr int kDwarfRbp = 6;
constexpr int kDwarfRsp = 7;

constexpr std::int32_t kWord = 8;
constexpr std::int32_t kLargestFrame = 1024;

// A register plus a constant. False: it is something else.
bool register_plus(const Dwarf_Op* ops, std::size_t count, int& which, std::int64_t& plus) {
  if (count != 1) return false;
  if (ops[0].atom == DW_OP_bregx) {
    which = static_cast<int>(ops[0].number);
    plus = static_cast<std::int64_t>(ops[0].number2);
    return true;
  }
  if (ops[0].atom < DW_OP_breg0 || ops[0].atom > DW_OP_breg31) return false;
  which = ops[0].atom - DW_OP_breg0;
  plus = static_cast<std::int64_t>(ops[0].number);
  return true;
}

// Where rbp was saved, from the CFA; 0: it is still the caller's. False: by no such rule.
bool saved_rbp(Dwarf_Frame* frame, std::int16_t& out) {
  Dwarf_Op memory[3];
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  if (dwarf_frame_register(frame, kDwarfRbp, memory, &ops, &count) != 0) return false;
  out = 0;
  if (count == 0) return true;
  if (ops[0].atom != DW_OP_call_frame_cfa) return false;
  if (count == 1) return false;  // at the CFA itself, where nothing is saved
  if (ops[1].atom != DW_OP_plus_uconst) return false;
  out = static_cast<std::int16_t>(ops[1].number);
  return true;
}

// The rules of the code [begin, end), one for each row of its unwind table.
void add_rules(Dwarf_CFI* cfi, std::uint64_t begin, std::uint64_t end,
               std::vector<WrapperStretch>& out) {
  while (begin < end) {
    Dwarf_Frame* found = nullptr;
    if (dwarf_cfi_addrframe(cfi, begin, &found) != 0) return;
    const std::unique_ptr<Dwarf_Frame, decltype(&std::free)> frame(found, &std::free);
    Dwarf_Addr row = 0;
    Dwarf_Addr next = 0;
    bool signal = false;
    Dwarf_Op* ops = nullptr;
    std::size_t count = 0;
    int which = 0;
    std::int64_t plus = 0;
    WrapperStretch stretch;
    if (dwarf_frame_info(found, &row, &next, &signal) < 0 || next <= begin) return;
    if (!signal && dwarf_frame_cfa(found, &ops, &count) == 0 &&
        register_plus(ops, count, which, plus) && (which == kDwarfRsp || which == kDwarfRbp) &&
        plus > 0 && plus <= kLargestFrame && saved_rbp(found, stretch.saved_frame)) {
      stretch.begin = begin;
      stretch.end = std::min<std::uint64_t>(next, end);
      stretch.cfa_offset = static_cast<std::int32_t>(plus);
      stretch.from_frame = which == kDwarfRbp;
      if (is_plausible(stretch)) out.push_back(stretch);
    }
    begin = next;
  }
}

// The bytes of a function; empty: they are in no section.
std::span<const std::uint8_t> code_at(Elf* elf, std::uint64_t address, std::uint64_t size) {
  Elf_Scn* section = nullptr;
  while ((section = elf_nextscn(elf, section)) != nullptr) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr || header.sh_type != SHT_PROGBITS ||
        address < header.sh_addr || address - header.sh_addr >= header.sh_size)
      continue;
    const Elf_Data* const data = elf_rawdata(section, nullptr);
    const std::uint64_t at = address - header.sh_addr;
    if (data == nullptr || data->d_buf == nullptr || at > data->d_size || data->d_size - at < size)
      continue;
    return {static_cast<const std::uint8_t*>(data->d_buf) + at, size};
  }
  return {};
}

// The same for a function that no unwind table knows: its code tells.
void add_rules_of_code(Elf* elf, std::uint64_t start, std::uint64_t size,
                       std::vector<WrapperStretch>& out) {
  for (const CallInPrologue& call : calls_in_prologue(code_at(elf, start, size))) {
    const std::uint64_t back = start + call.at;
    out.push_back({back - 1, back, call.cfa_offset, call.saved_frame, false, false});
  }
}

// syscall.gettimeofday() is written in assembly: it has no frame, and stays on its goroutine's
// stack.
void add_go_assembly(Elf* elf, std::uint64_t start, std::uint64_t end, WrapperFile& file) {
  add_rules_of_code(elf, start, end - start, file.wrappers);
  CodeRange& range = file.on_little_stack;
  range = range.empty() ? CodeRange{start, end}
                        : CodeRange{std::min(range.begin, start), std::max(range.end, end)};
}

// Go keeps frame pointers in all compiled functions that call others, so one rule does for all of
// them: rbp points to the caller's, above which the return address stands.
void add_go_function(Elf* elf, std::string_view name, std::uint64_t start, std::uint64_t end,
                     WrapperFile& file) {
  constexpr std::int32_t kTwoWords = 16;
  if (!is_go_wrapper_name(name)) return;
  if (name.starts_with("syscall.gettimeofday")) return add_go_assembly(elf, start, end, file);
  file.wrappers.push_back({start, end, kTwoWords, -kTwoWords, true, true});
}

// Go before 1.9 called the vDSO on goroutines' stacks; its layout is that of all before 1.16.
CodeRange code_of(Elf* elf) {
  CodeRange all;
  std::size_t count = 0;
  if (elf_getphdrnum(elf, &count) != 0) return all;
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Phdr segment;
    if (gelf_getphdr(elf, static_cast<int>(i), &segment) == nullptr || segment.p_type != PT_LOAD ||
        (segment.p_flags & PF_X) == 0)
      continue;
    if (all.empty()) all.begin = segment.p_vaddr;
    all.end = segment.p_vaddr + segment.p_memsz;
  }
  return all;
}

bool add_go(Elf* elf, WrapperFile& file) {
  const std::vector<GoFunction> functions = read_go_functions(elf);
  for (const GoFunction& function : functions)
    add_go_function(elf, function.name, function.start, function.end, file);
  if (functions.empty() && has_go_functions(elf)) file.on_little_stack = code_of(elf);
  return !functions.empty();
}

bool has_section(Elf* elf, std::string_view name) {
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf, &names) != 0) return false;
  Elf_Scn* section = nullptr;
  while ((section = elf_nextscn(elf, section)) != nullptr) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr) continue;
    const char* const given = elf_strptr(elf, names, header.sh_name);
    if (given != nullptr && name == given) return true;
  }
  return false;
}

// A packer leaves a file without sections, and what strip leaves of Go in a program in C is none of
// its tables.
std::string why_unclear(Elf* elf, const WrapperFile& file) {
  std::size_t sections = 0;
  if (elf_getshdrnum(elf, &sections) != 0 || sections == 0)
    return "its file has no sections (is it packed?), so nothing tells what stacks it uses";
  const bool go = has_section(elf, ".go.buildinfo") || has_section(elf, ".note.go.buildid");
  const bool found = std::any_of(file.wrappers.begin(), file.wrappers.end(),
                                 [](const WrapperStretch& w) { return w.other_stack; });
  return go && !found && file.on_little_stack.empty()
             ? "it has Go in it whose functions can't be found (is it stripped?)"
             : "";
}

void add_named(Elf* elf, WrapperFile& file) {
  std::vector<WrapperStretch>& out = file.wrappers;
  const std::unique_ptr<Dwarf_CFI, decltype(&dwarf_cfi_end)> cfi(dwarf_getcfi_elf(elf),
                                                                 &dwarf_cfi_end);
  Elf_Scn* section = nullptr;
  while ((section = elf_nextscn(elf, section)) != nullptr) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr ||
        (header.sh_type != SHT_SYMTAB && header.sh_type != SHT_DYNSYM) || header.sh_entsize == 0)
      continue;
    Elf_Data* const data = elf_getdata(section, nullptr);
    const auto count = static_cast<int>(header.sh_size / header.sh_entsize);
    for (int i = 0; data != nullptr && i < count; ++i) {
      GElf_Sym symbol;
      if (gelf_getsym(data, i, &symbol) == nullptr) break;
      if (GELF_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
      const char* const name = elf_strptr(elf, header.sh_link, symbol.st_name);
      if (name == nullptr) continue;
      // Linked into a program in C, Go's own table is in no section of its own.
      add_go_function(elf, name, symbol.st_value, symbol.st_value + symbol.st_size, file);
      if (!is_c_wrapper_name(name) && !is_wrapper_name(name)) continue;
      const std::size_t known = out.size();
      if (cfi != nullptr)
        add_rules(cfi.get(), symbol.st_value, symbol.st_value + symbol.st_size, out);
      if (out.size() == known) add_rules_of_code(elf, symbol.st_value, symbol.st_size, out);
    }
  }
}

std::uint64_t first_address(Elf* elf) {
  constexpr std::uint64_t kPage = 4096;
  std::size_t count = 0;
  if (elf_getphdrnum(elf, &count) != 0) return 0;
  for (std::size_t i = 0; i < count; ++i) {
    GElf_Phdr segment;
    if (gelf_getphdr(elf, static_cast<int>(i), &segment) != nullptr && segment.p_type == PT_LOAD)
      return segment.p_vaddr / kPage * kPage;
  }
  return 0;
}

}  // namespace

// The return address is below the CFA, and rbp below that. Where the CFA follows from rbp, that is
// the wrapper's own, which has saved its caller's where it points to.
bool is_plausible(const WrapperStretch& rule) {
  const bool saved = rule.saved_frame <= -2 * kWord && rule.saved_frame >= -rule.cfa_offset &&
                     rule.saved_frame % kWord == 0;
  if (rule.cfa_offset % kWord != 0 || rule.cfa_offset < kWord || rule.cfa_offset > kLargestFrame)
    return false;
  return rule.from_frame ? rule.cfa_offset == 2 * kWord && rule.saved_frame == -2 * kWord
                         : rule.saved_frame == 0 || saved;
}

WrapperFile read_wrapper_file(const std::string& path) {
  WrapperFile result;
  std::vector<WrapperStretch>& out = result.wrappers;
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (file.get() < 0 || elf_version(EV_CURRENT) == EV_NONE) return result;
  const std::unique_ptr<Elf, int (*)(Elf*)> elf(elf_begin(file.get(), ELF_C_READ, nullptr),
                                                elf_end);
  GElf_Ehdr header;
  if (elf == nullptr || gelf_getehdr(elf.get(), &header) == nullptr) return result;
  result.first_address = first_address(elf.get());
  const void* build_id = nullptr;
  if (const auto size = dwelf_elf_gnu_build_id(elf.get(), &build_id); size > 0) {
    const auto* const bytes = static_cast<const std::uint8_t*>(build_id);
    result.build_id.assign(bytes, bytes + size);
  }
  add_named(elf.get(), result);
  result.go = add_go(elf.get(), result);
  result.unclear = why_unclear(elf.get(), result);
  // A function may have several names, and a file two tables of them.
  const auto before = [](const WrapperStretch& a, const WrapperStretch& b) {
    return a.begin < b.begin;
  };
  std::sort(out.begin(), out.end(), before);
  const auto covered = [](const WrapperStretch& a, const WrapperStretch& b) {
    return b.begin < a.end;
  };
  out.erase(std::unique(out.begin(), out.end(), covered), out.end());
  return result;
}

}  // namespace clockshim
