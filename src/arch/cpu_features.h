// What the CPU says of its counter. CPUID only: no system call.
#pragma once

namespace clockshim {

// Whether the counter runs at a constant rate in all P-, C- and T-states: CPUID.80000007H:EDX[8] (Intel SDM vol. 3B,
// "Invariant TSC"; AMD APM vol. 3, appendix E). Async-signal-safe. Tens of microseconds in a virtual machine, where CPUID
// traps: for the start only.
bool counter_invariant() noexcept;

}  // namespace clockshim
