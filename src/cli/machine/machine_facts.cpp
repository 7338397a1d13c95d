#include "cli/machine/machine_facts.h"

#include <fcntl.h>
#include <sys/klog.h>
#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "os/clocksource.h"
#include "os/descriptor.h"
#include "os/read_file.h"

namespace clockshim::cli {
namespace {

constexpr int kReadAllOfTheLog = 3;  // SYSLOG_ACTION_READ_ALL
constexpr std::size_t kLogBytes = 1 << 20;
constexpr std::size_t kMostLogLines = 20;

// Reads the records of /dev/kmsg. Returns 0, or the errno.
int read_kernel_log(const std::string& path, std::string& text) {
  const Descriptor log(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (log.get() < 0) return errno;
  int error;
  do {
    error = read_all(log.get(), text);
  } while (error == EPIPE);  // records were overwritten meanwhile
  return error == EAGAIN ? 0 : error;
}

std::string first_line(const std::string& path) {
  std::string text = content_of(path);
  text = text.substr(0, text.find('\n'));
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> all;
  for (std::string word; in >> word;) all.push_back(word);
  return all;
}

// The value after the colon, in the first line of /proc/cpuinfo that starts with `key`.
std::string cpuinfo_value(const std::string& text, const std::string& key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const auto colon = line.find(':');
    if (line.starts_with(key) && colon != std::string::npos)
      return line.substr(std::min(colon + 2, line.size()));
  }
  return "";
}

bool concerns_clocks(const std::string& word) {
  constexpr const char* kNames[] = {
      "clocksource=", "tsc=", "tsc_early_khz=", "hpet=", "vdso=", "lpj="};
  constexpr const char* kSwitches[] = {"notsc", "nohpet", "no-kvmclock", "no-kvmclock-vsyscall",
                                       "acpi_pm_good"};
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [&](const char* name) { return word.starts_with(name); }) ||
         std::any_of(std::begin(kSwitches), std::end(kSwitches),
                     [&](const char* name) { return word == name; });
}

// The text of a log line. A record of /dev/kmsg is "6,339,5140900,-;text", a line of syslog(2)
// "<6>[    5.140900] text".
std::string log_text(const std::string& line) {
  if (line.starts_with('<')) {
    const auto end = line.find("] ");
    return end == std::string::npos ? line.substr(line.find('>') + 1) : line.substr(end + 2);
  }
  const auto semicolon = line.find(';');
  return semicolon == std::string::npos ? line : line.substr(semicolon + 1);
}

std::string read_log(const std::string& root, Machine& machine) {
  std::string text;
  int error = read_kernel_log(root + "/dev/kmsg", text);
  if (error == 0) return text;
  if (root.empty()) {
    text.resize(kLogBytes);
    const int length = klogctl(kReadAllOfTheLog, text.data(), static_cast<int>(text.size()));
    if (length >= 0) {
      text.resize(static_cast<std::size_t>(length));
      return text;
    }
    error = errno;
  }
  machine.unseen.push_back(std::string("the kernel log: ") + std::strerror(error));
  return "";
}

// Whether a line is about the counter: "TSC" in capitals, or as the clocksource's name, but not the
// "tsc" in words such as "mitscape".
bool is_on_the_counter(const std::string& line) {
  return line.find("TSC") != std::string::npos || line.starts_with("tsc: ") ||
         line.find("clocksource: tsc") != std::string::npos ||
         line.find("Switched to clocksource") != std::string::npos;
}

void take_log(const std::string& text, Machine& machine) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::string said = log_text(line);
    if (is_on_the_counter(said) && machine.log.size() < kMostLogLines) machine.log.push_back(said);
    double mhz = 0;
    if (std::sscanf(said.c_str(), "tsc: Refined TSC clocksource calibration: %lf MHz", &mhz) == 1)
      machine.processor.claims.push_back({"the kernel's refined calibration", mhz, true});
    if (std::sscanf(said.c_str(), "tsc: Detected %lf MHz TSC", &mhz) == 1 ||
        std::sscanf(said.c_str(), "tsc: Detected %lf MHz", &mhz) == 1)
      machine.processor.claims.push_back({"the kernel at boot", mhz, false});
  }
}

