// Functions that do nothing but ask for the time on somebody's behalf. A return address inside one
// says nothing, so the call is counted under the first caller behind it.
#pragma once

#include <cstdint>

#include "os/module.h"

namespace clockshim {

// Whether the return address stands in one of the known wrappers, by the dynamic symbols of its
// module, or by what find_static_wrappers() has found. In the Java virtual machine, any function
// that calls the clock itself (`depth` 1: the innermost frame) is one. No lock, no system call.
bool in_wrapper(const Module& module, std::uintptr_t return_address, unsigned depth) noexcept;

// Looks for wrappers that are linked into the executable statically: their names stand in its file
// only. At start, once, before there is a second thread; opens a file. Those of a stripped program,
// or of one with a very large symbol table, are not found.
void find_static_wrappers() noexcept;

// Whether a function of this name in a .symtab is a wrapper: the known names, static functions
// among them, and those of Rust's standard library, whose names have a hash in them.
bool is_wrapper_name(const char* name) noexcept;

}  // namespace clockshim
