// The process's own region (live/layout.h), in which it counts.
#pragma once

#include <cstddef>

#include "live/layout.h"

namespace clockshim::live {

// Static memory, valid when all zero. It has the counts from before start, and at start a segment
// is attached in its place. It has room for kSizeWithFewNames bytes. A larger region is elsewhere;
// before start nothing beyond these bytes is written to.
extern Region g_region asm("clockshim_region");

// Where this process counts: g_region, or a larger region, or in a forked child what its parent has
// prepared for it.
extern constinit Region* g_current;
inline Region& current() noexcept { return *g_current; }

// Completes the header at the beginning of `size` bytes of zeros: magic, version, sections, and the
// pages that are always read. The other fields come from `from`. The state remains State::none
// until a thread counts.
void begin_region(Region& region, const Header& from, std::size_t size) noexcept;

// Returns private memory for a region of `size` bytes: g_region if it has room for that, else new
// memory; null if there is none. Forked children find it zeroed (from Linux 4.14 on).
Region* private_region(std::size_t size) noexcept;

}  // namespace clockshim::live
