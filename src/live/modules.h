// The records in the region for modules that contain call sites.
#pragma once

#include <bitset>
#include <cstdint>

#include "live/layout.h"

namespace clockshim::live {

// Returns the index of the record of the module that contains `pc`, a return address of the calling
// thread. Creates the record at the first call; a module that is loaded where it was before has its
// old one. kModules: no module contains it, or there is no room. Async-signal-safe, lock-free.
unsigned module_of(Region& region, std::uintptr_t pc) noexcept;

// A set of modules, indexed by their records.
using Modules = std::bitset<kModules>;

// Marks the records of modules that are not loaded any more, and returns those found just now. Call
// it only where nothing can be unloaded meanwhile (os/module.h).
Modules mark_unloaded(Region& region) noexcept;

}  // namespace clockshim::live
