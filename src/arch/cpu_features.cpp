#include "arch/cpu_features.h"

#include <cpuid.h>

namespace clockshim {

CpuidLeaf cpuid(unsigned number) noexcept {
  constexpr unsigned kRange = 0xf0000000U;
  constexpr unsigned kHypervisors = 0x40000000U;
  CpuidLeaf l;
  // The first leaf of a range returns the highest one, except in the hypervisor's range on a CPU
  // without a hypervisor.
  const auto highest = static_cast<unsigned>(__get_cpuid_max(number & kRange, nullptr));
  if ((number & kRange) != kHypervisors && highest < number) return l;
  __cpuid_count(number, 0, l.a, l.b, l.c, l.d);
  return l;
}

bool counter_invariant() noexcept { return (cpuid(0x80000007U).d >> 8 & 1U) != 0; }
bool cpu_has_rdtscp() noexcept { return (cpuid(0x80000001U).d >> 27 & 1U) != 0; }
bool in_virtual_machine() noexcept { return (cpuid(1).c >> 31 & 1U) != 0; }

}  // namespace clockshim
