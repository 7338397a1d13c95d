// Looks up what loaded modules define for others, in their dynamic symbol tables: without dlsym(),
// which is in a library of its own before glibc 2.34 (libdl.so.2), and which hosts interpose.
#pragma once

#include <elf.h>

#include <cstdint>
#include <span>
#include <string_view>

#include "os/module.h"

namespace clockshim {

// The address range of a function that the module defines under this dynamic symbol; empty if it
// defines none.
struct CodeRange {
  std::uintptr_t start = 0;
  std::uintptr_t size = 0;
  [[nodiscard]] bool contains(std::uintptr_t address) const { return address - start < size; }
};
CodeRange find_dynamic_symbol(const Module& module, std::string_view name) noexcept;

// All names that the module's dynamic symbols have, imported or defined, and those of the libraries
// that it needs, each ended by a zero byte.
std::string_view dynamic_strings(const Module& module) noexcept;

// Whether any module that is loaded now defines this symbol. At start only, because it takes the
// loader's lock.
bool any_module_defines(std::string_view name) noexcept;

// Whether `is_one` is true of any module that is loaded now, the C library, the loader, the vDSO
// and this library left out. At start only, because it takes the loader's lock.
bool any_foreign_module(bool (*is_one)(const Module& module)) noexcept;

// A symbol to be looked up, and where it is: 0, if it is nowhere.
struct NextDefinition {
  std::string_view name;
  std::uintptr_t address = 0;
};

// Finds the definitions behind this library in the loader's order, as dlsym(RTLD_NEXT) does. What
// no module behind us defines is taken from the first other one that does: a library that was
// loaded by dlopen() has the C library before it. Takes the loader's lock: at start only.
void find_next_definitions(std::span<NextDefinition> wanted) noexcept;

}  // namespace clockshim
