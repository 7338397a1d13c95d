// What the doctor concludes from facts, what it advises, and what it says first: one sound machine,
// and each test breaks one thing.
#include "cli/doctor/verdict.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <string>

#include "cli/doctor/remedies.h"
#include "cli/doctor/render_doctor.h"

namespace clockshim::cli {
namespace {

Cost cost_of(double ns) {
  Cost cost;
  cost.median = ns;
  return cost;
}

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
  seen.warp.pairs = {{0, 1, true, 10'000, 0, 0, 900, 0, 0, {}}};
  seen.strict.order = "strict";
  seen.strict.mode = "coherent";
  for (const char* name : {"realtime", "monotonic"})
    seen.strict.rows.push_back({name, "strict", cost_of(21), {}});
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
  return std::any_of(all.begin(), all.end(), [&](const Remedy& r) {
    return (r.what + " " + r.how).find(part) != std::string::npos;
  });
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
  seen.warp.pairs = {{0, 1, true, 10'000, 0, 0, 900, 0, 0, {}},
                     {1, 2, true, 10'000, 55, 66'930, 0, 0, 0, {}}};
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
  seen.warp.pairs = {{0, 1, true, 10'000, 55, 100'000, 0, 0, 0, {}}};
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
  EXPECT_EQ(diagnose(seen).verdict, Verdict::slow_clock)
      << "presumed of the CPU's kind, and not seen by the warp test";
  seen.machine.log = {"tsc: Marking TSC unstable due to clocksource watchdog"};
  EXPECT_EQ(diagnose(seen).verdict, Verdict::untrustworthy);
  seen.machine.log = {"Measured 66930 cycles TSC warp between CPUs, turning off TSC clock."};
  EXPECT_EQ(diagnose(seen).verdict, Verdict::untrustworthy) << "they agree now";
  seen.warp.pairs.clear();
  EXPECT_EQ(diagnose(seen).verdict, Verdict::unsynchronised)
      << "nothing speaks against the kernel's word";
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
  EXPECT_TRUE(advises(seen, "a kernel from 3.3 on"))
      << "3.2 reads tsc=reliable and tests all the same";
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

TEST(DoctorAdvises, NotscWinsOverReliable) {
  Evidence seen = slow();
  EXPECT_TRUE(advises(seen, "tsc=reliable"));
  seen.machine.parameters = {"notsc"};
  EXPECT_TRUE(advises(seen, "take notsc off"));
  EXPECT_FALSE(advises(seen, "tsc=reliable"));
}

std::string said(const Evidence& seen, const std::optional<ProgramFacts>& program = {},
                 bool verbose = false, std::size_t width = 0) {
  DoctorReport report;
  report.seen = seen;
  report.diagnosis = diagnose(seen);
  report.remedies = remedies(seen, report.diagnosis);
  report.program = program;
  return render_doctor_text(report, verbose, width);
}

ProgramFacts process() {
  ProgramFacts facts;
  facts.target = "4711";
  facts.path = "/usr/bin/daemon";
  facts.pid = 4711;
  return facts;
}

void expect_begins(const std::string& text, const std::string& lines) {
  EXPECT_TRUE(text.starts_with(lines)) << text.substr(0, 1000);
}

TEST(DoctorSays, FirstWhatThereIsToGainAndWhatToDo) {
  expect_begins(
      said(healthy()),
      "verdict: healthy: the vDSO reads the clock in 23.0 ns; the CPUs' counters agree to "
      "within 375 ns (clocksource tsc)\n"
      "gain: none to speak of: the clock is cheap here (a call takes 23.0 ns, served 21.0 "
      "ns); clockshim would count who reads it\n"
      "next: nothing needs to be done; clockshim run PROGRAM counts who reads the "
      "clock\n");
  expect_begins(said(slow()),
                "verdict: slow clock: realtime and monotonic: a system call of 2000 ns, where the "
                "counter is read in 19.0 ns (clocksource acpi_pm)\n"
                "gain: clockshim would save 1979 ns a call (a call takes 2000 ns, served 21.0 ns): "
                "19.8 % of a core per 100,000 calls a second\n"
                "next: clockshim run PROGRAM; or have the kernel trust the TSC: tsc=reliable (see "
                "below)\n\n");
  Evidence useless = slow();
  useless.strict.mode = "passthrough";
  useless.strict.mode_reason = "the counter is trapped";
  EXPECT_NE(said(useless).find("\ngain: none: clockshim would serve nothing here, and only count "
                               "(the counter is trapped)\nnext: have the kernel trust"),
            std::string::npos)
      << said(useless);
  useless.strict.problem = "no library";
  EXPECT_NE(said(useless).find("\ngain: unknown: clockshim could not be tried: no library\n"),
            std::string::npos);
}

TEST(DoctorSays, WhatAProcessGains) {
  ProgramFacts facts = process();
  std::string text = said(slow(), facts);
  EXPECT_NE(text.find("per 100,000 calls a second; how many it makes could not be counted\n"
                      "next: start it again by clockshim run daemon; or "),
            std::string::npos)
      << text;
  facts.calls_a_second = 50'000;
  text = said(slow(), facts);
  EXPECT_NE(text.find("\ngain: process 4711 makes 50,000 system calls a second for the clock: "
                      "clockshim would save 9.9 % of a core (a call takes 2000 ns, served 21.0 "
                      "ns)\n"),
            std::string::npos)
      << text;
  facts.loaded = true;
  facts.saved_share = 0.08;
  text = said(slow(), facts);
  EXPECT_NE(text.find("\ngain: process 4711 reads the clock 50,000 times a second, and clockshim "
                      "saves 8.0 % of a core there\nnext: clockshim report 4711 shows who reads "
                      "the clock\n"),
            std::string::npos)
      << text;
}

TEST(DoctorSays, ThatAProcessGainsNothingWhereItDoesNot) {
  ProgramFacts facts = process();
  facts.loaded = true;
  facts.calls_a_second = 50'000;
  facts.saved_share = 0.0004;
  EXPECT_NE(said(healthy(), facts)
                .find("\ngain: process 4711 reads the clock 50,000 times a second, and clockshim "
                      "saves nothing to speak of there\n"),
            std::string::npos);
}

TEST(DoctorSays, WhyAProgramCantBeHelped) {
  ProgramFacts facts;
  facts.target = facts.path = "/bin/fixed";
  EXPECT_NE(said(slow(), facts).find("\nnext: clockshim run /bin/fixed; or "), std::string::npos);
  facts.obstacles = {"it is statically linked"};
  EXPECT_NE(said(slow(), facts)
                .find("\nnext: clockshim can't help there: it is statically linked; "
                      "instead have the kernel trust"),
            std::string::npos);
}

TEST(DoctorSays, FactsOnlyWhereTheyAreAskedFor) {
  for (const char* part : {"\nmachine\n", "\nclocks: ", "\ncounter\n", "\nclockshim here\n"}) {
    EXPECT_EQ(said(slow()).find(part), std::string::npos) << part;
    EXPECT_NE(said(slow(), {}, true).find(part), std::string::npos) << part;
  }
  EXPECT_NE(said(slow(), {}, true).find(" 2000 ns "), std::string::npos) << "with its unit";
}

TEST(DoctorSays, LinesThatFit) {
  Evidence seen = slow();
  seen.warp.pairs = {{0, 1, true, 10'000, 55, 100'000, 0, 0, 0, {}}};
  seen.machine.unseen = {std::string(50, 'a') + " " + std::string(50, 'b')};
  ProgramFacts facts = process();
  facts.notes = {std::string(50, 'a') + " " + std::string(50, 'b')};
  std::istringstream lines(said(seen, facts, false, 70));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 70U) << line;
}

}  // namespace
}  // namespace clockshim::cli
