#include "symbolize/imported_calls.h"

#include <gelf.h>

#include <algorithm>
#include <cstring>
#include <span>

namespace clockshim {
namespace {

constexpr std::uint64_t kStub = 16;  // of the linkage table; .plt.got's may have 8, and say so

struct Code {
  std::span<const std::uint8_t> bytes;
  std::uint64_t address = 0;
};

Code code_of(Elf_Scn* section, const GElf_Shdr& header) {
  const Elf_Data* const data = elf_rawdata(section, nullptr);
  if (header.sh_type != SHT_PROGBITS || (header.sh_flags & SHF_EXECINSTR) == 0 || data == nullptr ||
      data->d_buf == nullptr)
    return {};
  return {{static_cast<const std::uint8_t*>(data->d_buf), data->d_size}, header.sh_addr};
}

// The target of a 32-bit displacement at `at`, which ends an instruction.
std::uint64_t target(const Code& code, std::size_t at) {
  std::int32_t displacement = 0;
  std::memcpy(&displacement, code.bytes.data() + at, sizeof displacement);
  return code.address + at + sizeof displacement +
         static_cast<std::uint64_t>(static_cast<std::int64_t>(displacement));
}

// Calls f(section, header) for each section.
template <class F>
void for_each_section(Elf* elf, F f) {
  Elf_Scn* section = nullptr;
  while ((section = elf_nextscn(elf, section)) != nullptr) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) != nullptr) f(section, header);
  }
}

void read_slots(Elf* elf, Elf_Scn* section, const GElf_Shdr& header,
                std::map<std::uint64_t, std::string>& slots) {
  Elf_Scn* const symbols = elf_getscn(elf, header.sh_link);
  GElf_Shdr symbols_header;
  Elf_Data* const entries = elf_getdata(section, nullptr);
  if (symbols == nullptr || entries == nullptr || header.sh_entsize == 0 ||
      gelf_getshdr(symbols, &symbols_header) == nullptr)
    return;
  Elf_Data* const table = elf_getdata(symbols, nullptr);
  const auto count = static_cast<int>(header.sh_size / header.sh_entsize);
  for (int i = 0; table != nullptr && i < count; ++i) {
    GElf_Rela entry;
    GElf_Sym symbol;
    if (gelf_getrela(entries, i, &entry) == nullptr) break;
    const auto type = GELF_R_TYPE(entry.r_info);
    if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT) continue;
    if (gelf_getsym(table, static_cast<int>(GELF_R_SYM(entry.r_info)), &symbol) == nullptr)
      continue;
    const char* const name = elf_strptr(elf, symbols_header.sh_link, symbol.st_name);
    if (name != nullptr && *name != '\0') slots[entry.r_offset] = name;
  }
}

// Reads stubs. Each has one jump through its slot (ff 25), and other bytes around it, in 8 or 16
// bytes.
void read_stubs(const Code& code, std::uint64_t stub,
                const std::map<std::uint64_t, std::string>& slots,
                std::map<std::uint64_t, std::string>& stubs) {
  for (std::size_t i = 0; i + 6 <= code.bytes.size(); ++i) {
    if (code.bytes[i] != 0xFF || code.bytes[i + 1] != 0x25) continue;
    if (const auto slot = slots.find(target(code, i + 2)); slot != slots.end())
      stubs[code.address + i / stub * stub] = slot->second;
  }
}

// Reads the starts of functions from .eh_frame_hdr (LSB, "Exception Frames"): four bytes of version
// and encodings, the address of .eh_frame, the number of functions, and their starts in ascending
// order, each with the address of its rule, both relative to this section. Linkers write these
// encodings only.
std::vector<std::uint64_t> read_starts(Elf_Scn* section, const GElf_Shdr& header) {
  constexpr std::uint8_t kEncodings[] = {1, 0x1B, 0x03, 0x3B};
  constexpr std::size_t kTable = 12;
  constexpr std::size_t kEntry = 8;
  const Elf_Data* const data = elf_rawdata(section, nullptr);
  if (data == nullptr || data->d_buf == nullptr || data->d_size < kTable) return {};
  const auto* const bytes = static_cast<const std::uint8_t*>(data->d_buf);
  if (std::memcmp(bytes, kEncodings, sizeof kEncodings) != 0) return {};
  std::uint32_t count = 0;
  std::memcpy(&count, bytes + kTable - sizeof count, sizeof count);
  std::vector<std::uint64_t> out;
  for (std::size_t at = kTable; at + kEntry <= data->d_size && out.size() < count; at += kEntry) {
    std::int32_t start = 0;
    std::memcpy(&start, bytes + at, sizeof start);
    out.push_back(header.sh_addr + static_cast<std::uint64_t>(static_cast<std::int64_t>(start)));
  }
  return std::is_sorted(out.begin(), out.end()) ? out : std::vector<std::uint64_t>{};
}

}  // namespace

ImportedCalls::ImportedCalls(Elf* elf) : elf_(elf) {
  GElf_Ehdr header;
  std::size_t names = 0;
  if (gelf_getehdr(elf, &header) == nullptr || header.e_machine != EM_X86_64 ||
      elf_getshdrstrndx(elf, &names) != 0)
    return;
  for_each_section(elf, [&](Elf_Scn* section, const GElf_Shdr& each) {
    if (each.sh_type == SHT_RELA) read_slots(elf, section, each, slots_);
  });
  for_each_section(elf, [&](Elf_Scn* section, const GElf_Shdr& each) {
    const char* const name = elf_strptr(elf, names, each.sh_name);
    if (name == nullptr) return;
    if (std::strcmp(name, ".eh_frame_hdr") == 0) starts_ = read_starts(section, each);
    if (std::strncmp(name, ".plt", 4) == 0)
      read_stubs(code_of(section, each), each.sh_entsize == 8 ? each.sh_entsize : kStub, slots_,
                 stubs_);
  });
}

ImportedCalls::Bounds ImportedCalls::function_at(std::uint64_t address) const {
  const auto next = std::upper_bound(starts_.begin(), starts_.end(), address);
  // The end of the last function is unknown.
  return next == starts_.begin() || next == starts_.end() ? Bounds{} : Bounds{*(next - 1), *next};
}

std::vector<std::string> ImportedCalls::between(Bounds range) const {
  const std::uint64_t start = range.start;
  const std::uint64_t end = range.end;
  std::vector<std::string> out;
  for_each_section(elf_, [&](Elf_Scn* section, const GElf_Shdr& header) {
    if (start < header.sh_addr || end > header.sh_addr + header.sh_size || start >= end) return;
    const Code code = code_of(section, header);
    const std::size_t last = std::min<std::size_t>(code.bytes.size(), end - header.sh_addr);
    for (std::size_t i = start - header.sh_addr; i + 5 <= last; ++i) {
      const std::uint8_t first = code.bytes[i];
      if (first == 0xE8 || first == 0xE9) {  // call, jmp
        if (const auto found = stubs_.find(target(code, i + 1)); found != stubs_.end())
          out.push_back(found->second);
      } else if (first == 0xFF && i + 6 <= last &&
                 (code.bytes[i + 1] == 0x15 || code.bytes[i + 1] == 0x25)) {  // through the slot
        if (const auto found = slots_.find(target(code, i + 2)); found != slots_.end())
          out.push_back(found->second);
      }
    }
  });
  return out;
}

}  // namespace clockshim
