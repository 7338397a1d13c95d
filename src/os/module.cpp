#include "os/module.h"

#include <dlfcn.h>
#include <link.h>

#include <bit>
#include <cstddef>
#include <cstring>

#include "os/module_snapshot.h"
#include "os/real_functions.h"

namespace clockshim {
namespace {

// _dl_find_object()'s result, which <dlfcn.h> declares from glibc 2.35 on.
struct FoundObject {
  unsigned long long flags;
  void* map_start;
  void* map_end;
  link_map* map;
  void* eh_frame;
  unsigned long long reserved[7];
};
#ifdef DLFO_EH_SEGMENT_TYPE
static_assert(sizeof(FoundObject) == sizeof(dl_find_object));
static_assert(offsetof(FoundObject, eh_frame) == offsetof(dl_find_object, dlfo_eh_frame));
#endif

}  // namespace

bool find_module(std::uintptr_t address, Module& out) noexcept {
  const auto find = real_functions().dl_find_object.load(std::memory_order_relaxed);
  if (find == nullptr) return find_in_snapshot(address, out);
  FoundObject found;
  if (find(reinterpret_cast<void*>(address), &found) != 0) return false;
  const link_map* map = found.map;
  out.map_start = reinterpret_cast<std::uintptr_t>(found.map_start);
  out.map_end = reinterpret_cast<std::uintptr_t>(found.map_end);
  out.unwind_header = static_cast<const std::uint8_t*>(found.eh_frame);
  out.load_bias = map != nullptr ? map->l_addr : 0;
  out.path = map != nullptr && map->l_name != nullptr ? map->l_name : "";
  out.dynamic = map != nullptr ? map->l_ld : nullptr;
  return true;
}

int iterate_modules(int (*f)(dl_phdr_info* info, std::size_t size, void* argument),
                    void* argument) noexcept {
  const auto real = real_functions().dl_iterate_phdr.load(std::memory_order_relaxed);
  return real != nullptr ? real(f, argument) : 0;
}

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

}  // namespace clockshim
