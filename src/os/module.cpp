#include "os/module.h"

#include <dlfcn.h>
#include <link.h>

#include <cstring>

// Weak: where glibc is older than 2.35 the address is null, and every look-up answers "no module".
extern "C" int _dl_find_object(void* address, dl_find_object* result) noexcept __attribute__((weak));

namespace clockshim {
namespace {

struct SymbolTable {
  const Elf64_Sym* symbols = nullptr;
  const char* strings = nullptr;
  const Elf64_Word* gnu_hash = nullptr;
};

// glibc relocates these pointers in place on most CPUs; where it has not, they are below the load address.
SymbolTable symbol_table(const Module& module) noexcept {
  SymbolTable table;
  if (module.dynamic == nullptr) return table;
  for (const Elf64_Dyn* entry = module.dynamic; entry->d_tag != DT_NULL; ++entry) {
    auto address = static_cast<std::uintptr_t>(entry->d_un.d_ptr);
    if (address < module.load_bias) address += module.load_bias;
    if (entry->d_tag == DT_SYMTAB) table.symbols = reinterpret_cast<const Elf64_Sym*>(address);
    if (entry->d_tag == DT_STRTAB) table.strings = reinterpret_cast<const char*>(address);
    if (entry->d_tag == DT_GNU_HASH) table.gnu_hash = reinterpret_cast<const Elf64_Word*>(address);
  }
  return table;
}

// The GNU hash function (Bernstein's, h * 33 + c, from 5381), as the linker used it for DT_GNU_HASH.
std::uint32_t gnu_hash(std::string_view name) noexcept {
  std::uint32_t h = 5381;
  for (const char c : name) h = h * 33 + static_cast<unsigned char>(c);
  return h;
}

}  // namespace

bool find_module(std::uintptr_t address, Module& out) noexcept {
  dl_find_object found;
  if (&_dl_find_object == nullptr || _dl_find_object(reinterpret_cast<void*>(address), &found) != 0) return false;
  const link_map* map = found.dlfo_link_map;
  out.map_start = reinterpret_cast<std::uintptr_t>(found.dlfo_map_start);
  out.map_end = reinterpret_cast<std::uintptr_t>(found.dlfo_map_end);
  out.unwind_header = static_cast<const std::uint8_t*>(found.dlfo_eh_frame);
  out.load_bias = map != nullptr ? map->l_addr : 0;
  out.path = map != nullptr && map->l_name != nullptr ? map->l_name : "";
  out.dynamic = map != nullptr ? map->l_ld : nullptr;
  return true;
}

CodeRange find_dynamic_symbol(const Module& module, std::string_view name) noexcept {
  const SymbolTable table = symbol_table(module);
  if (table.symbols == nullptr || table.strings == nullptr || table.gnu_hash == nullptr) return {};
  // Layout: bucket count, first hashed symbol, bloom words, bloom shift; bloom; buckets; chains.
  const Elf64_Word bucket_count = table.gnu_hash[0];
  const Elf64_Word first = table.gnu_hash[1];
  const Elf64_Word* buckets = table.gnu_hash + 4 + table.gnu_hash[2] * (sizeof(Elf64_Addr) / sizeof(Elf64_Word));
  const Elf64_Word* chains = buckets + bucket_count;
  if (bucket_count == 0) return {};
  const std::uint32_t wanted = gnu_hash(name);
  for (Elf64_Word i = buckets[wanted % bucket_count]; i >= first; ++i) {
    const Elf64_Word hash = chains[i - first];
    const Elf64_Sym& symbol = table.symbols[i];
    if ((hash | 1U) == (wanted | 1U) && symbol.st_shndx != SHN_UNDEF && name == table.strings + symbol.st_name) {
      return {module.load_bias + symbol.st_value, symbol.st_size};
    }
    if ((hash & 1U) != 0) break;  // the chain's last
  }
  return {};
}

}  // namespace clockshim
