// slowclock --cost D [--vdso] -- COMMAND [ARG...]: runs COMMAND at native speed, but on a clock that is as dear as acpi_pm or hpet.
//
// How: at each exec (ptrace) the symbols of the new program's vDSO are changed, so that a reading of the clock is a real system
// call, as it is where the vDSO can't read the clocksource; and a seccomp filter makes the kernel run some thousand BPF
// instructions, on the caller's CPU, in each of these calls, as a device read would. How many is measured at start. The
// counter and the kernel's clock are not touched: a library that serves the time from the TSC works as on any machine. All
// processes and threads that COMMAND starts have the same clock, over any number of execs, so
// `slowclock --cost 2us -- clockshim run -- COMMAND` does what it says.
//
// Dear: clock_gettime of REALTIME, MONOTONIC, MONOTONIC_RAW, BOOTTIME and TAI, and gettimeofday. Left alone: everything else;
// the coarse clocks and time() stay in the vDSO. --vdso leaves that as it is, for comparison: filter and ptrace are all that
// COMMAND gets, which tells what slowclock itself costs.
//
// slowclock lasts until the last process below it is gone, then returns COMMAND's exit status (128 + signal where it was
// killed). SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGUSR2 sent to slowclock go to COMMAND. If slowclock is killed, all below it
// is killed too. Exit status 125: slowclock itself failed; 126 and 127: COMMAND could not be run, was not found; 2: bad usage.
//
// Limits: x86_64 only, and 32-bit programs keep their fast clock. Where the vDSO has no room for 64 bytes more, it is hidden
// as a whole, which slowclock says: then the coarse clocks are system calls too. No cost below that of a bare system call
// under a filter, none above some 20 us (the kernel's limit on the length of filters). What runs below it cannot use ptrace
// itself (gdb, strace) nor gain privileges (setuid programs, sudo). A new process or thread costs some tens of microseconds
// more, and a signal some more.
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include <elf.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vdso.h"

#if !defined(__x86_64__)
#error "slowclock knows the registers and system calls of x86_64 only"
#endif

namespace {

constexpr int own_failure = 125;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "slowclock: %s: %s\n", what, std::strerror(errno));
  std::exit(own_failure);
}

// ---- the filter -----------------------------------------------------------------------------------------------------------

constexpr int burn_per_filter = 4000;  // the kernel takes 4096 instructions a filter; the head below needs 13
constexpr int burn_limit = 28'000;     // and 32768 (in its own encoding) for all filters of a process

// Makes the dear calls of this process, and of all that it will start, run `burn` more BPF instructions.
bool install_one_filter(int burn) {
  constexpr auto word = [](std::size_t offset) -> sock_filter { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, std::uint32_t(offset)); };
  constexpr auto equal = [](std::uint32_t value, int yes, int no) -> sock_filter {
    return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, std::uint8_t(yes), std::uint8_t(no));
  };
  constexpr sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  std::vector<sock_filter> program{
      word(offsetof(seccomp_data, arch)),
      equal(AUDIT_ARCH_X86_64, 0, 9),  // else allow
      word(offsetof(seccomp_data, nr)),
      equal(SYS_gettimeofday, 8, 0),   // burn
      equal(SYS_clock_gettime, 0, 6),  // else allow
      // Reading an argument also keeps the call out of the kernel's cache of calls that are always allowed.
      word(offsetof(seccomp_data, args[0])),
      equal(CLOCK_REALTIME, 5, 0),  // burn; and so on
      equal(CLOCK_MONOTONIC, 4, 0),
      equal(CLOCK_MONOTONIC_RAW, 3, 0),
      equal(CLOCK_BOOTTIME, 2, 0),
      equal(CLOCK_TAI, 1, 0),
      allow,
  };
  // Each multiplication waits for the one before it: the cost is latency, the same on any CPU of the machine.
  program.insert(program.end(), std::size_t(burn), sock_filter BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 1664525));
  program.push_back(allow);
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  // SPEC_ALLOW: kernels before 5.16 otherwise slow the whole process down against speculation attacks.
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &filter) == 0;
}

bool make_clock_dear(int burn) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  do {
    if (!install_one_filter(std::min(burn, burn_per_filter))) return false;
    burn -= burn_per_filter;
  } while (burn > 0);
  return true;
}

// ---- how many instructions: measured ------------------------------------------------------------------------------------

