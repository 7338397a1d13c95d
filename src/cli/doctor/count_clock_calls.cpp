// The kernel's own count of a process's clock calls. It includes system calls only, so it is useful
// where the vDSO does not answer.
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "cli/doctor/program_facts.h"
#include "os/descriptor.h"
#include "os/real_clock.h"

namespace clockshim::cli {
namespace {

constexpr const char* kEvents[] = {"sys_enter_clock_gettime", "sys_enter_gettimeofday"};

// The number of a tracepoint; 0: there is none.
std::uint64_t event_number(const std::string& event) {
  for (const char* folder :
       {"/sys/kernel/tracing/events/syscalls/", "/sys/kernel/debug/tracing/events/syscalls/"}) {
    std::ifstream file(folder + event + "/id");
    std::uint64_t number = 0;
    if (file >> number) return number;
  }
  return 0;
}

class Counters {
 public:
  // Counts a thread, too. False, with errno, on failure; a thread that has just ended is no
  // failure.
  bool add(std::uint64_t event, pid_t thread) {
    perf_event_attr attributes{};
    attributes.size = sizeof attributes;
    attributes.type = PERF_TYPE_TRACEPOINT;
    attributes.config = event;
    attributes.inherit = 1;  // includes threads that it starts meanwhile
    Descriptor counter(static_cast<int>(
        syscall(SYS_perf_event_open, &attributes, thread, -1, -1, PERF_FLAG_FD_CLOEXEC)));
    if (counter.get() < 0) return errno == ESRCH;
    counters_.push_back(std::move(counter));
    return true;
  }
  [[nodiscard]] std::uint64_t sum() const {
    std::uint64_t all = 0;
    for (const Descriptor& counter : counters_) {
      std::uint64_t count = 0;
      if (read(counter.get(), &count, sizeof count) == static_cast<ssize_t>(sizeof count))
        all += count;
    }
    return all;
  }

 private:
  std::vector<Descriptor> counters_;
};

}  // namespace

std::optional<double> count_clock_calls(pid_t pid, Nanos length, std::string& why_not) {
  Counters counters;
  std::error_code error;
  for (const char* event : kEvents) {
    const std::uint64_t number = event_number(event);
    if (number == 0) {
      why_not = std::string("no tracepoint ") + event +
                " below /sys/kernel/tracing that we may read: that needs root, tracefs, and a "
                "kernel with CONFIG_FTRACE_SYSCALLS";
      return std::nullopt;
    }
    for (const auto& thread :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", error)) {
      if (counters.add(number, static_cast<pid_t>(std::stol(thread.path().filename().string()))))
        continue;
      why_not = std::string("perf_event_open: ") + std::strerror(errno) +
                ": that needs root, or CAP_PERFMON and CAP_SYS_PTRACE";
      return std::nullopt;
    }
  }
  Nanos start;
  Nanos end;
  real::read(CLOCK_MONOTONIC, start);
  const std::uint64_t before = counters.sum();
  const timespec rest{length.raw() / kNanosPerSecond, length.raw() % kNanosPerSecond};
  nanosleep(&rest, nullptr);
  const std::uint64_t after = counters.sum();
  real::read(CLOCK_MONOTONIC, end);
  return static_cast<double>(after - before) * 1e9 / static_cast<double>((end - start).raw());
}

}  // namespace clockshim::cli
