// The sites of modules that dlclose() has unloaded.
//
// Such a site is renamed: its counts stay where they are in the tables, but under a key that no
// call has. The new key is made from the old one and the numbers of the modules of its frames. So
// it is the same whichever module goes first, and it can be computed at a first call: a site whose
// modules are all loaded again takes up its old counts. A plug-in that is loaded and unloaded again
// and again needs room for its sites only once.
#pragma once

#include "callsite/call_counts.h"
#include "callsite/site_registry.h"
#include "callsite/stack.h"
#include "live/layout.h"
#include "live/site_key.h"

namespace clockshim {

// The key that `key` gets when it is retired. `key` belongs to a call by the `depth` frames of
// `chain`, or to what is behind them. Async-signal-safe.
SiteKey retired_key(live::Region& region, SiteKey key, const Frame* chain, unsigned depth) noexcept;

// After dlclose(): moves the counts of sites in unloaded modules to keys that no call has, so that
// whatever is loaded in the same place is counted under its own name. `locked` means that the
// caller has held the loader's lock since before the closing, so that nothing can be loaded
// meanwhile (preload/unloading.cpp); without it dl_iterate_phdr's lock is taken. Any thread may
// call it, but no clock call and no signal handler.
void retire_unloaded(SiteRegistry& sites, CallCounts& counts, bool locked) noexcept;

}  // namespace clockshim
