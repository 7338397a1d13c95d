#include "os/dynamic_symbols.h"

#include <link.h>
#include <sys/auxv.h>

#include <algorithm>
#include <cerrno>

// The image of this library, or of a test program, begins here.
// NOLINTNEXTLINE(readability-identifier-naming): the linker has given it this name
extern "C" const char __ehdr_start[] __attribute__((visibility("hidden")));

namespace clockshim {
namespace {

// The GNU hash function (Bernstein's, h * 33 + c, from 5381), as the linker used it for
// DT_GNU_HASH.
std::uint32_t gnu_hash(std::string_view name) noexcept {
  std::uint32_t h = 5381;
  for (const char c : name) h = h * 33 + static_cast<unsigned char>(c);
  return h;
}

// The System V ABI's hash function, for DT_HASH.
std::uint32_t elf_hash(std::string_view name) noexcept {
  std::uint32_t h = 0;
  for (const char c : name) {
    h = (h << 4) + static_cast<unsigned char>(c);
    h = (h ^ (h >> 24 & 0xf0U)) & 0x0fffffffU;
  }
  return h;
}

class SymbolTable {
 public:
  // glibc relocates these pointers in place on most CPUs. Where it has not, they are below the load
  // address.
  explicit SymbolTable(const Module& module) noexcept {
    if (module.dynamic == nullptr) return;
    for (const Elf64_Dyn* entry = module.dynamic; entry->d_tag != DT_NULL; ++entry) {
      auto address = static_cast<std::uintptr_t>(entry->d_un.d_ptr);
      if (address < module.load_bias) address += module.load_bias;
      if (entry->d_tag == DT_SYMTAB) symbols_ = reinterpret_cast<const Elf64_Sym*>(address);
      if (entry->d_tag == DT_STRTAB) strings_ = reinterpret_cast<const char*>(address);
      if (entry->d_tag == DT_STRSZ) strings_size_ = entry->d_un.d_val;
      if (entry->d_tag == DT_GNU_HASH) gnu_hash_ = reinterpret_cast<const Elf64_Word*>(address);
      if (entry->d_tag == DT_HASH) elf_hash_ = reinterpret_cast<const Elf64_Word*>(address);
      if (entry->d_tag == DT_VERSYM) versions_ = reinterpret_cast<const Elf64_Half*>(address);
    }
  }

  [[nodiscard]] std::string_view strings() const noexcept {
    return {strings_, strings_ != nullptr ? strings_size_ : 0};
  }

  // The definition of the default version, or else of any version: the C library has kept old ones
  // of some functions. Null: there is none.
  [[nodiscard]] const Elf64_Sym* find(std::string_view name) const noexcept {
    if (symbols_ == nullptr || strings_ == nullptr) return nullptr;
    if (gnu_hash_ != nullptr) return find_by_gnu_hash(name);
    return elf_hash_ != nullptr ? find_by_elf_hash(name) : nullptr;
  }

 private:
  // Keeps the symbol in `best` if it is the one, or better than what is there. True: none is
  // better.
  bool take(Elf64_Word i, std::string_view name, const Elf64_Sym*& best) const noexcept {
    const Elf64_Sym& symbol = symbols_[i];
    if (symbol.st_shndx == SHN_UNDEF || name != strings_ + symbol.st_name) return false;
    constexpr Elf64_Half kNotTheDefault = 0x8000;
    const bool is_default = versions_ == nullptr || (versions_[i] & kNotTheDefault) == 0;
    if (best == nullptr || is_default) best = &symbol;
    return is_default;
  }

  // Layout: bucket count, first hashed symbol, bloom words, bloom shift; bloom; buckets; chains.
  [[nodiscard]] const Elf64_Sym* find_by_gnu_hash(std::string_view name) const noexcept {
    const Elf64_Word bucket_count = gnu_hash_[0];
    const Elf64_Word first = gnu_hash_[1];
    const Elf64_Word bloom_words = gnu_hash_[2];
    if (bucket_count == 0 || bloom_words == 0) return nullptr;
    const std::uint32_t wanted = gnu_hash(name);
    const auto* bloom = reinterpret_cast<const Elf64_Addr*>(gnu_hash_ + 4);
    const Elf64_Addr word = bloom[wanted / 64 % bloom_words];
    if ((word >> wanted % 64 & word >> (wanted >> gnu_hash_[3]) % 64 & 1U) == 0) return nullptr;
    const auto* buckets = reinterpret_cast<const Elf64_Word*>(bloom + bloom_words);
    const Elf64_Word* chains = buckets + bucket_count;
    const Elf64_Sym* best = nullptr;
    for (Elf64_Word i = buckets[wanted % bucket_count]; i >= first && i != 0; ++i) {
      const Elf64_Word hash = chains[i - first];
      if ((hash | 1U) == (wanted | 1U) && take(i, name, best)) break;
      if ((hash & 1U) != 0) break;  // the last of its hash chain
    }
    return best;
  }

