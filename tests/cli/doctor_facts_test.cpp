// What the doctor reads of a machine and of a program, from folders and files that stand in for
// them.
#include <elf.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>

#include "cli/doctor/elf_imports.h"
#include "cli/doctor/program_facts.h"
#include "cli/doctor/verdict.h"
#include "cli/machine/machine_facts.h"
#include "run_command.h"

namespace clockshim::cli {
namespace {

using test::kPlain;
using test::TempDir;

// A folder as the root of a machine.
class FakeRoot {
 public:
  FakeRoot() {
    for (const char* folder :
         {"proc/sys/kernel", "proc/self", "sys/devices/system/clocksource/clocksource0",
          "sys/class/dmi/id", "dev"}) {
      std::filesystem::create_directories(folder_.path(folder));
    }
  }
  void clocksource(const std::string& current, const std::string& available) const {
    file("sys/devices/system/clocksource/clocksource0/current_clocksource", current + "\n");
    file("sys/devices/system/clocksource/clocksource0/available_clocksource", available + " \n");
  }
  void file(const std::string& name, const std::string& content) const {
    folder_.file(name, content, kPlain);
  }
  [[nodiscard]] Machine read(const CpuFacts& cpu = {}) const {
    return read_machine(folder_.path(""), cpu);
  }

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
  root.file("proc/cpuinfo",
            "processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: fpu tsc rdtscp constant_tsc\n");
  root.file("proc/sys/kernel/osrelease", "3.2.0-4-686-pae\n");
  root.file("proc/cmdline",
            "root=/dev/sda1 clocksource=hpet quiet notsc clocksource=acpi_pm -- tsc=reliable\n");
  const Machine machine = root.read();
  EXPECT_EQ(machine.cpu, "Some CPU");
  EXPECT_TRUE(has_flag(machine, "constant_tsc"));
  EXPECT_FALSE(has_flag(machine, "nonstop_tsc"));
  EXPECT_EQ(machine.parameters,
            (std::vector<std::string>{"clocksource=hpet", "notsc", "clocksource=acpi_pm"}))
      << "behind -- it is init's";
  EXPECT_EQ(parameter(machine, "clocksource"), "acpi_pm") << "the last one counts";
  EXPECT_TRUE(kernel_at_least(machine, 3, 2, false));
  EXPECT_FALSE(kernel_at_least(machine, 3, 3, true));
}

TEST(DoctorReads, KernelLog) {
  const FakeRoot root;
  root.file("dev/kmsg",
            "6,12,0,-;tsc: Detected 2393.998 MHz processor\n4,99,0,-;Measured 66930 cycles TSC "
            "warp between CPUs, turning off TSC clock.\n"
            "4,100,0,-;Marking TSC unstable due to check_tsc_sync_source failed\n6,101,0,-;usb "
            "1-1: new device\n");
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
  EXPECT_EQ(identify_hypervisor(cpu, {}), Hypervisor::kvm)
      << "KVM with Hyper-V's leaves before its own";
  EXPECT_EQ(identify_hypervisor(cpu, {"innotek GmbH", "VirtualBox", "", ""}),
            Hypervisor::virtualbox)
      << "calls itself KVM";
  EXPECT_EQ(identify_hypervisor(cpu, {"", "", "", "ACPI: RSDP 0x0 000024 (v02 FIRECK)"}),
            Hypervisor::firecracker);
  cpu.signatures = {"TCGTCGTCGTCG"};
  EXPECT_EQ(identify_hypervisor(cpu, {}), Hypervisor::tcg);
  cpu.signatures = {"VMwareVMware"};
  EXPECT_EQ(identify_hypervisor(cpu, {}), Hypervisor::vmware);
  cpu.signatures = {"XenVMMXenVMM"};
  EXPECT_EQ(identify_hypervisor(cpu, {}), Hypervisor::xen);
  cpu.signatures = {"Microsoft Hv"};
  EXPECT_EQ(identify_hypervisor(cpu, {}), Hypervisor::hyperv);
}

// What a program asks of others is in its dynamic symbols. Go leaves a note; such a program is made
// by hand here: a header, one segment of notes.
TEST(DoctorReads, Imports) {
  const ElfImports imports = read_imports(test::program_path("clock_program"));
  EXPECT_TRUE(imports.readable);
  EXPECT_FALSE(imports.go);
  EXPECT_TRUE(imports.imports("clock_gettime"));
  EXPECT_FALSE(read_imports(test::shim_path()).imports("clock_gettime"))
      << "what it defines itself it does not ask for";
  EXPECT_FALSE(read_imports("/proc/self/environ").readable);
}

TEST(DoctorReads, SystemCallsForTheClockAndNoOthers) {
  const auto notes_of = [](const std::string& program) {
    std::string problem;
    const ProgramFacts facts = inspect_program(test::program_path(program), problem);
    EXPECT_EQ(problem, "");
    std::string all;
    for (const std::string& note : facts.notes) all += note + "\n";
    return all;
  };
  EXPECT_NE(notes_of("syscall_clock").find("syscall_clock reads a clock by syscall()"),
            std::string::npos);
  EXPECT_TRUE(read_imports(test::program_path("syscall_other")).imports("syscall"));
  EXPECT_EQ(notes_of("syscall_other").find("syscall()"), std::string::npos);
  EXPECT_FALSE(read_imports(test::program_path("clock_program")).names_vdso_clock);
  EXPECT_TRUE(read_imports(test::command_path()).names_vdso_clock) << "this is how it knows";
}

struct GoImage {
  Elf64_Ehdr header{};
  Elf64_Phdr segments[2]{};
  Elf64_Nhdr note{4, 4, 4};
  char name[4] = {'G', 'o', 0, 0};
  char build[4] = {'i', 'd', 0, 0};
  char interpreter[28] = "/lib64/ld-linux-x86-64.so.2";
};

TEST(DoctorReads, GoPrograms) {
  GoImage image;
  std::memcpy(image.header.e_ident, ELFMAG, SELFMAG);
  image.header.e_ident[EI_CLASS] = ELFCLASS64;
  image.header.e_ident[EI_DATA] = ELFDATA2LSB;
  image.header.e_ident[EI_VERSION] = EV_CURRENT;
  image.header.e_version = EV_CURRENT;
  image.header.e_ehsize = sizeof(Elf64_Ehdr);
  image.header.e_machine = EM_X86_64;
  image.header.e_phoff = offsetof(GoImage, segments);
  image.header.e_phentsize = sizeof(Elf64_Phdr);
  image.header.e_phnum = 2;
  image.segments[0].p_type = PT_INTERP;
  image.segments[0].p_offset = offsetof(GoImage, interpreter);
  image.segments[0].p_filesz = sizeof image.interpreter;
  image.segments[1].p_type = PT_NOTE;
  image.segments[1].p_offset = offsetof(GoImage, note);
  image.segments[1].p_filesz = sizeof image.note + sizeof image.name + sizeof image.build;
  const TempDir folder;
  const std::string path = folder.file(
      "gopher", {reinterpret_cast<const char*>(&image), sizeof image}, test::kExecutable);
  std::string problem;
  const ProgramFacts facts = inspect_program(path, problem);
  EXPECT_EQ(problem, "");
  EXPECT_TRUE(facts.takes());
  EXPECT_TRUE(facts.by_image) << "though it is dynamic";
  ASSERT_FALSE(facts.notes.empty());
  EXPECT_NE(facts.notes[0].find("Go program"), std::string::npos);
}

}  // namespace
}  // namespace clockshim::cli
