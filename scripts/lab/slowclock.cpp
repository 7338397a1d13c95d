// slowclock --cost D [--by filter|calls] [--vdso] [--let-go] -- COMMAND [ARG...]: runs COMMAND at
// native speed, but on a clock that is as dear as acpi_pm or hpet.
//
// How: at each exec (ptrace) the symbols of the new program's vDSO are changed, so that a reading
// of the clock is a real system call, as it is where the vDSO can't read the clocksource; and it is
// made dearer in the kernel, on the caller's CPU, as by a device read: by a seccomp filter that
// makes the kernel run some thousand BPF instructions in each of these calls (--by filter, the
// default), or by as many system calls as it takes (--by calls). How many is measured at start;
// slow_clock.h says what each way distorts. The counter and the kernel's clock are not touched: a
// library that serves the time from the TSC works as on any machine. All processes and threads that
// COMMAND starts have the same clock, over any number of execs, so `slowclock --cost 2us --
// clockshim run
// -- COMMAND` does what it says.
//
// Dear: clock_gettime of REALTIME, MONOTONIC, MONOTONIC_RAW, BOOTTIME and TAI, and gettimeofday.
// Left alone: everything else; the coarse clocks and time() stay in the vDSO. --vdso leaves that as
// it is, for comparison: the filter, where there is one, and ptrace are all that COMMAND gets,
// which tells what slowclock itself costs.
//
// --let-go traces COMMAND up to its first exec alone, so that others can trace it then (`clockshim
// attach`): it is dear by a filter, and its vDSO makes the system call by itself, as the kernel's
// own does where it can't read the clocksource. What it starts has a fast clock, which the filter
// makes dear only if it makes the system call.
//
// slowclock lasts until the last process below it is gone, then returns COMMAND's exit status (128
// + signal where it was killed). SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGUSR2 sent to slowclock go
// to COMMAND. If slowclock is killed, all below it is killed too. Exit status 125: slowclock itself
// failed; 126 and 127: COMMAND could not be run, was not found; 2: bad usage.
//
// Limits: x86_64 only, and 32-bit programs keep their fast clock. Where the vDSO has no room for 64
// bytes more, it is hidden as a whole, which slowclock says: then the coarse clocks are system
// calls too, and there is no way but the filter. No cost below that of a bare system call (under a
// filter, if it is by one), none above some 20 us by a filter (the kernel's limit on their length)
// or 100 us by calls. What runs below it cannot use ptrace itself (gdb, strace) nor gain privileges
// (setuid programs, sudo), but by calls where slowclock itself is root's. A new process or thread
// costs some tens of microseconds more, and a signal some more.
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include <elf.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "slow_clock.h"
#include "vdso.h"

