// What a CPU must offer: the contract, and the choice of the one file that fulfils it.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "base/ticks.h"

namespace clockshim {

// clang-format off: version 14 does not know requirements
template <class A>
concept CounterArch = requires(std::uint64_t& count) {
  // Reads the counter, in program order after every earlier load. So what this thread saw of
  // another thread is older than the reading.
  { A::ordered() }
  noexcept->std::same_as<Ticks>;
  // Reads the counter, in no particular order with the surrounding instructions.
  { A::unordered() }
  noexcept->std::same_as<Ticks>;
  // Reads the counter together with the number of its CPU, by Linux's rseq area `area` bytes from
  // the thread pointer, or (by_aux) by the CPU's own means.
  { A::ordered_here(std::ptrdiff_t{}) }
  noexcept->std::same_as<Reading>;
  { A::unordered_here(std::ptrdiff_t{}) }
  noexcept->std::same_as<Reading>;
  { A::by_aux() }
  noexcept->std::same_as<Reading>;
  // Adds one by a single instruction, so that a signal handler on this thread sees it done or not
  // begun. It is not atomic across CPUs.
  { A::increment(count) }
  noexcept;
  // The thread pointer: different for every live thread that has a thread control block of its own.
  { A::thread_pointer() }
  noexcept->std::same_as<std::uintptr_t>;
};
// clang-format on

}  // namespace clockshim

#if defined(CLOCKSHIM_PLANTED_COUNTER)
#include CLOCKSHIM_PLANTED_COUNTER  // a test's, tests/planted: CPUs whose counters disagree
#elif defined(__x86_64__) && defined(__LP64__)
#include "arch/counter_x86_64.h"
namespace clockshim {
using Arch = CounterX86_64;
}
#else
#error "clockshim has no counter for this CPU yet: see arch/counter.h"
#endif

static_assert(clockshim::CounterArch<clockshim::Arch>);
