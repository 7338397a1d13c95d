// What a CPU must offer to be served: the contract, and the choice of the one file that fulfils it.
// To port: write counter_<cpu>.h with a type that satisfies CounterArch, and add it below.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "base/ticks.h"

namespace clockshim {

// clang-format off: version 14 does not know requirements
template <class A>
concept CounterArch = requires(std::uint64_t& count) {
  // The counter, in program order after every earlier load (what one thread saw of another is older
  // than the reading).
  { A::ordered() }
  noexcept->std::same_as<Ticks>;
  // The counter, at no particular point of the surrounding instructions.
  { A::unordered() }
  noexcept->std::same_as<Ticks>;
  // The counter together with the CPU that it is of: by Linux's rseq area, or by the CPU's own
  // means.
  { A::ordered_here(std::ptrdiff_t{}) }
  noexcept->std::same_as<Reading>;
  { A::unordered_here(std::ptrdiff_t{}) }
  noexcept->std::same_as<Reading>;
  { A::by_aux() }
  noexcept->std::same_as<Reading>;
  // Adds one by a single instruction: a signal handler on this thread sees it done or not begun.
  // Not atomic across CPUs.
  { A::increment(count) }
  noexcept;
  // The thread pointer: different for every live thread that has a thread control block of its own.
  { A::thread_pointer() }
  noexcept->std::same_as<std::uintptr_t>;
};
// clang-format on

}  // namespace clockshim

#if defined(__x86_64__) && defined(__LP64__)
#include "arch/counter_x86_64.h"
namespace clockshim {
using Arch = CounterX86_64;
}
#else
#error "clockshim has no counter for this CPU yet: see arch/counter.h"
#endif

static_assert(clockshim::CounterArch<clockshim::Arch>);
