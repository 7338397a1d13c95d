#include "os/module.h"

#include <dlfcn.h>
#include <link.h>

#include <bit>
#include <cstring>

#include "os/real_functions.h"

// Weak: where glibc is older than 2.35 the address is null, and every look-up answers "no module".
extern "C" int _dl_find_object(void* address, dl_find_object* result) noexcept
    __attribute__((weak));

namespace clockshim {
namespace {

struct SymbolTable {
  const Elf64_Sym* symbols = nullptr;
  const char* strings = nullptr;
  std::size_t strings_size = 0;
  const Elf64_Word* gnu_hash = nullptr;
};

// glibc relocates these pointers in place on most CPUs. Where it has not, they are below the load
// address.
SymbolTable symbol_table(const Module& module) noexcept {
  SymbolTable table;
  if (module.dynamic == nullptr) return table;
  for (const Elf64_Dyn* entry = module.dynamic; entry->d_tag != DT_NULL; ++entry) {
    auto address = static_cast<std::uintptr_t>(entry->d_un.d_ptr);
    if (address < module.load_bias) address += module.load_bias;
    if (entry->d_tag == DT_SYMTAB) table.symbols = reinterpret_cast<const Elf64_Sym*>(address);
    if (entry->d_tag == DT_STRTAB) table.strings = reinterpret_cast<const char*>(address);
    if (entry->d_tag == DT_STRSZ) table.strings_size = entry->d_un.d_val;
    if (entry->d_tag == DT_GNU_HASH) table.gnu_hash = reinterpret_cast<const Elf64_Word*>(address);
  }
  return table;
}

// The GNU hash function (Bernstein's, h * 33 + c, from 5381), as the linker used it for
// DT_GNU_HASH.
std::uint32_t gnu_hash(std::string_view name) noexcept {
  std::uint32_t h = 5381;
  for (const char c : name) h = h * 33 + static_cast<unsigned char>(c);
  return h;
}

}  // namespace

bool find_module(std::uintptr_t address, Module& out) noexcept {
  dl_find_object found;
  if (&_dl_find_object == nullptr || _dl_find_object(reinterpret_cast<void*>(address), &found) != 0)
    return false;
  const link_map* map = found.dlfo_link_map;
  out.map_start = reinterpret_cast<std::uintptr_t>(found.dlfo_map_start);
  out.map_end = reinterpret_cast<std::uintptr_t>(found.dlfo_map_end);
  out.unwind_header = static_cast<const std::uint8_t*>(found.dlfo_eh_frame);
  out.load_bias = map != nullptr ? map->l_addr : 0;
  out.path = map != nullptr && map->l_name != nullptr ? map->l_name : "";
  out.dynamic = map != nullptr ? map->l_ld : nullptr;
  return true;
}

namespace {

// Calls the C library's own dl_iterate_phdr. One that a host has instead (with a list that it has
// copied, say) need not take the loader's lock.
int iterate_modules(int (*f)(dl_phdr_info* info, std::size_t size, void* argument),
                    void* argument) noexcept {
  const auto real = real_functions().dl_iterate_phdr.load(std::memory_order_relaxed);
  return real != nullptr ? real(f, argument) : 0;
}

}  // namespace

std::uint64_t modules_unloaded() noexcept {
  std::uint64_t unloaded = 0;
  const auto of_the_first = [](dl_phdr_info* info, std::size_t, void* out) {
    *static_cast<std::uint64_t*>(out) = info->dlpi_subs;
    return 1;
  };
  iterate_modules(of_the_first, &unloaded);
  return unloaded;
}

void while_none_is_unloaded(void (*f)(void* argument), void* argument) noexcept {
  struct Call {
    void (*f)(void*);
    void* argument;
  } call{f, argument};
  const auto at_the_first = [](dl_phdr_info*, std::size_t, void* what) {
    const auto& wanted = *static_cast<const Call*>(what);
    wanted.f(wanted.argument);
    return 1;
  };
  iterate_modules(at_the_first, &call);
}

namespace {

// Whether `size` bytes at `at` belong to the module.
bool mapped(const Module& module, std::uintptr_t at, std::size_t size) noexcept {
  return at >= module.map_start && at <= module.map_end && size <= module.map_end - at;
}

// The program headers. A module maps the start of its file first, with the ELF header; if that is
// missing, the result is empty.
std::span<const Elf64_Phdr> program_headers(const Module& module) noexcept {
  if (!mapped(module, module.map_start, sizeof(Elf64_Ehdr))) return {};
  const auto* elf = reinterpret_cast<const Elf64_Ehdr*>(module.map_start);
  if (std::memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0 || elf->e_phentsize != sizeof(Elf64_Phdr))
    return {};
  const std::uintptr_t headers = module.map_start + elf->e_phoff;
  if (!mapped(module, headers, elf->e_phnum * sizeof(Elf64_Phdr))) return {};
  return {reinterpret_cast<const Elf64_Phdr*>(headers), elf->e_phnum};
}

}  // namespace

std::uint64_t fingerprint(const Module& module) noexcept {
  std::uint64_t hash = 0;
  const auto add = [&hash](std::uint64_t word) {
    hash = (std::rotl(hash, 23) ^ word) * 0x9E3779B97F4A7C15ULL;  // 2^64 / phi
  };
  for (const Elf64_Phdr& header : program_headers(module)) {
    add(std::uint64_t{header.p_type} << 32 | header.p_flags);
    for (const std::uint64_t word :
         {header.p_offset, header.p_vaddr, header.p_filesz, header.p_memsz})
      add(word);
  }
  for (const Elf64_Dyn* entry = module.dynamic; entry != nullptr && entry->d_tag != DT_NULL;
       ++entry) {
    add(static_cast<std::uint64_t>(entry->d_tag));
    add(entry->d_un.d_val);
  }
  return hash;
}

std::string_view dynamic_strings(const Module& module) noexcept {
  const SymbolTable table = symbol_table(module);
  return {table.strings, table.strings != nullptr ? table.strings_size : 0};
}

std::span<const std::uint8_t> find_build_id(const Module& module) noexcept {
  for (const auto& header : program_headers(module)) {
    const std::uintptr_t start = module.load_bias + header.p_vaddr;
    if (header.p_type != PT_NOTE || !mapped(module, start, header.p_memsz)) continue;
    for (std::uintptr_t at = start; at + sizeof(Elf64_Nhdr) <= start + header.p_memsz;) {
      const auto* note = reinterpret_cast<const Elf64_Nhdr*>(at);
      const auto padded = [](std::size_t size) { return (size + 3) & ~std::size_t{3}; };
      const std::uintptr_t content = at + sizeof *note + padded(note->n_namesz);
      const bool whole = padded(note->n_namesz) <= header.p_memsz &&
                         note->n_descsz <= header.p_memsz &&
                         content + note->n_descsz <= start + header.p_memsz;
      if (!whole) break;
      const bool gnu = note->n_namesz == sizeof ELF_NOTE_GNU &&
                       std::memcmp(note + 1, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0;
      if (gnu && note->n_type == NT_GNU_BUILD_ID)
        return {reinterpret_cast<const std::uint8_t*>(content), note->n_descsz};
      at = content + padded(note->n_descsz);
    }
  }
  return {};
}

CodeRange find_dynamic_symbol(const Module& module, std::string_view name) noexcept {
  const SymbolTable table = symbol_table(module);
  if (table.symbols == nullptr || table.strings == nullptr || table.gnu_hash == nullptr) return {};
  // Layout: bucket count, first hashed symbol, bloom words, bloom shift; bloom; buckets; chains.
  const Elf64_Word bucket_count = table.gnu_hash[0];
  const Elf64_Word first = table.gnu_hash[1];
  const Elf64_Word* buckets =
      table.gnu_hash + 4 + table.gnu_hash[2] * (sizeof(Elf64_Addr) / sizeof(Elf64_Word));
  const Elf64_Word* chains = buckets + bucket_count;
  if (bucket_count == 0) return {};
  const std::uint32_t wanted = gnu_hash(name);
  for (Elf64_Word i = buckets[wanted % bucket_count]; i >= first; ++i) {
    const Elf64_Word hash = chains[i - first];
    const Elf64_Sym& symbol = table.symbols[i];
    if ((hash | 1U) == (wanted | 1U) && symbol.st_shndx != SHN_UNDEF &&
        name == table.strings + symbol.st_name) {
      return {module.load_bias + symbol.st_value, symbol.st_size};
    }
    if ((hash & 1U) != 0) break;  // the last of its hash chain
  }
  return {};
}

bool any_module_defines(std::string_view name) noexcept {
  const auto defines = [](dl_phdr_info* info, std::size_t, void* wanted) {
    for (const auto& header : std::span(info->dlpi_phdr, info->dlpi_phnum)) {
      if (header.p_type != PT_DYNAMIC) continue;
      Module module;
      module.load_bias = info->dlpi_addr;
      module.dynamic = reinterpret_cast<const Elf64_Dyn*>(info->dlpi_addr + header.p_vaddr);
      if (find_dynamic_symbol(module, *static_cast<const std::string_view*>(wanted)).start != 0)
        return 1;
    }
    return 0;
  };
  return dl_iterate_phdr(defines, &name) != 0;
}

}  // namespace clockshim