namespace {

// ---- the program's fast clock ----

bool let_go = false;

// Takes the vDSO's address out of the new program's auxiliary vector, which stands on its stack
// above argc, the arguments, a null, the environment and a null. False: errno says why not.
bool hide_vdso(pid_t pid, const user_regs_struct& regs) {
  constexpr unsigned long word = sizeof(long);
  errno = 0;
  unsigned long at = regs.rsp + word * (2 + static_cast<unsigned long>(vdso::peek(pid, regs.rsp)));
  while (errno == 0 && vdso::peek(pid, at) != 0) at += word;
  for (at += word; errno == 0; at += 2 * word) {
    const long type = vdso::peek(pid, at);
    if (type == AT_NULL) return true;
    if (type == AT_SYSINFO_EHDR)
      return ptrace(PTRACE_POKEDATA, pid, at, static_cast<long>(AT_IGNORE)) == 0;
  }
  return false;
}

// At the stop after an exec. Nothing of the new program has run yet, not even its loader.
void take_fast_clock(pid_t pid, const slow_clock::Reading& reading) {
  constexpr unsigned long cs_of_64_bit = 0x33;
  user_regs_struct regs{};
  if (ptrace(PTRACE_GETREGS, pid, nullptr, &regs) != 0 || regs.cs != cs_of_64_bit) return;
  clockshim::cli::Vdso vdso;
  const std::string why_not = clockshim::cli::read_vdso(pid, vdso);
  if (why_not.empty() &&
      (let_go ? vdso::fall_back(pid, vdso) : vdso::change(pid, vdso, reading.calls)))
    return;
  if (let_go || reading.burn < 0) {
    std::fputs("slowclock: the vDSO can't be changed here: there is no way but --by filter\n",
               stderr);
    std::exit(own_failure);  // and what is below is killed
  }
  if (hide_vdso(pid, regs)) {
    static bool told = false;
    if (!told)
      std::fputs(
          "slowclock: the vDSO can't be changed here, it is hidden: the coarse clocks are system "
          "calls too\n",
          stderr);
    told = true;
  } else if (errno != ESRCH) {
    std::fprintf(stderr, "slowclock: process %d keeps its fast clock: %s\n", pid,
                 std::strerror(errno));
  }
}

// ---- the tracer's loop ----

volatile pid_t command = 0;  // 0 once it is gone

// A terminal's Ctrl-C reaches COMMAND by itself: only what another process sent to slowclock is
// passed on.
void pass_on(int signal, siginfo_t* info, void*) {
  if (info->si_code > 0) return;
  if (command == 0)
    _exit(128 + signal);  // what is left below is killed with us (PTRACE_O_EXITKILL)
  kill(command, signal);
}

const slow_clock::Reading* reading = nullptr;  // null: the vDSO is left as it is

// Lets the thread run on, with the signal that it was stopped for.
void resume(pid_t pid, int status) {
  const int signal = WSTOPSIG(status), event = status >> 16;
  const bool stop_signal =
      signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
  if (event == PTRACE_EVENT_EXEC && reading != nullptr) take_fast_clock(pid, *reading);
  if (event == PTRACE_EVENT_EXEC && let_go) {
    ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
  } else if (event == PTRACE_EVENT_STOP && stop_signal) {
    ptrace(PTRACE_LISTEN, pid, nullptr,
           nullptr);  // stopped by job control: stays stopped until SIGCONT
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
  if (!slow_clock::install_filter(burn)) fail("cannot install the seccomp filter");
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
  constexpr long follow = PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                          PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
  if (ptrace(PTRACE_SEIZE, child, nullptr, follow) != 0) fail("cannot trace the command");
  if (write(go[1], "", 1) != 1) fail("pipe");
  close(go[0]);
  close(go[1]);
  for (const int s : passed_on) {
    struct sigaction action {};
    if (sigaction(s, nullptr, &action) == 0 && action.sa_handler == SIG_IGN)
      continue;  // as nohup left it
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
  if (unit == text || factor == 0 || !(value * factor >= 0 && value * factor < 1e9))
    return std::nullopt;
  return value * factor;
}

[[noreturn]] void bad_usage(const char* option, const char* value, const char* wanted) {
  std::fprintf(
      stderr,
      "slowclock: %s '%s': must be %s (slowclock --cost D [--by filter|calls] [--vdso] [--let-go] "
      "-- COMMAND [ARG...])\n",
      option, value, wanted);
  std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
  std::optional<double> asked_ns;
  bool by_calls = false, keep_vdso = false;
  int at = 1;
  for (; at < argc && std::string_view{argv[at]} != "--"; ++at) {
    const std::string_view option{argv[at]};
    const auto value = [&] { return ++at < argc ? argv[at] : ""; };
    if (option == "--vdso") {
      keep_vdso = true;
    } else if (option == "--let-go") {
      let_go = true;
    } else if (option == "--by") {
      const std::string_view way{value()};
      by_calls = way == "calls";
      if (!by_calls && way != "filter") bad_usage("--by", way.data(), "filter or calls");
    } else if (option == "--cost") {
      const char* cost = value();
      asked_ns = parse_duration(cost);
      if (!asked_ns) bad_usage("--cost", cost, "a duration below 1s, such as 500ns, 0.7us or 2us");
    } else {
      bad_usage("argument", argv[at], "--cost, --by, --vdso, --let-go, or -- before the command");
    }
  }
  if (!asked_ns) bad_usage("--cost", "", "given");
  if (let_go && by_calls) bad_usage("--let-go", "", "without --by calls");
  if (at + 1 >= argc) bad_usage("--", "", "followed by a command");
  const slow_clock::Reading found =
      by_calls ? slow_clock::by_calls(*asked_ns) : slow_clock::by_filter(*asked_ns);
  std::fprintf(stderr, "slowclock: clock_gettime costs %.2f us (asked %g us), %d %s%s\n",
               found.cost_ns / 1000, *asked_ns / 1000, by_calls ? found.calls : found.burn,
               by_calls ? "system calls" : "BPF instructions",
               keep_vdso ? "; not used: the vDSO is left as it is" : "");
  if (!keep_vdso) reading = &found;
  return run(argv + at + 1, found.burn);
}
