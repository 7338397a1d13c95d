// Finds the loaded module (executable or shared object) that contains an address, without the
// loader's lock: by glibc's _dl_find_object (2.35), which is async-signal-safe. Where that is
// missing, a snapshot of the loader's list answers (os/module_snapshot.h).
//
// The result points into the loader's data and into the module's memory, and another thread's
// dlclose() frees both. So a module may be used only where it can't be unloaded:
// - in a clock call, by a return address of the calling thread: the thread returns there, so the
//   program must not unload that module before. (A thread that never returns there, because its
//   code has unloaded itself and goes on to pthread_exit(), finds no module any more.)
// - under the loader's lock for loading (preload/unloading.cpp), or inside
//   while_none_is_unloaded(), everywhere else;
// - at start, for modules that are never unloaded.
#pragma once

#include <elf.h>
#include <link.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace clockshim {

struct Module {
  std::uintptr_t map_start = 0;
  std::uintptr_t map_end = 0;
  std::uintptr_t load_bias = 0;  // an address minus this is what addr2line and objdump expect
  const char* path = nullptr;    // "" for the executable
  const std::uint8_t* unwind_header = nullptr;  // .eh_frame_hdr, or null
  const Elf64_Dyn* dynamic = nullptr;
  std::span<const std::uint8_t> build_id{};  // set by the caller from find_build_id()
};

// Calls the C library's own dl_iterate_phdr. One that a host has instead (with a list that it has
// copied, say) need not take the loader's lock.
int iterate_modules(int (*f)(dl_phdr_info* info, std::size_t size, void* argument),
                    void* argument) noexcept;

// The number of modules that were unloaded since the process began. It takes dl_iterate_phdr's lock
// for an instant, so never call it in a clock call.
std::uint64_t modules_unloaded() noexcept;

// Calls f(argument) while no module of any namespace can be unmapped. It holds dl_iterate_phdr's
// lock, so never call it in a clock call, and only where there is no other way: if another thread
// forks meanwhile, the child finds that lock held for ever.
void while_none_is_unloaded(void (*f)(void* argument), void* argument) noexcept;

// Finds the module that contains `address`. False: there is none (JIT code).
bool find_module(std::uintptr_t address, Module& out) noexcept;

// The module's build-id, from its note in memory; empty if it has none.
std::span<const std::uint8_t> find_build_id(const Module& module) noexcept;

// A hash of the module's program headers and dynamic section. It distinguishes two builds without a
// build-id if any size differs.
std::uint64_t fingerprint(const Module& module) noexcept;

}  // namespace clockshim
