// The doctor: what it reads (from folders that stand in for /proc and /sys), what it concludes from facts that are handed in, and the
// command as a whole on this machine, also without rights and under a filter.
#include "cli/cmd_doctor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/remedies.h"
#include "cli/verdict.h"
#include "run_command.h"

namespace clockshim::cli {
namespace {

using test::Ending;
using test::kPlain;
using test::run_clockshim;
using test::TempDir;
using Json = nlohmann::json;

// A folder as the root of a machine.
class FakeRoot {
 public:
  FakeRoot() {
    for (const char* folder : {"proc/sys/kernel", "proc/self", "sys/devices/system/clocksource/clocksource0", "sys/class/dmi/id", "dev"}) {
      std::filesystem::create_directories(folder_.path(folder));
    }
  }
  void clocksource(const std::string& current, const std::string& available) const {
    file("sys/devices/system/clocksource/clocksource0/current_clocksource", current + "\n");
    file("sys/devices/system/clocksource/clocksource0/available_clocksource", available + " \n");
  }
  void file(const std::string& name, const std::string& content) const { folder_.file(name, content, kPlain); }
  [[nodiscard]] Machine read(const CpuFacts& cpu = {}) const { return read_machine(folder_.path(""), cpu); }

 private:
  TempDir folder_;
};

TEST(DoctorReads, Clocksources) {
  const FakeRoot root;
  root.clocksource("acpi_pm", "hpet acpi_pm");
  const Machine machine = root.read();
  EXPECT_EQ(machine.clocksource, "acpi_pm");
  EXPECT_TRUE(is_available(machine, "hpet"));
  EXPECT_FALSE(is_available(machine, "tsc"));
}

TEST(DoctorReads, FlagsKernelAndCommandLine) {
  const FakeRoot root;
  root.file("proc/cpuinfo", "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu tsc rdtscp constant_tsc\n");
  root.file("proc/sys/kernel/osrelease", "3.2.0-4-686-pae\n");
  root.file("proc/cmdline", "root=/dev/sda1 clocksource=hpet quiet notsc clocksource=acpi_pm -- tsc=reliable\n");
  const Machine machine = root.read();
  EXPECT_EQ(machine.cpu, "Some CPU");
  EXPECT_TRUE(has_flag(machine, "constant_tsc"));
  EXPECT_FALSE(has_flag(machine, "nonstop_tsc"));
  EXPECT_EQ(machine.parameters, (std::vector<std::string>{"clocksource=hpet", "notsc", "clocksource=acpi_pm"})) << "behind -- it is init's";
  EXPECT_EQ(parameter(machine, "clocksource"), "acpi_pm") << "the last one counts";
  EXPECT_TRUE(kernel_at_least(machine, 3, 2, false));
  EXPECT_FALSE(kernel_at_least(machine, 3, 3, true));
}

TEST(DoctorReads, KernelLog) {
  const FakeRoot root;
  root.file("dev/kmsg",
            "6,12,0,-;tsc: Detected 2393.998 MHz processor\n4,99,0,-;Measured 66930 cycles TSC warp between CPUs, turning off TSC clock.\n"
            "4,100,0,-;Marking TSC unstable due to check_tsc_sync_source failed\n6,101,0,-;usb 1-1: new device\n");
  const Machine machine = root.read();
  ASSERT_EQ(machine.log.size(), 3U);
  EXPECT_EQ(machine.log[1], "Measured 66930 cycles TSC warp between CPUs, turning off TSC clock.");
  ASSERT_EQ(machine.processor.claims.size(), 1U);
  EXPECT_DOUBLE_EQ(machine.processor.claims[0].mhz, 2393.998);
  EXPECT_NE(kernels_reason(machine).find("check_tsc_sync_source"), std::string::npos);
}

TEST(DoctorReads, NothingThereIsToldAndNotGuessed) {
  const TempDir empty;
  const Machine machine = read_machine(empty.path(""), {});
  EXPECT_EQ(machine.clocksource, "unknown");
  EXPECT_FALSE(machine.flags_known);
  std::string unseen;
  for (const std::string& part : machine.unseen) unseen += part + "\n";
  for (const char* part : {"clocksource0", "/proc/cpuinfo", "/proc/cmdline", "kernel log"}) {
    EXPECT_NE(unseen.find(part), std::string::npos) << part << " in " << unseen;
  }
}

TEST(DoctorReads, Hypervisors) {
  CpuFacts cpu;
  EXPECT_EQ(identify_hypervisor(cpu, {}), Hypervisor::none);
  cpu.guest = true;
  EXPECT_EQ(identify_hypervisor(cpu, {}), Hypervisor::other);
  cpu.signatures = {"Microsoft Hv", "KVMKVMKVM"};
  EXPECT_EQ(identify_hypervisor(cpu, {}), Hypervisor::kvm) << "KVM with Hyper-V's leaves before its own";
  EXPECT_EQ(identify_hypervisor(cpu, {"innotek GmbH", "VirtualBox", "", ""}), Hypervisor::virtualbox) << "calls itself KVM";
  EXPECT_EQ(identify_hypervisor(cpu, {"", "", "", "ACPI: RSDP 0x0 000024 (v02 FIRECK)"}), Hypervisor::firecracker);
  cpu.signatures = {"TCGTCGTCGTCG"};
  EXPECT_EQ(identify_hypervisor(cpu, {}), Hypervisor::tcg);
  cpu.signatures = {"VMwareVMware"};
  EXPECT_EQ(identify_hypervisor(cpu, {}), Hypervisor::vmware);
  cpu.signatures = {"XenVMMXenVMM"};
  EXPECT_EQ(identify_hypervisor(cpu, {}), Hypervisor::xen);
  cpu.signatures = {"Microsoft Hv"};
  EXPECT_EQ(identify_hypervisor(cpu, {}), Hypervisor::hyperv);
}

Cost cost_of(double ns) {
  Cost cost;
  cost.median = ns;
  return cost;
}

// A sound machine; each test breaks one thing.
Evidence healthy() {
  Evidence seen;
  seen.machine.kernel = "6.1.0";
  seen.machine.clocksource = "tsc";
  seen.machine.available = {"tsc", "hpet", "acpi_pm"};
  seen.machine.flags = {"tsc", "constant_tsc", "nonstop_tsc", "rdtscp"};
  seen.machine.flags_known = true;
  seen.machine.processor.invariant = true;
  for (const char* name : {"realtime", "monotonic"}) {
    ClockCosts clock;
    clock.name = name;
    clock.served_by = ServedBy::vdso;
    clock.bare = cost_of(23);
    clock.raw = cost_of(240);
    seen.measured.clocks.push_back(clock);
  }
  seen.measured.counter = cost_of(10);
  seen.measured.fenced = cost_of(19);
  seen.measured.null_syscall = cost_of(150);
  seen.measured.frequency = {2400, 1};
  seen.warp.pairs = {{0, 1, 10'000, 0, 0}};
  seen.strict.order = "strict";
  seen.strict.mode = "coherent";
  for (const char* name : {"realtime", "monotonic"}) seen.strict.rows.push_back({name, "strict", cost_of(21), {}});
  return seen;
}

Evidence slow() {
  Evidence seen = healthy();
  seen.machine.clocksource = "acpi_pm";
  seen.machine.available = {"acpi_pm"};
  for (ClockCosts& clock : seen.measured.clocks) {
    clock.served_by = ServedBy::system_call;
    clock.bare = clock.raw = cost_of(2000);
  }
  return seen;
}

bool advises(const Evidence& seen, const std::string& part) {
  const auto all = remedies(seen, diagnose(seen));
  return std::any_of(all.begin(), all.end(), [&](const Remedy& r) { return (r.what + " " + r.how).find(part) != std::string::npos; });
}

TEST(DoctorConcludes, Healthy) {
  const Evidence seen = healthy();
  EXPECT_EQ(diagnose(seen).verdict, Verdict::healthy);
  EXPECT_TRUE(diagnose(seen).findings.empty());
  EXPECT_TRUE(remedies(seen, diagnose(seen)).empty());
  EXPECT_DOUBLE_EQ(saved_ns(seen, "monotonic"), 2);
}

TEST(DoctorConcludes, SlowClock) {
  Evidence seen = slow();
  const Diagnosis diagnosis = diagnose(seen);
  EXPECT_EQ(diagnosis.verdict, Verdict::slow_clock);
  EXPECT_NE(diagnosis.line.find("2000 ns"), std::string::npos) << diagnosis.line;
  EXPECT_NE(diagnosis.line.find("acpi_pm"), std::string::npos) << diagnosis.line;
  EXPECT_DOUBLE_EQ(saved_ns(seen, "monotonic"), 1979);
  seen.strict.mode = "passthrough";
  EXPECT_DOUBLE_EQ(saved_ns(seen, "monotonic"), 0);
}

// A vDSO that reads a device itself is as slow as the system call.
TEST(DoctorConcludes, SlowInTheVdso) {
  Evidence seen = healthy();
  for (ClockCosts& clock : seen.measured.clocks) clock.bare = cost_of(700);
  EXPECT_EQ(diagnose(seen).verdict, Verdict::slow_clock);
}

TEST(DoctorConcludes, UnsynchronisedWeighsMoreThanSlow) {
  Evidence seen = slow();
  seen.machine.available = {"tsc", "acpi_pm"};
  EXPECT_TRUE(advises(seen, "echo tsc >"));
  seen.warp.pairs = {{0, 1, 10'000, 0, 0}, {1, 2, 10'000, 55, 66'930}};
  const Diagnosis diagnosis = diagnose(seen);
  EXPECT_EQ(diagnosis.verdict, Verdict::unsynchronised);
  EXPECT_TRUE(found(diagnosis, Verdict::slow_clock));
  EXPECT_NE(diagnosis.line.find("CPU 1 and 2"), std::string::npos) << diagnosis.line;
  EXPECT_NE(diagnosis.line.find("66930 ticks"), std::string::npos) << diagnosis.line;
  EXPECT_FALSE(advises(seen, "echo tsc >")) << "not to a counter that is known to be bad";
  EXPECT_FALSE(advises(seen, "tsc=reliable"));
}

TEST(DoctorConcludes, UnsynchronisedAndInUse) {
  Evidence seen = healthy();
  seen.machine.parameters = {"tsc=reliable"};
  seen.warp.pairs = {{0, 1, 10'000, 55, 100'000}};
  EXPECT_EQ(diagnose(seen).verdict, Verdict::unsynchronised);
  EXPECT_TRUE(advises(seen, "echo hpet >"));
  EXPECT_TRUE(advises(seen, "take tsc=reliable off"));
}

TEST(DoctorConcludes, Untrustworthy) {
  Evidence seen = healthy();
  seen.measured.pace_change_ppm = -5000;
  seen.measured.pace_error_ppm = 4100;
  EXPECT_EQ(diagnose(seen).verdict, Verdict::healthy) << "within what the measurement can tell";
  seen.measured.pace_error_ppm = 100;
  EXPECT_EQ(diagnose(seen).verdict, Verdict::untrustworthy);

  seen = healthy();
  seen.machine.processor.claims = {{"CPUID.16H", 2300, false}};
  EXPECT_EQ(diagnose(seen).verdict, Verdict::healthy) << "a nominal figure";
  seen.machine.processor.claims = {{"CPUID.15H", 2300, true}};
  EXPECT_EQ(diagnose(seen).verdict, Verdict::untrustworthy);

  seen = healthy();
  seen.measured.frequency = {};
  EXPECT_EQ(diagnose(seen).verdict, Verdict::untrustworthy) << "a counter that stands still";

  seen = healthy();
  seen.machine.processor.invariant = false;
  seen.machine.flags = {"tsc"};
  EXPECT_EQ(diagnose(seen).verdict, Verdict::untrustworthy);
  seen.machine.processor.guest = true;
  EXPECT_EQ(diagnose(seen).verdict, Verdict::healthy) << "the counter is the host's";
}

TEST(DoctorConcludes, WhatTheKernelMeasuredCountsWhatItPresumesDoesNot) {
  Evidence seen = slow();
  seen.machine.log = {"tsc: Marking TSC unstable due to TSCs unsynchronized"};
  EXPECT_EQ(diagnose(seen).verdict, Verdict::slow_clock) << "presumed of the CPU's kind, and not seen by the warp test";
  seen.machine.log = {"tsc: Marking TSC unstable due to clocksource watchdog"};
  EXPECT_EQ(diagnose(seen).verdict, Verdict::untrustworthy);
  seen.machine.log = {"Measured 66930 cycles TSC warp between CPUs, turning off TSC clock."};
  EXPECT_EQ(diagnose(seen).verdict, Verdict::untrustworthy) << "they agree now";
  seen.warp.pairs.clear();
  EXPECT_EQ(diagnose(seen).verdict, Verdict::unsynchronised) << "nothing speaks against the kernel's word";
}

TEST(DoctorConcludes, Trapped) {
  Evidence seen = healthy();
  seen.measured.counter = cost_of(1100);
  EXPECT_EQ(diagnose(seen).verdict, Verdict::trapped);
  seen = healthy();
  seen.machine.counter_forbidden = true;
  seen.measured.counter.reset();
  EXPECT_EQ(diagnose(seen).verdict, Verdict::trapped);
}

TEST(DoctorAdvises, ByHypervisorAndKernel) {
  Evidence seen = slow();
  seen.machine.hypervisor = Hypervisor::virtualbox;
  EXPECT_TRUE(advises(seen, "ich9"));
  EXPECT_TRUE(advises(seen, "MaybeUseOffsettedHostTSC"));
  EXPECT_TRUE(advises(seen, "have the kernel trust the TSC"));
  seen.machine.kernel = "3.2.0-4-686-pae";
  EXPECT_TRUE(advises(seen, "a kernel from 3.3 on")) << "3.2 reads tsc=reliable and tests all the same";
  seen.machine.available = {"hpet", "acpi_pm"};
  EXPECT_FALSE(advises(seen, "ich9")) << "it has an hpet";
  EXPECT_TRUE(advises(seen, "echo hpet >"));
  seen.machine.hypervisor = Hypervisor::kvm;
  EXPECT_TRUE(advises(seen, "invtsc"));
  EXPECT_FALSE(advises(seen, "VBoxManage"));
  seen.machine.hypervisor = Hypervisor::xen;
  EXPECT_TRUE(advises(seen, "tsc_mode"));
  seen.machine.parameters = {"clocksource=hpet"};
  EXPECT_TRUE(advises(seen, "take clocksource=hpet off"));
}

TEST(DoctorAdvises, NothingThatRestsOnWhatWasNotSeen) {
  Evidence seen = slow();
  seen.machine.available = {"tsc", "acpi_pm"};
  seen.warp.pairs.clear();
  seen.warp.untested = 1;
  EXPECT_FALSE(advises(seen, "echo tsc >"));
  EXPECT_FALSE(advises(seen, "tsc=reliable"));
}

// The warp test, on counters of which one is ahead by this much: a thread knows which CPU it stands for by what it is handed.
constexpr std::uint64_t kPlanted = 5'000'000;
Ticks ahead_on_odd_cpus(int cpu) { return counter_of(cpu) + TickDelta{cpu % 2 == 0 ? 0 : kPlanted}; }
void no_progress(std::size_t /*done*/, std::size_t /*all*/) {}

TEST(DoctorComparesCounters, FindsWhatIsPlantedAndNothingElse) {
  const WarpResult sound = test_warp({0, 1}, milliseconds(20), no_progress, counter_of);
  if (sound.pairs.empty()) GTEST_SKIP() << "no two CPUs to run on";
  if (sound.worst().backward > 0) GTEST_SKIP() << "this machine's own counters disagree";
  EXPECT_GT(sound.pairs[0].handoffs, 0U);
  const WarpResult planted = test_warp({0, 1}, milliseconds(20), no_progress, ahead_on_odd_cpus);
  ASSERT_EQ(planted.pairs.size(), 1U);
  EXPECT_GT(planted.worst().backward, 0U);
  EXPECT_GT(planted.worst().greatest, 0U);
  EXPECT_LE(planted.worst().greatest, kPlanted) << "a handoff takes time: less than what is planted is seen, never more";
}

TEST(DoctorComparesCounters, EveryCpuComesInWhereTimeIsShort) {
  const auto all = plan_pairs({0, 1, 2, 3}, 100);
  EXPECT_EQ(all.size(), 6U);
  const auto some = plan_pairs({0, 2, 4, 6}, 3);
  ASSERT_EQ(some.size(), 3U);
  EXPECT_EQ(some[2].first, 4);
  EXPECT_EQ(some[2].second, 6);
  EXPECT_TRUE(plan_pairs({0}, 3).empty());
}

TEST(DoctorComparesCounters, CpuThatWeMayNotUseIsToldAsUntested) {
  const WarpResult result = test_warp({0, CPU_SETSIZE - 1}, milliseconds(4), no_progress, counter_of);
  EXPECT_TRUE(result.pairs.empty());
  EXPECT_EQ(result.untested, 1U);
}

Json parsed(const Ending& ending) {
  const Json json = Json::parse(ending.out, nullptr, false);
  EXPECT_TRUE(json.is_object()) << ending.out << ending.err;
  return json;
}

int status_of(const Json& json) {
  const bool takes = json["program"].is_null() || json["program"]["takes"] == true;
  return json["verdict"] == "healthy" && takes ? kHealthy : kFinding;
}

TEST(DoctorCommand, TellsTheSameAsTextAndJson) {
  const Ending text = run_clockshim({"doctor", "--quick"});
  EXPECT_TRUE(text.out.starts_with("verdict: ")) << text.out;
  EXPECT_EQ(text.err, "") << "no progress where there is no terminal";
  const Ending ending = run_clockshim({"doctor", "--quick", "--json"});
  const Json json = parsed(ending);
  EXPECT_EQ(ending.exit_code, status_of(json)) << ending.out;
  for (const char* clock : {"realtime", "monotonic"}) {
    EXPECT_GT(json["clocks"][clock]["bare_ns"], 0) << clock;
    EXPECT_GT(json["clocks"][clock]["strict_ns"], 0) << clock;
  }
  EXPECT_EQ(json["shim"]["tried"], true) << ending.out;
}

// Each name that the schema demands is there, and each that is there stands in the schema.
void expect_fits(const Json& value, const Json& schema, const std::string& at) {
  if (!schema.contains("properties") || !value.is_object()) return;
  for (const Json& name : schema.value("required", Json::array())) EXPECT_TRUE(value.contains(name)) << at << "." << name;
  for (const auto& [name, member] : value.items()) {
    ASSERT_TRUE(schema["properties"].contains(name)) << at << "." << name << " is not in the schema";
    expect_fits(member, schema["properties"][name], at + "." + name);
  }
}

TEST(DoctorCommand, FitsItsSchema) {
  std::ifstream file(std::string(getenv("CLOCKSHIM_TEST_DOCS")) + "/doctor.schema.json");
  const Json schema = Json::parse(file);
  expect_fits(parsed(run_clockshim({"doctor", "--quick", "--json", "sh"})), schema, "doctor");
}

TEST(DoctorCommand, Programs) {
  Json json = parsed(run_clockshim({"doctor", "--quick", "--json", test::program_path("clock_program")}));
  EXPECT_EQ(json["program"]["takes"], true);
  const Ending ending = run_clockshim({"doctor", "--quick", "--json", test::program_path("static_program")});
  json = parsed(ending);
  EXPECT_EQ(json["program"]["takes"], false);
  EXPECT_EQ(ending.exit_code, kFinding);
  EXPECT_NE(json["program"]["obstacles"].dump().find("statically linked"), std::string::npos);
}

TEST(DoctorCommand, Processes) {
  const test::Running bare({"/bin/cat"});
  Json json = parsed(run_clockshim({"doctor", "--quick", "--json", std::to_string(bare.pid())}));
  EXPECT_EQ(json["program"]["pid"], bare.pid());
  EXPECT_EQ(json["program"]["loaded"], false);
  test::Running shimmed({"/bin/sh", "-c", "echo there; read x"}, {"LD_PRELOAD=" + test::shim_path(), "CLOCKSHIM_REPORT=none"});
  ASSERT_TRUE(shimmed.wait_for("there"));
  json = parsed(run_clockshim({"doctor", "--quick", "--json", "--", std::to_string(shimmed.pid())}));
  EXPECT_EQ(json["program"]["loaded"], true);
}

void expect_refused(const std::vector<std::string>& arguments, const std::string& part) {
  const Ending ending = run_clockshim(arguments);
  EXPECT_EQ(ending.exit_code, kError) << part;
  EXPECT_EQ(ending.out, "");
  EXPECT_EQ(test::count_of(ending.err, "\n"), 1U) << ending.err;
  EXPECT_NE(ending.err.find(part), std::string::npos) << ending.err;
}

TEST(DoctorCommand, MistakesAreOneLine) {
  expect_refused({"doctor", "no-such-command-anywhere"}, "no such command");
  expect_refused({"doctor", "2147483646"}, "no such process");
  expect_refused({"doctor", "sh", "sh"}, "clockshim doctor [--quick]");
  expect_refused({"doctor", "--slow"}, "--slow");
  expect_refused({"doctor", "sh", "--", "sh"}, "must be one command");
}

// From here on this thread, and what it starts, may not do these system calls.
bool forbid(const std::vector<int>& calls) {
  std::vector<sock_filter> program{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const int call : calls) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

TEST(DoctorCommand, SaysWhatItCouldNotSee) {
  Ending ending;
  bool filtered = false;
  std::thread confined([&] {
    filtered = forbid({SYS_sched_setaffinity, SYS_adjtimex, SYS_syslog, SYS_prctl, SYS_seccomp, SYS_perf_event_open});
    if (filtered) ending = run_clockshim({"doctor", "--quick", "--json", std::to_string(getpid())});
  });
  confined.join();
  if (!filtered) GTEST_SKIP() << "no filter can be installed here";
  const Json json = parsed(ending);
  EXPECT_EQ(ending.exit_code, status_of(json));
  const std::string unseen = json["unseen"].dump();
  EXPECT_NE(unseen.find("NTP"), std::string::npos) << unseen;
  EXPECT_NE(unseen.find("proof of what the vDSO answers"), std::string::npos) << unseen;
  EXPECT_NE(unseen.find("how often the process asks"), std::string::npos) << unseen;
  if (sysconf(_SC_NPROCESSORS_ONLN) > 1) EXPECT_NE(unseen.find("pairs not compared"), std::string::npos) << unseen;
}

}  // namespace
}  // namespace clockshim::cli
