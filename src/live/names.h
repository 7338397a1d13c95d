// Names that no symbol table has, as they stand in the region.
#pragma once

#include <cstdint>

#include "live/layout.h"

namespace clockshim::live {

// The number of the record with this key (not 0), which is made of `name` at first sight; kNames:
// no room. `fresh`: it was made just now. Async-signal-safe, lock-free.
unsigned number_of_name(Region& region, std::uint64_t key, const Name& name, bool& fresh) noexcept;

// How many the region has room for.
unsigned room_for_names(const Region& region) noexcept;

}  // namespace clockshim::live
