// What the CPU says of its counter. CPUID only: no system call.
#pragma once

namespace clockshim {

struct CpuFeatures {
  bool counter = false;            // CPUID.1:EDX[4], rdtsc exists
  bool counter_invariant = false;  // CPUID.80000007H:EDX[8], constant rate in all P-, C- and T-states (Intel SDM 3B, 18.17.1)
  bool hypervisor = false;         // CPUID.1:ECX[31]
  char brand[49] = {};             // CPUID.80000002H..4H, NUL-terminated, "" where the CPU has none
};

// Async-signal-safe, thread-safe, about 30 us in a virtual machine (CPUID traps), so called once at start.
CpuFeatures cpu_features() noexcept;

}  // namespace clockshim
