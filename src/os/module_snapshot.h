// A copy of the loader's list of modules, for glibc older than 2.35, which has no _dl_find_object.
// It is made under dl_iterate_phdr's lock and read without any lock, from signal handlers, too.
//
// It is refreshed whenever modules are loaded or unloaded, as far as that can be noticed:
// - Each module that the usual start files were linked into calls __gmon_start__, if anybody
//   defines it, before its constructors run. The library does (preload/lifecycle.cpp). This way
//   dlopen() is noticed without standing between it and its caller, by whose address it searches.
// - dlclose(), which the library interposes.
// What the C library unloads itself (its modules for character sets and for name services) stays in
// the snapshot until the next refresh. So what is found is checked, unless it was there at start.
#pragma once

#include <cstdint>

#include "os/module.h"

namespace clockshim {

// Takes the loader's lock, so never in a clock call. Does nothing if nothing has changed since the
// last time, or where _dl_find_object is there.
void refresh_snapshot() noexcept;

// As find_module(). Makes one system call where the module was loaded after start.
// Async-signal-safe, once there is a snapshot: the first one is made on demand.
bool find_in_snapshot(std::uintptr_t address, Module& out) noexcept;

}  // namespace clockshim
