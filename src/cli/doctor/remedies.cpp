#include "cli/doctor/remedies.h"

#include <algorithm>

namespace clockshim::cli {
namespace {

constexpr const char* kSwitch = "/sys/devices/system/clocksource/clocksource0/current_clocksource";

bool is_on_tsc(const Machine& machine) { return machine.clocksource == "tsc"; }

void from_the_command_line(const Machine& machine, std::vector<Remedy>& all) {
  const std::string asked = parameter(machine, "clocksource");
  for (const std::string& word : machine.parameters) {
    const bool away_from_tsc = word == "notsc" || word == "tsc=unstable" || word == "vdso=0" ||
                               (word == "clocksource=" + asked && asked != "tsc");
    if (!away_from_tsc) continue;
    all.push_back({"take " + word + " off the kernel's command line",
                   "the boot loader's configuration, then a reboot",
                   "somebody may have had a reason; the kernel then chooses by itself, and this "
                   "command tells what it chose"});
  }
}

void at_run_time(const Machine& machine, bool counters_sound, std::vector<Remedy>& all) {
  if (is_available(machine, "tsc") && !is_on_tsc(machine) && counters_sound) {
    all.push_back({"switch the clocksource to tsc, at once", "echo tsc > " + std::string(kSwitch),
                   "until the next boot; the kernel's watchdog may switch back. clocksource=tsc on "
                   "the command line keeps it"});
  }
  if (is_available(machine, "hpet") && machine.clocksource == "acpi_pm") {
    all.push_back({"switch the clocksource to hpet, at once", "echo hpet > " + std::string(kSwitch),
                   "still a system call and a device read; whether it is cheaper here, clockshim "
                   "bench tells before and after"});
  }
}

void tsc_reliable(const Machine& machine, bool counters_sound, std::vector<Remedy>& all) {
  // notsc overrides it.
  const bool taken_away = std::find(machine.parameters.begin(), machine.parameters.end(),
                                    "notsc") != machine.parameters.end();
  if (is_on_tsc(machine) || taken_away || !parameter(machine, "tsc").empty() || !counters_sound)
    return;
  const bool honoured = kernel_at_least(machine, 3, 3, true);
  all.push_back({honoured ? "have the kernel trust the TSC: tsc=reliable"
                          : "a kernel from 3.3 on with tsc=reliable (this one, " + machine.kernel +
                                ", ignores it)",
                 "tsc=reliable on the kernel's command line, and clocksource=tsc",
                 "switches off the test of the CPUs' counters and the watchdog: where they part "
                 "later, time goes backwards and nobody says so"});
}

void by_virtualbox(const Machine& machine, std::vector<Remedy>& all) {
  if (!is_available(machine, "hpet")) {
    all.push_back({"give the guest an hpet",
                   "VBoxManage modifyvm VM --chipset ich9 --hpet on (the guest is off meanwhile)",
                   "other emulated devices; still a system call and a device read"});
  }
  all.push_back({"one CPU for the guest", "VBoxManage modifyvm VM --cpus 1",
                 "there is no test of several counters to fail; and CPUs short"});
  all.push_back(
      {"an offset TSC also with several CPUs",
       "VBoxManage setextradata VM VBoxInternal/TM/MaybeUseOffsettedHostTSC 1",
       "VirtualBox switches it off because the counter may then go backwards between CPUs"});
  all.push_back({"the host's own TSC, not intercepted",
                 "VBoxManage setextradata VM VBoxInternal/TM/TSCVirtualized 0; VBoxManage "
                 "setextradata VM VBoxInternal/TM/UseRealTSC 1",
                 "the guest sees the host's counter: it jumps over saved states, and disagrees "
                 "between CPUs where the host's does"});
}

void by_hypervisor(const Machine& machine, std::vector<Remedy>& all) {
  switch (machine.hypervisor) {
    case Hypervisor::virtualbox: by_virtualbox(machine, all); break;
    case Hypervisor::vmware:
      all.push_back(
          {"a kernel that knows VMware",
           "CONFIG_HYPERVISOR_GUEST=y; the log then says \"TSC freq read from hypervisor\"",
           "none known; the virtual machine's hardware version must be one that keeps the TSC in "
           "step over hosts"});
      break;
    case Hypervisor::kvm:
      all.push_back(
          {"promise the guest an invariant TSC",
           "QEMU: -cpu host,migratable=no,+invtsc; libvirt: <feature policy='require' "
           "name='invtsc'/>",
           "live migration only to hosts of the same TSC frequency, or with TSC scaling"});
      if (!is_available(machine, "kvm-clock")) {
        all.push_back({"let the guest use kvm-clock",
                       "QEMU: -cpu ...,kvmclock=on; guest: CONFIG_KVM_GUEST=y, and no no-kvmclock",
                       "served by the vDSO only where the host's own TSC is sound"});
      }
      break;
    case Hypervisor::firecracker:
      all.push_back({"a host whose clocksource is tsc", "the host's " + std::string(kSwitch),
                     "guest and vDSO follow the host's TSC: with another clocksource there, "
                     "kvm-clock is a system call here"});
      break;
    case Hypervisor::xen:
      all.push_back({"have the guest read the TSC natively", "xl.cfg: tsc_mode=\"native\"",
                     "after migration the counter has another pace or value"});
      all.push_back({"on EC2: an instance of the Nitro system", "change the instance type",
                     "another hypervisor (KVM), other device names"});
      break;
    case Hypervisor::hyperv:
      all.push_back({"use Hyper-V's TSC page",
                     "echo hyperv_clocksource_tsc_page > " + std::string(kSwitch),
                     "needs a host that offers it; see the available ones"});
      break;
    case Hypervisor::tcg:
      all.push_back({"hardware virtualisation", "QEMU: -accel kvm -cpu host",
                     "needs rights on /dev/kvm, and a host that has it"});
      break;
    case Hypervisor::none:
    case Hypervisor::other: break;
  }
}

}  // namespace

std::vector<Remedy> remedies(const Evidence& seen, const Diagnosis& diagnosis) {
  std::vector<Remedy> all;
  if (diagnosis.verdict == Verdict::healthy) return all;
  const Machine& machine = seen.machine;
  const bool unsynchronised = found(diagnosis, Verdict::unsynchronised);
  // Switching to a counter that is known to be bad, or was not examined, is no remedy.
  const bool compared = !seen.warp.pairs.empty() || seen.warp.untested == 0;
  const bool sound = compared && !unsynchronised && !found(diagnosis, Verdict::untrustworthy) &&
                     !found(diagnosis, Verdict::trapped);
  if (found(diagnosis, Verdict::slow_clock)) from_the_command_line(machine, all);
  if (unsynchronised && is_on_tsc(machine)) {
    const std::string other = is_available(machine, "hpet")      ? "hpet"
                              : is_available(machine, "acpi_pm") ? "acpi_pm"
                                                                 : "";
    all.push_back({"take the clock away from the TSC: time goes backwards between CPUs now",
                   other.empty() ? "tsc=unstable on the kernel's command line"
                                 : "echo " + other + " > " + kSwitch,
                   "each reading becomes a system call; clockshim serves it then, with a timeline "
                   "for each CPU"});
    if (!parameter(machine, "tsc").empty()) {
      all.push_back(
          {"take tsc=" + parameter(machine, "tsc") + " off the kernel's command line",
           "the boot loader's configuration, then a reboot",
           "the kernel then finds the disagreement itself, and chooses another clocksource"});
    }
  }
  if (machine.counter_forbidden) {
    all.push_back({"let the process read the counter",
                   "no prctl(PR_SET_TSC, PR_TSC_SIGSEGV) by whoever starts it",
                   "it may be a sandbox's wish"});
  }
  at_run_time(machine, sound, all);
  if (found(diagnosis, Verdict::slow_clock)) tsc_reliable(machine, sound, all);
  by_hypervisor(machine, all);
  return all;
}

}  // namespace clockshim::cli