// The system call itself, so that neither the vDSO nor a preloaded library has a part in it.
std::int64_t now_ns() {
  timespec t{};
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
  return t.tv_sec * std::int64_t{1'000'000'000} + t.tv_nsec;
}

// What a clock_gettime costs under a filter of this length, in ns: the least mean of many short batches, since most of them
// are not disturbed by anything. In a child, because a filter cannot be taken off again.
double cost_ns(int burn) {
  constexpr int batches = 60, calls = 50;
  std::array<int, 2> channel{};
  if (pipe2(channel.data(), O_CLOEXEC) != 0) fail("pipe");
  const pid_t probe = fork();
  if (probe < 0) fail("fork");
  if (probe == 0) {
    double best = std::numeric_limits<double>::infinity();
    if (!make_clock_dear(burn)) _exit(errno);
    for (int b = 0; b < batches; ++b) {
      const std::int64_t start = now_ns();
      for (int c = 1; c < calls; ++c) now_ns();  // the reading that ends the batch is one more
      best = std::min(best, double(now_ns() - start) / calls);
    }
    _exit(write(channel[1], &best, sizeof best) == sizeof best ? 0 : EIO);
  }
  close(channel[1]);
  double cost = 0;
  const bool got = read(channel[0], &cost, sizeof cost) == sizeof cost;
  close(channel[0]);
  int status = 0;
  waitpid(probe, &status, 0);
  if (!got) {
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
    fail("cannot install the seccomp filter");
  }
  return cost;
}

struct Calibration {
  int burn;
  double cost_ns;
};

// Finds the burn whose cost is nearest to what was asked: a line through two points, then corrected by what it gives.
Calibration calibrate(double asked_ns) {
  constexpr int second_point = 1000, corrections = 5;
  constexpr double good_enough = 0.01;
  const double bare = cost_ns(0);
  const double slope = std::max(0.05, (cost_ns(second_point) - bare) / second_point);
  Calibration best{0, bare};
  int burn = 0;
  for (int i = 0; i < corrections && std::abs(best.cost_ns - asked_ns) > good_enough * asked_ns; ++i) {
    const double from = i == 0 ? bare : best.cost_ns;
    burn = std::max(0, best.burn + int((asked_ns - from) / slope));
    if (burn > burn_limit) {
      std::fprintf(stderr, "slowclock: the dearest clock that can be had here is about %.0f us\n", (bare + slope * burn_limit) / 1000);
      std::exit(own_failure);
    }
    const double cost = cost_ns(burn);
    if (std::abs(cost - asked_ns) <= std::abs(best.cost_ns - asked_ns)) best = {burn, cost};
  }
  return best;
}

// ---- the program's fast clock ------------------------------------------------------------------------------------------------

// At the stop after an exec. Nothing of the new program has run yet, not even its loader. The vDSO's address stands in its
// auxiliary vector, on its stack above argc, the arguments, a null, the environment and a null.
void take_fast_clock(pid_t pid) {
  constexpr unsigned long cs_of_64_bit = 0x33, word = sizeof(long);
  user_regs_struct regs{};
  if (ptrace(PTRACE_GETREGS, pid, nullptr, &regs) != 0 || regs.cs != cs_of_64_bit) return;
  errno = 0;
  unsigned long at = regs.rsp + word * (2 + static_cast<unsigned long>(vdso::peek(pid, regs.rsp)));
  while (errno == 0 && vdso::peek(pid, at) != 0) at += word;
  for (at += word; errno == 0; at += 2 * word) {
    const long type = vdso::peek(pid, at);
    if (type == AT_NULL) return;
    if (type != AT_SYSINFO_EHDR) continue;
    if (vdso::change(pid, static_cast<unsigned long>(vdso::peek(pid, at + word)))) return;
    // Where not even this is possible, errno tells below.
    errno = 0;
    if (ptrace(PTRACE_POKEDATA, pid, at, static_cast<long>(AT_IGNORE)) != 0) break;
    static bool told = false;
    if (!told) std::fputs("slowclock: the vDSO can't be changed here, it is hidden: the coarse clocks are system calls too\n", stderr);
    told = true;
    return;
  }
  if (errno != ESRCH) std::fprintf(stderr, "slowclock: process %d keeps its fast clock: %s\n", pid, std::strerror(errno));
}

// ---- the tracer's loop ----------------------------------------------------------------------------------------------------

volatile pid_t command = 0;  // 0 once it is gone

// A terminal's Ctrl-C reaches COMMAND by itself: only what another process sent to slowclock is passed on.
void pass_on(int signal, siginfo_t* info, void*) {
  if (info->si_code > 0) return;
  if (command == 0) _exit(128 + signal);  // what is left below is killed with us (PTRACE_O_EXITKILL)
  kill(command, signal);
}

bool keep_vdso = false;

// Lets the thread run on, with the signal that it was stopped for.
void resume(pid_t pid, int status) {
  const int signal = WSTOPSIG(status), event = status >> 16;
  const bool stop_signal = signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
  if (event == PTRACE_EVENT_EXEC && !keep_vdso) take_fast_clock(pid);
  if (event == PTRACE_EVENT_STOP && stop_signal) {
    ptrace(PTRACE_LISTEN, pid, nullptr, nullptr);  // stopped by job control: stays stopped until SIGCONT
  } else {
    ptrace(PTRACE_CONT, pid, nullptr, event == 0 ? long{signal} : 0L);
  }
}

// Waits until all below is gone; returns COMMAND's exit status as a shell would.
int trace_until_all_gone() {
  int result = own_failure;
  for (;;) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, __WALL);
    if (pid < 0 && errno == EINTR) continue;
    if (pid < 0) return result;
    if (WIFSTOPPED(status)) {
      resume(pid, status);
    } else if (pid == command) {
      result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      command = 0;
    }
  }
}

