// The records in the region for names that no symbol table has.
#pragma once

#include <cstdint>

#include "live/layout.h"

namespace clockshim::live {

// Returns the number of the record with this key (not 0), and creates it from `name` at the first
// call; kNames: no room. `fresh` is set if it was created just now. Async-signal-safe, lock-free.
unsigned number_of_name(Region& region, std::uint64_t key, const Name& name, bool& fresh) noexcept;

// How many names the region has room for.
unsigned room_for_names(const Region& region) noexcept;

}  // namespace clockshim::live
