// The modules that hold call sites, as they stand in the region.
#pragma once

#include <bitset>
#include <cstdint>

#include "live/layout.h"

namespace clockshim::live {

// The index of the record of the module that holds `pc`, a return address of the calling thread. It
// is made at first sight; a module that comes back to where it was before has its old one.
// kModules: no module, or no room. Async-signal-safe, lock-free.
unsigned module_of(Region& region, std::uintptr_t pc) noexcept;

// By the number of their records.
using Modules = std::bitset<kModules>;

// Marks the records of modules that are not there any more, and says which were found gone just
// now. Only where nothing can be unloaded meanwhile (os/module.h).
Modules mark_unloaded(Region& region) noexcept;

}  // namespace clockshim::live