[[noreturn]] void become(char** argv, int burn, int go, const sigset_t& mask) {
  char byte = 0;
  if (read(go, &byte, 1) != 1) _exit(own_failure);  // slowclock could not trace us, and has said so
  if (!make_clock_dear(burn)) fail("cannot install the seccomp filter");
  sigprocmask(SIG_SETMASK, &mask, nullptr);
  execvp(argv[0], argv);
  const int status = errno == ENOENT ? 127 : 126;
  std::fprintf(stderr, "slowclock: %s: %s\n", argv[0], std::strerror(errno));
  _exit(status);
}

int run(char** argv, int burn) {
  // No signal may come between fork and the handlers, or it would be lost on COMMAND.
  const auto passed_on = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
  sigset_t blocked, before;
  sigemptyset(&blocked);
  for (const int s : passed_on) sigaddset(&blocked, s);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  std::array<int, 2> go{};
  if (pipe2(go.data(), O_CLOEXEC) != 0) fail("pipe");
  const pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    close(go[1]);
    become(argv, burn, go[0], before);
  }
  command = child;
  constexpr long follow = PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
  if (ptrace(PTRACE_SEIZE, child, nullptr, follow) != 0) fail("cannot trace the command");
  if (write(go[1], "", 1) != 1) fail("pipe");
  close(go[0]);
  close(go[1]);
  for (const int s : passed_on) {
    struct sigaction action {};
    if (sigaction(s, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) continue;  // as nohup left it
    action.sa_sigaction = pass_on;
    action.sa_flags = SA_SIGINFO;
    sigaction(s, &action, nullptr);
  }
  sigprocmask(SIG_SETMASK, &before, nullptr);
  return trace_until_all_gone();
}

// "500ns", "2us", "0.7us", "1ms", in ns.
std::optional<double> parse_duration(const char* text) {
  char* unit = nullptr;
  const double value = std::strtod(text, &unit);
  const std::string_view name{unit};
  const double factor = name == "ns" ? 1 : name == "us" ? 1e3 : name == "ms" ? 1e6 : 0;
  if (unit == text || factor == 0 || !(value * factor >= 0 && value * factor < 1e9)) return std::nullopt;
  return value * factor;
}

[[noreturn]] void bad_usage(const char* option, const char* value, const char* wanted) {
  std::fprintf(stderr, "slowclock: %s '%s': must be %s (slowclock --cost D [--vdso] -- COMMAND [ARG...])\n", option, value, wanted);
  std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
  std::optional<double> asked_ns;
  int at = 1;
  for (; at < argc && std::string_view{argv[at]} != "--"; ++at) {
    const std::string_view option{argv[at]};
    if (option == "--vdso") {
      keep_vdso = true;
    } else if (option == "--cost") {
      const char* value = ++at < argc ? argv[at] : "";
      asked_ns = parse_duration(value);
      if (!asked_ns) bad_usage("--cost", value, "a duration below 1s, such as 500ns, 0.7us or 2us");
    } else {
      bad_usage("argument", argv[at], "--cost, --vdso, or -- before the command");
    }
  }
  if (!asked_ns) bad_usage("--cost", "", "given");
  if (at + 1 >= argc) bad_usage("--", "", "followed by a command");
  const Calibration found = calibrate(*asked_ns);
  std::fprintf(stderr, "slowclock: clock_gettime costs %.2f us (asked %g us), %d BPF instructions%s\n", found.cost_ns / 1000,
               *asked_ns / 1000, found.burn, keep_vdso ? "; not used: the vDSO is left as it is" : "");
  return run(argv + at + 1, found.burn);
}