std::string ntp_state(Machine& machine) {
  timex state{};
  if (adjtimex(&state) < 0) {
    machine.unseen.push_back(std::string("the state of NTP: ") + std::strerror(errno));
    return "unknown";
  }
  char text[96];
  std::snprintf(text, sizeof text, "%s, frequency %+.3f ppm",
                (state.status & STA_UNSYNC) != 0 ? "not synchronised" : "synchronised",
                double(state.freq) / 65536);
  return text;
}

std::string namespace_offsets(const std::string& root) {
  std::string text;
  if (read_file(root + "/proc/self/timens_offsets", text) != 0) return "none";
  std::istringstream lines(text);
  std::string offsets;
  std::string clock;
  long long seconds = 0;
  long long nanos = 0;
  while (lines >> clock >> seconds >> nanos) {
    if (seconds != 0 || nanos != 0)
      offsets += (offsets.empty() ? "" : ", ") + clock + " " + std::to_string(seconds) + " s";
  }
  return offsets.empty() ? "none" : offsets;
}

void read_clocksources(const std::string& root, Machine& machine) {
  const std::string folder = root + "/sys/devices/system/clocksource/clocksource0/";
  std::string text;
  if (read_file(folder + "available_clocksource", text) == 0) machine.available = words(text);
  const std::string current = first_line(folder + "current_clocksource");
  if (!current.empty()) machine.clocksource = current;
  if (current.empty() || machine.available.empty())
    machine.unseen.push_back("the clocksource: no " + folder.substr(root.size()));
}

void read_cpuinfo(const std::string& root, Machine& machine) {
  std::string text;
  machine.flags_known = read_file(root + "/proc/cpuinfo", text) == 0 && !text.empty();
  if (!machine.flags_known) {
    machine.unseen.emplace_back("the CPU's flags: no /proc/cpuinfo");
    return;
  }
  machine.cpu = cpuinfo_value(text, "model name");
  const auto flags = words(cpuinfo_value(text, "flags"));
  for (const CounterFlag& flag : kCounterFlags) {
    if (std::find(flags.begin(), flags.end(), flag.name) != flags.end())
      machine.flags.emplace_back(flag.name);
  }
}

}  // namespace

Machine read_machine(const std::string& root, const CpuFacts& cpu) {
  Machine machine;
  machine.processor = cpu;
  machine.kernel = first_line(root + "/proc/sys/kernel/osrelease");
  read_clocksources(root, machine);
  read_cpuinfo(root, machine);
  std::string text;
  if (read_file(root + "/proc/cmdline", text) != 0)
    machine.unseen.emplace_back("the kernel's command line: no /proc/cmdline");
  for (const std::string& word : words(text)) {
    if (word == "--") break;  // what follows is for init
    if (concerns_clocks(word)) machine.parameters.push_back(word);
  }
  const std::string log = read_log(root, machine);
  take_log(log, machine);
  MachineNames names;
  names.vendor = first_line(root + "/sys/class/dmi/id/sys_vendor");
  names.product = first_line(root + "/sys/class/dmi/id/product_name");
  names.type = first_line(root + "/sys/hypervisor/type");
  names.log = log;
  machine.hypervisor = identify_hypervisor(cpu, names);
  machine.machine_name =
      names.vendor + (names.vendor.empty() || names.product.empty() ? "" : " ") + names.product;
  machine.counter_forbidden = counter_forbidden();
  machine.seccomp = seccomp_filtered();
  machine.ntp = ntp_state(machine);
  machine.time_namespace = namespace_offsets(root);
  return machine;
}

bool has_flag(const Machine& machine, const std::string& flag) {
  return std::find(machine.flags.begin(), machine.flags.end(), flag) != machine.flags.end();
}

bool is_available(const Machine& machine, const std::string& clocksource) {
  return std::find(machine.available.begin(), machine.available.end(), clocksource) !=
         machine.available.end();
}

std::string parameter(const Machine& machine, const std::string& name) {
  std::string value;
  for (const std::string& word : machine.parameters) {
    if (word.starts_with(name + "=")) value = word.substr(name.size() + 1);
  }
  return value;
}

bool kernel_at_least(const Machine& machine, int major, int minor, bool unknown) {
  int is_major = 0;
  int is_minor = 0;
  if (std::sscanf(machine.kernel.c_str(), "%d.%d", &is_major, &is_minor) != 2) return unknown;
  return is_major > major || (is_major == major && is_minor >= minor);
}

}  // namespace clockshim::cli
