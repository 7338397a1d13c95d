// Identifies the hypervisor of a guest, and the counter's frequency that the CPU or the hypervisor
// claims. Reading CPUID is separate from judging it, so that tests can pass in the leaves of
// machines that they do not have.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace clockshim::cli {

enum class Hypervisor : std::uint8_t {
  none,
  kvm,
  vmware,
  virtualbox,
  xen,
  hyperv,
  firecracker,
  tcg,
  other
};

// The name in the report: "KVM", "VMware", ...; "none" on bare metal.
std::string_view hypervisor_name(Hypervisor hypervisor);

// What it is known to do with its guests' clocks, in one sentence; "" if nothing is known.
std::string_view hypervisor_habits(Hypervisor hypervisor);

// A claimed frequency of the counter.
struct FrequencyClaim {
  std::string by;
  double mhz = 0;
  bool exact =
      true;  // false: a nominal figure (CPUID.16H), from which the counter's own may differ
};

struct CpuFacts {
  bool guest = false;                   // CPUID.1:ECX[31]
  bool invariant = false;               // CPUID.80000007H:EDX[8]
  std::vector<std::string> signatures;  // of the hypervisor leaves, 12 characters each, such as
                                        // "KVMKVMKVM" without trailing zeros
  std::vector<FrequencyClaim> claims;
};

// Reads CPUID. Each leaf traps in a guest: some tens of microseconds in all.
CpuFacts read_cpu_facts();

// The machine's names in firmware and kernel. Any may be "".
struct MachineNames {
  std::string vendor;   // /sys/class/dmi/id/sys_vendor
  std::string product;  // /sys/class/dmi/id/product_name
  std::string type;     // /sys/hypervisor/type
  std::string log;      // the whole kernel log
};

// Uses the signatures first, but the firmware's names where they are better: VirtualBox calls
// itself KVM to Linux guests, and so does Firecracker.
Hypervisor identify_hypervisor(const CpuFacts& cpu, const MachineNames& names);

}  // namespace clockshim::cli
