#include "cli/machine/hypervisor.h"

#include <algorithm>
#include <cstring>

#include "arch/cpu_features.h"

namespace clockshim::cli {
namespace {

constexpr unsigned kHypervisorLeaves = 0x40000000U;
constexpr unsigned kLeavesEnd = 0x40010000U;  // where Linux stops searching
constexpr unsigned kLeavesStep = 0x100U;
constexpr unsigned kTimingLeaf =
    0x10U;  // EAX: the counter's frequency in kHz (VMware's proposal, which QEMU and others follow)

std::string signature_of(const CpuidLeaf& l) {
  char text[13] = {};
  std::memcpy(text, &l.b, 4);
  std::memcpy(text + 4, &l.c, 4);
  std::memcpy(text + 8, &l.d, 4);
  return text;
}

void add_cpu_claims(std::vector<FrequencyClaim>& claims) {
  // Intel SDM vol. 3B, "Determining the processor base frequency": crystal * numerator /
  // denominator
  const CpuidLeaf crystal = cpuid(0x15);
  if (crystal.a != 0 && crystal.b != 0 && crystal.c != 0)
    claims.push_back({"CPUID.15H", double(crystal.c) * crystal.b / crystal.a / 1e6, true});
  const unsigned mhz = cpuid(0x16).a & 0xffffU;
  if (mhz != 0) claims.push_back({"CPUID.16H", double(mhz), false});
}

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

std::string_view hypervisor_name(Hypervisor hypervisor) {
  switch (hypervisor) {
    case Hypervisor::none: return "none";
    case Hypervisor::kvm: return "KVM";
    case Hypervisor::vmware: return "VMware";
    case Hypervisor::virtualbox: return "VirtualBox";
    case Hypervisor::xen: return "Xen";
    case Hypervisor::hyperv: return "Hyper-V";
    case Hypervisor::firecracker: return "Firecracker";
    case Hypervisor::tcg: return "QEMU/TCG";
    case Hypervisor::other: break;
  }
  return "unknown";
}

std::string_view hypervisor_habits(Hypervisor hypervisor) {
  switch (hypervisor) {
    case Hypervisor::kvm:
      return "offers kvm-clock, which the vDSO serves; the TSC is the clocksource only where the "
             "guest is given invtsc";
    case Hypervisor::vmware:
      return "tells the TSC's frequency and keeps it in step; Linux then marks it reliable and "
             "skips the sync test";
    case Hypervisor::virtualbox:
      return "gives up its offset TSC for guests with several CPUs; the kernel then finds a warp "
             "at boot and falls back on acpi_pm";
    case Hypervisor::xen:
      return "offers the clocksource xen; old instances keep it, though their TSC may be sound; "
             "may emulate rdtsc (tsc_mode)";
    case Hypervisor::hyperv:
      return "offers a TSC page (hyperv_clocksource_tsc_page), which the vDSO serves";
    case Hypervisor::firecracker:
      return "is KVM without the devices: no hpet and no acpi_pm to fall back on, only kvm-clock "
             "and tsc";
    case Hypervisor::tcg:
      return "emulates each instruction: all figures are of the emulator, and the TSC is not "
             "promised to be invariant";
    case Hypervisor::none:
    case Hypervisor::other: break;
  }
  return "";
}

CpuFacts read_cpu_facts() {
  CpuFacts facts;
  facts.guest = in_virtual_machine();
  facts.invariant = counter_invariant();
  add_cpu_claims(facts.claims);
  // Without the guest bit these leaves are undefined: Intel CPUs return those of another leaf.
  for (unsigned base = kHypervisorLeaves; facts.guest && base < kLeavesEnd; base += kLeavesStep) {
    const CpuidLeaf first = cpuid(base);
    const std::string signature = signature_of(first);
    const bool plausible =
        signature.size() >= 8 && std::all_of(signature.begin(), signature.end(),
                                             [](char c) { return c >= ' ' && c <= '~'; });
    if (!plausible) break;
    facts.signatures.push_back(signature);
    const bool has_timing = first.a >= base + kTimingLeaf && first.a < base + kLeavesStep;
    // Hyper-V uses this leaf for something else.
    if (has_timing && signature != "Microsoft Hv") {
      const unsigned khz = cpuid(base + kTimingLeaf).a;
      if (khz != 0) facts.claims.push_back({"hypervisor leaf 0x40000010", khz / 1e3, true});
    }
  }
  return facts;
}

Hypervisor identify_hypervisor(const CpuFacts& cpu, const MachineNames& names) {
  if (contains(names.vendor, "innotek") || contains(names.product, "VirtualBox"))
    return Hypervisor::virtualbox;
  if (contains(names.vendor, "VMware")) return Hypervisor::vmware;
  const auto signed_by = [&](const char* signature) {
    return std::find(cpu.signatures.begin(), cpu.signatures.end(), signature) !=
           cpu.signatures.end();
  };
  // Check KVM before Hyper-V and Xen: it can pretend to be either, in leaves before its own.
  if (signed_by("KVMKVMKVM"))
    return contains(names.log, "FIRECK") ? Hypervisor::firecracker : Hypervisor::kvm;
  if (signed_by("VBoxVBoxVBox")) return Hypervisor::virtualbox;
  if (signed_by("VMwareVMware")) return Hypervisor::vmware;
  if (signed_by("TCGTCGTCGTCG")) return Hypervisor::tcg;
  if (signed_by("XenVMMXenVMM") || names.type == "xen") return Hypervisor::xen;
  if (signed_by("Microsoft Hv")) return Hypervisor::hyperv;
  return cpu.guest ? Hypervisor::other : Hypervisor::none;
}

}  // namespace clockshim::cli
