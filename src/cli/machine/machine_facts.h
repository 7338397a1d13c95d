// What the machine reports about its clocks, as far as it can be read here: files in /proc, /sys
// and /dev, CPUID, a few system calls. It only reads, and judges nothing. What can't be read (no
// root, a container, seccomp) is listed, never guessed.
#pragma once

#include <string>
#include <vector>

#include "cli/machine/hypervisor.h"

namespace clockshim::cli {

struct Machine {
  std::string kernel;  // its release: "6.1.0-17-amd64"; "" if unknown
  std::string cpu;     // the model's name
  std::string clocksource = "unknown";
  std::vector<std::string> available;   // clocksources; empty if unknown
  std::vector<std::string> flags;       // those of kCounterFlags that the CPU has
  bool flags_known = false;             // false: /proc/cpuinfo can't be read
  std::vector<std::string> parameters;  // parameters of the kernel's command line that concern
                                        // clocks: "clocksource=hpet"
  std::vector<std::string> log;         // lines of the kernel log about the TSC, oldest first
  CpuFacts processor;
  Hypervisor hypervisor = Hypervisor::none;
  std::string machine_name;  // vendor and product, from the firmware
  bool counter_forbidden = false;
  bool seccomp = false;
  std::string ntp;                  // "synchronised, frequency -3.2 ppm"
  std::string time_namespace;       // "none", or its offsets
  std::vector<std::string> unseen;  // what could not be read, and why
};

struct CounterFlag {
  const char* name;  // as in /proc/cpuinfo
  const char* meaning;
};
inline constexpr CounterFlag kCounterFlags[] = {
    {"tsc", "there is a counter"},
    {"constant_tsc", "it runs at one rate whatever the CPU's frequency"},
    {"nonstop_tsc", "it does not stop in deep sleep states"},
    {"tsc_reliable", "the kernel skips the test whether the CPUs' counters agree"},
    {"tsc_known_freq", "its frequency is told by CPU or hypervisor, not measured"},
    {"rdtscp", "it can be read together with the CPU's number"},
    {"tsc_adjust", "the kernel can see and undo what firmware did to it"},
};

// Reads the facts below `root` ("" for the machine itself, else a folder that contains proc, sys
// and dev).
Machine read_machine(const std::string& root, const CpuFacts& cpu);

[[nodiscard]] bool has_flag(const Machine& machine, const std::string& flag);
[[nodiscard]] bool is_available(const Machine& machine, const std::string& clocksource);
// The value of a parameter such as "clocksource". As for the kernel, the last one counts. "" if it
// is not given.
[[nodiscard]] std::string parameter(const Machine& machine, const std::string& name);
// Whether the kernel has this version or a newer one; `unknown` if that can't be determined.
[[nodiscard]] bool kernel_at_least(const Machine& machine, int major, int minor, bool unknown);

}  // namespace clockshim::cli
