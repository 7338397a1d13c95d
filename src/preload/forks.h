// Regions for forked children: one is prepared before each fork. And children of a raw clone, which
// no fork handler sees.
#pragma once

#include "base/attributes.h"

namespace clockshim {

// Call this at the end of the constructor: from then on each fork prepares a region for its child,
// and clones are noticed.
void expect_forks() noexcept;

// Whether the region is this process's own. False in the child of a raw clone, which counts in its
// parent's region. Meaningful only after expect_forks().
bool region_is_ours() noexcept;

// Handles a call that finds the fast path's mode bits wiped: before start, or in the first call of
// a child that no fork handler has seen. Such a child then counts by locked additions in the region
// that it shares with its parent, and its fast path is enabled again (g_hot_state). Makes no system
// call and loses no call of another thread or of a signal handler. Any number of these may call it
// at the same time.
CLOCKSHIM_ALIGNS_STACK void follow_clone() noexcept;

// At exit: removes children's files that were never used, or whose reports the children have
// written.
void tidy_children() noexcept;

}  // namespace clockshim
