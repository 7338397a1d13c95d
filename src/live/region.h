// The process's own region (live/layout.h): where it counts.
#pragma once

#include <cstddef>

#include "live/layout.h"

namespace clockshim::live {

// Static memory, right when all zero: counts of before start stand in it, and a segment is attached
// in its place at start. There is room for kSizeWithFewNames bytes of it: a larger region stands
// elsewhere, and nobody writes to the rest of this one before start.
extern Region g_region asm("clockshim_region");

// Where this process counts: g_region, or in a forked child what its parent has prepared for it.
extern constinit Region* g_current;
inline Region& current() noexcept { return *g_current; }

// Completes a header that stands at the beginning of `size` bytes of zeros: magic, version,
// sections, and the pages that are read in any case. `from` has the other fields. The state stays
// State::none until somebody counts.
void begin_region(Region& region, const Header& from, std::size_t size) noexcept;

// Private memory for a region of `size` bytes: g_region where it has room for that, else new
// memory; null: there is none. Forked children find zeros in it (from Linux 4.14 on).
Region* private_region(std::size_t size) noexcept;

}  // namespace clockshim::live
