// Functions that do nothing but read the clock for their caller. A return address inside such a
// wrapper says nothing, so the call is counted under the first caller behind it.
#pragma once

#include <cstdint>

#include "os/module.h"

namespace clockshim {

// Whether the return address is in a known wrapper, by the dynamic symbols of its module or by what
// find_static_wrappers() has found. In the Java virtual machine every function that calls the clock
// itself is one (`depth` 1: the innermost frame). Takes no lock, makes no system call.
bool in_wrapper(const Module& module, std::uintptr_t return_address, unsigned depth) noexcept;

// Finds wrappers that are linked statically into the executable, by the names in its file. At
// start, once, before there is a second thread; opens a file. Does not find those of a stripped
// program, or of one with a very large symbol table.
void find_static_wrappers() noexcept;

}  // namespace clockshim
