// x86-64: the time stamp counter.
//
// rdtsc is not ordered against earlier loads: it may execute while a load that came before it is still under way, and so
// return a value older than what that load saw (Intel SDM vol. 2B, RDTSC; AMD APM vol. 3, RDTSC). lfence waits for all
// earlier instructions to complete (on AMD with the dispatch-serialising bit, which Linux sets). No fence is needed
// behind it: a later store becomes visible only after rdtsc has retired.
#pragma once

#include <cstdint>

#include "base/attributes.h"
#include "base/ticks.h"

namespace clockshim {

struct CounterX86_64 {
  static CLOCKSHIM_INLINE Ticks ordered() noexcept {
    std::uint32_t low;
    std::uint32_t high;
    asm volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    return Ticks{static_cast<std::uint64_t>(high) << 32 | low};
  }

  static CLOCKSHIM_INLINE Ticks unordered() noexcept {
    std::uint32_t low;
    std::uint32_t high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return Ticks{static_cast<std::uint64_t>(high) << 32 | low};
  }

  static CLOCKSHIM_INLINE void increment(std::uint64_t& count) noexcept { asm volatile("incq %0" : "+m"(count) : : "cc"); }

  static CLOCKSHIM_INLINE std::uintptr_t thread_pointer() noexcept { return reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer()); }
};

}  // namespace clockshim
