// Which loaded modules can ask for the time through this library, by the names that they import.
#pragma once

#include "os/module.h"

namespace clockshim {

// Whether the module's dynamic strings name an interposed function that reads a clock. True also
// where the table is too large to be worth a search, or is not there.
bool names_clock_reader(const Module& module) noexcept;

// Whether any module that is loaded now can read a clock through us, or can find a function or a
// module later that does: it names a reader, syscall(), dlopen(), dlsym() or one of their kin. The
// C library, the loader and the vDSO have those names and never use ours. At start only, because it
// takes the loader's lock.
//
// False is not a promise: the C library itself loads modules, for user names and character sets. A
// call from one of these has to be right all the same.
bool clock_is_reachable() noexcept;

}  // namespace clockshim
