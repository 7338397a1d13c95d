// What the CPU reports about its counter, by CPUID only: no system call. Async-signal-safe. In a
// virtual machine CPUID traps, which takes tens of microseconds, so call these at start only.
#pragma once

namespace clockshim {

// The four registers that CPUID answers in.
struct CpuidLeaf {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
};

// Sub-leaf 0 of a leaf; all zero if the CPU has no such leaf. Leaves from 0x40000000 on belong to a
// hypervisor, whose first leaf says how many there are. They mean nothing unless
// in_virtual_machine().
CpuidLeaf cpuid(unsigned number) noexcept;

// Whether the counter runs at a constant rate in all P-, C- and T-states: CPUID.80000007H:EDX[8]
// (Intel SDM vol. 3B, "Invariant TSC"; AMD APM vol. 3, appendix E).
bool counter_invariant() noexcept;

// Whether there is rdtscp: CPUID.80000001H:EDX[27].
bool cpu_has_rdtscp() noexcept;

// Whether this is a hypervisor's guest: CPUID.1:ECX[31].
bool in_virtual_machine() noexcept;

}  // namespace clockshim