  // Layout: bucket count, chain count; buckets; chains.
  [[nodiscard]] const Elf64_Sym* find_by_elf_hash(std::string_view name) const noexcept {
    const Elf64_Word bucket_count = elf_hash_[0];
    if (bucket_count == 0) return nullptr;
    const Elf64_Word* buckets = elf_hash_ + 2;
    const Elf64_Word* chains = buckets + bucket_count;
    const Elf64_Sym* best = nullptr;
    for (Elf64_Word i = buckets[elf_hash(name) % bucket_count]; i != STN_UNDEF; i = chains[i]) {
      if (take(i, name, best)) break;
    }
    return best;
  }

  const Elf64_Sym* symbols_ = nullptr;
  const char* strings_ = nullptr;
  std::size_t strings_size_ = 0;
  const Elf64_Word* gnu_hash_ = nullptr;
  const Elf64_Word* elf_hash_ = nullptr;
  const Elf64_Half* versions_ = nullptr;
};

Module module_of(const dl_phdr_info& info) noexcept {
  Module module;
  module.load_bias = info.dlpi_addr;
  for (const auto& header : std::span(info.dlpi_phdr, info.dlpi_phnum)) {
    if (header.p_type == PT_DYNAMIC)
      module.dynamic = reinterpret_cast<const Elf64_Dyn*>(info.dlpi_addr + header.p_vaddr);
  }
  return module;
}

bool is_own(const dl_phdr_info& info) noexcept {
  return reinterpret_cast<std::uintptr_t>(info.dlpi_phdr) ==
         reinterpret_cast<std::uintptr_t>(__ehdr_start) +
             reinterpret_cast<const Elf64_Ehdr*>(__ehdr_start)->e_phoff;
}

// Whether this is the module that the kernel has mapped for this entry of the auxiliary vector: the
// vDSO (AT_SYSINFO_EHDR) or the loader (AT_BASE).
bool is_from_kernel(const dl_phdr_info& info, unsigned long entry) noexcept {
  const int saved_errno = errno;  // getauxval sets it where the kernel gave none
  const unsigned long address = getauxval(entry);
  errno = saved_errno;
  return address != 0 && info.dlpi_addr == address;
}

struct NextSearch {
  std::span<NextDefinition> wanted;
  bool behind_us = false;
};

int look_for_next(dl_phdr_info* info, std::size_t, void* argument) {
  auto& search = *static_cast<NextSearch*>(argument);
  if (is_from_kernel(*info, AT_SYSINFO_EHDR)) return 0;  // the loader does not search it
  if (is_own(*info)) {
    search.behind_us = true;
    return 0;
  }
  if (!search.behind_us) return 0;
  const Module module = module_of(*info);
  const SymbolTable symbols(module);
  bool all = true;
  for (NextDefinition& one : search.wanted) {
    if (one.address != 0) continue;
    const Elf64_Sym* const symbol = symbols.find(one.name);
    if (symbol == nullptr) {
      all = false;
      continue;
    }
    one.address = module.load_bias + symbol->st_value;
    if (ELF64_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC)
      one.address = reinterpret_cast<std::uintptr_t (*)()>(one.address)();
  }
  return all ? 1 : 0;
}

}  // namespace

CodeRange find_dynamic_symbol(const Module& module, std::string_view name) noexcept {
  const Elf64_Sym* const symbol = SymbolTable(module).find(name);
  if (symbol == nullptr) return {};
  return {module.load_bias + symbol->st_value, symbol->st_size};
}

std::string_view dynamic_strings(const Module& module) noexcept {
  return SymbolTable(module).strings();
}

bool any_module_defines(std::string_view name) noexcept {
  const auto defines = [](dl_phdr_info* info, std::size_t, void* wanted) {
    const auto& symbol = *static_cast<const std::string_view*>(wanted);
    return SymbolTable(module_of(*info)).find(symbol) != nullptr ? 1 : 0;
  };
  return dl_iterate_phdr(defines, &name) != 0;
}

bool any_foreign_module(bool (*is_one)(const Module& module)) noexcept {
  const auto ask = [](dl_phdr_info* info, std::size_t, void* predicate) {
    const auto asked = *static_cast<bool (**)(const Module&)>(predicate);
    if (is_own(*info) || is_from_kernel(*info, AT_SYSINFO_EHDR) || is_from_kernel(*info, AT_BASE))
      return 0;
    const Module module = module_of(*info);
    // A function of the C library's that nobody interposes.
    if (SymbolTable(module).find("gnu_get_libc_version") != nullptr) return 0;
    return asked(module) ? 1 : 0;
  };
  return dl_iterate_phdr(ask, static_cast<void*>(&is_one)) != 0;
}

void find_next_definitions(std::span<NextDefinition> wanted) noexcept {
  NextSearch search{.wanted = wanted};
  dl_iterate_phdr(look_for_next, &search);
  const auto is_missing = [](const NextDefinition& one) { return one.address == 0; };
  if (std::any_of(wanted.begin(), wanted.end(), is_missing)) {
    search.behind_us = true;
    dl_iterate_phdr(look_for_next, &search);
  }
}

}  // namespace clockshim
