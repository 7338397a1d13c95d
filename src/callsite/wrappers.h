// Functions that do nothing but ask for the time on somebody's behalf. A return address inside one says nothing, so the
// call is counted under the first caller behind it.
#pragma once

#include <cstdint>

#include "os/module.h"

namespace clockshim {

// Whether the return address stands in one of the known wrappers, by the dynamic symbols of its module: no lock, no
// system call. A wrapper without a dynamic symbol (statically linked, inlined) is not found.
bool in_wrapper(const Module& module, std::uintptr_t return_address) noexcept;

}  // namespace clockshim
