// The modules that hold call sites, as they stand in the region.
#pragma once

#include <cstdint>

#include "live/layout.h"

namespace clockshim::live {

// The index of the record of the module that holds `pc`, which is made at first sight; kModules: no module, or no room.
// Async-signal-safe, lock-free.
unsigned module_of(Region& region, std::uintptr_t pc) noexcept;

// Marks the records of modules that are not there any more. f(record) for each that was found gone just now.
template <class F>
void for_each_gone(Region& region, F f) noexcept;

// Whether the module of a record is still loaded where it was.
bool still_loaded(const ModuleRecord& record) noexcept;

template <class F>
void for_each_gone(Region& region, F f) noexcept {
  for (ModuleRecord& record : region.modules) {
    if (record.state.load(std::memory_order_acquire) != kValid || still_loaded(record)) continue;
    if (record.unloaded.exchange(1, std::memory_order_acq_rel) == 0) f(record);
  }
}

}  // namespace clockshim::live
