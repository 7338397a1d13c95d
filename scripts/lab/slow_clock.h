// Makes a reading of the clock cost what was asked for: for slowclock. Two ways, each measured at
// its start.
//
//   filter  A seccomp filter makes the kernel run some thousand BPF instructions in each clock
//   system call, whoever makes it. All
//           other system calls of the process pass the filter too: some 40 ns each, and more with
//           cold caches.
//   calls   What stands in the vDSO's place makes the system call several times over (vdso.h).
//   Nothing else is dearer. A program
//           that makes the system call itself, without asking the vDSO, pays for one.
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <limits>
#include <vector>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if !defined(__x86_64__)
#error "slowclock knows the registers and system calls of x86_64 only"
#endif

inline constexpr int own_failure = 125;

[[noreturn]] inline void fail(const char* what) {
  std::fprintf(stderr, "slowclock: %s: %s\n", what, std::strerror(errno));
  std::exit(own_failure);
}

namespace slow_clock {

// What makes a reading dear, and what it then costs.
struct Reading {
  int burn = 0;  // BPF instructions that the kernel runs in each clock system call; negative: there
                 // is no filter
  int calls = 1;  // system calls that what stands in the vDSO's place makes
  double cost_ns = 0;
};

inline constexpr int no_filter = -1;
inline constexpr int burn_per_filter =
    4000;  // the kernel takes 4096 instructions a filter; the head below needs 13
inline constexpr int burn_limit =
    28'000;  // and 32768 (in its own encoding) for all filters of a process
inline constexpr int calls_limit = 1000;  // in the way `calls`: some 100 us

// Makes the dear calls of this process, and of all that it will start, run `burn` more BPF
// instructions.
inline bool install_one_filter(int burn) {
  constexpr auto word = [](std::size_t offset) -> sock_filter {
    return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, std::uint32_t(offset));
  };
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
      // Reading an argument also keeps the call out of the kernel's cache of calls that are always
      // allowed.
      word(offsetof(seccomp_data, args[0])),
      equal(CLOCK_REALTIME, 5, 0),  // burn; and so on
      equal(CLOCK_MONOTONIC, 4, 0),
      equal(CLOCK_MONOTONIC_RAW, 3, 0),
      equal(CLOCK_BOOTTIME, 2, 0),
      equal(CLOCK_TAI, 1, 0),
      allow,
  };
  // Each multiplication waits for the one before it: the cost is latency, the same on any CPU of
  // the machine.
  program.insert(program.end(), std::size_t(burn),
                 sock_filter BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 1664525));
  program.push_back(allow);
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  // SPEC_ALLOW: kernels before 5.16 otherwise slow the whole process down against speculation
  // attacks.
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &filter) ==
         0;
}

inline bool install_filter(int burn) {
  if (burn < 0) return true;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  do {
    if (!install_one_filter(std::min(burn, burn_per_filter))) return false;
    burn -= burn_per_filter;
  } while (burn > 0);
  return true;
}

// As what stands in the vDSO's place does it (vdso.h), so that neither the vDSO nor a preloaded
// library has a part in it. One return from a function for so many system calls, as there: returns
// are slow behind each where the kernel guards against speculation.
[[gnu::noinline]] inline std::int64_t now_ns(clockid_t id, int calls) {
  timespec t{};
  asm volatile(
      "1: mov %[number], %%eax\n"
      "syscall\n"
      "dec %%edx\n"
      "jnz 1b"
      : "+d"(calls)
      : [number] "i"(SYS_clock_gettime), "D"(id), "S"(&t)
      : "rax", "rcx", "r11", "cc", "memory");
  return t.tv_sec * std::int64_t{1'000'000'000} + t.tv_nsec;
}

// What a reading of CLOCK_REALTIME costs so, in ns: the least mean of many short batches, since
// most of them are not disturbed by anything. In a child, because a filter cannot be taken off
// again.
inline double cost_ns(int burn, int calls) {
  constexpr int batches = 60, readings = 50;
  std::array<int, 2> channel{};
  if (pipe2(channel.data(), O_CLOEXEC) != 0) fail("pipe");
  const pid_t probe = fork();
  if (probe < 0) fail("fork");
  if (probe == 0) {
    double best = std::numeric_limits<double>::infinity();
    if (!install_filter(burn)) _exit(errno);
    for (int b = 0; b < batches; ++b) {
      const std::int64_t start = now_ns(CLOCK_MONOTONIC, 1);
      for (int r = 0; r < readings; ++r) now_ns(CLOCK_REALTIME, calls);
      const double all = readings + 1.0 / calls;  // what tells the end is one more system call
      best = std::min(best, double(now_ns(CLOCK_MONOTONIC, 1) - start) / all);
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

[[noreturn]] inline void too_dear(double limit_ns) {
  std::fprintf(stderr, "slowclock: the dearest clock that can be had here is about %.0f us\n",
               limit_ns / 1000);
  std::exit(own_failure);
}

// Finds the burn whose cost is nearest to what was asked: a line through two points, then corrected
// by what it gives.
inline Reading by_filter(double asked_ns) {
  constexpr int second_point = 1000, corrections = 5;
  constexpr double good_enough = 0.01;
  const double bare = cost_ns(0, 1);
  const double slope = std::max(0.05, (cost_ns(second_point, 1) - bare) / second_point);
  Reading best{0, 1, bare};
  for (int i = 0; i < corrections && std::abs(best.cost_ns - asked_ns) > good_enough * asked_ns;
       ++i) {
    const double from = i == 0 ? bare : best.cost_ns;
    const int burn = std::max(0, best.burn + int((asked_ns - from) / slope));
    if (burn > burn_limit) too_dear(bare + slope * burn_limit);
    const double cost = cost_ns(burn, 1);
    if (std::abs(cost - asked_ns) <= std::abs(best.cost_ns - asked_ns)) best = {burn, 1, cost};
  }
  return best;
}

// The number of calls whose cost is nearest to what was asked, from one up: so the cost comes in
// steps of a system call's.
inline Reading by_calls(double asked_ns) {
  constexpr int second_point = 20;
  const double one = cost_ns(no_filter, 1);
  const double more = std::max(1.0, (cost_ns(no_filter, second_point) - one) / (second_point - 1));
  const int calls = std::max(1, 1 + int(std::lround((asked_ns - one) / more)));
  if (calls > calls_limit) too_dear(one + more * calls_limit);
  return {no_filter, calls, cost_ns(no_filter, calls)};
}

}  // namespace slow_clock
