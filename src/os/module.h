// The loaded module (executable or shared object) that holds an address, without the loader's lock:
// by glibc's _dl_find_object (2.35), which is async-signal-safe.
//
// What it finds points into the loader's data and into the module's memory, and another thread's
// dlclose() frees both. So a module may be looked at only where it can't go away:
// - in a clock call, by a return address of the calling thread: the thread returns there, so the
//   program may not unload that module before. (A thread that never returns there, because its code
//   has unloaded itself and goes on to pthread_exit(), finds no module there any more.)
// - under the loader's lock for loading (preload/unloading.cpp), or inside
//   while_none_is_unloaded(), which are for everything else;
// - at start, of modules that are never unloaded.
#pragma once

#include <elf.h>

#include <cstdint>
#include <span>
#include <string_view>

namespace clockshim {

struct Module {
  std::uintptr_t map_start = 0;
  std::uintptr_t map_end = 0;
  std::uintptr_t load_bias =
      0;  // an address minus this is the offset that addr2line and objdump want
  const char* path = nullptr;                   // "" for the executable
  const std::uint8_t* unwind_header = nullptr;  // .eh_frame_hdr, or null
  const Elf64_Dyn* dynamic = nullptr;
  std::span<const std::uint8_t> build_id{};  // as find_build_id() found it
};

// How many modules have been unloaded since the process began. Takes dl_iterate_phdr's lock for an
// instant: never in a clock call.
std::uint64_t modules_unloaded() noexcept;

// Calls f(argument) while no module of any namespace can be unmapped: under dl_iterate_phdr's lock,
// so never in a clock call, and only where there is no other way. A child that another thread forks
// meanwhile finds that lock taken for good.
void while_none_is_unloaded(void (*f)(void* argument), void* argument) noexcept;

// False: no module there (JIT code, or glibc older than 2.35).
bool find_module(std::uintptr_t address, Module& out) noexcept;

// The module's build-id, from its note in memory; empty where it has none.
std::span<const std::uint8_t> find_build_id(const Module& module) noexcept;

// A hash of the module's program headers and dynamic section: tells two builds that have no
// build-id apart, if one size differs.
std::uint64_t fingerprint(const Module& module) noexcept;

// The range of a function that the module defines under this dynamic symbol, or an empty one.
struct CodeRange {
  std::uintptr_t start = 0;
  std::uintptr_t size = 0;
  [[nodiscard]] bool contains(std::uintptr_t address) const { return address - start < size; }
};
CodeRange find_dynamic_symbol(const Module& module, std::string_view name) noexcept;

// Whether one of the modules that are loaded now does. At start only: takes the loader's lock.
bool any_module_defines(std::string_view name) noexcept;

}  // namespace clockshim
