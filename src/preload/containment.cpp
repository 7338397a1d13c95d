// prctl() and syscall() pass each call on, and notice those that install a seccomp filter
// (os/containment.h); syscall() also those that set a clock, as setters.cpp does with the functions
// that are made for it. Before start they make the system call themselves: a resolver that runs
// while the loader relocates may call them, and nothing can be looked up then.
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>

#include "base/attributes.h"
#include "clock/served_clock.h"
#include "os/containment.h"
#include "os/raw_syscall.h"
#include "os/real_functions.h"

namespace clockshim {
namespace {

constexpr long kSetSeccomp = 22;  // PR_SET_SECCOMP

long raw(long number, long a, long b, long c, long d, long e, long f) noexcept {
  const long result = raw_syscall(number, a, b, c, d, e, f);
  constexpr long kLeastError = -4095;
  if (result >= 0 || result < kLeastError) return result;
  errno = static_cast<int>(-result);
  return -1;
}

// The process counts as contained while it installs a filter, because a signal handler may call the
// clock right behind the installation. Attempts that fail change nothing. (libseccomp makes some,
// to learn what the kernel can do.)
template <class Install>
auto noting(bool installs, Install install) noexcept {
  const bool before = installs && g_self_contained.exchange(true, std::memory_order_relaxed);
  const auto result = install();
  if (installs && result == -1) g_self_contained.store(before, std::memory_order_relaxed);
  return result;
}

constexpr bool sets_clock(long number) noexcept {
  return number == SYS_clock_settime || number == SYS_settimeofday || number == SYS_adjtimex ||
         number == SYS_clock_adjtime;
}

}  // namespace

// The assembly below jumps here.
extern "C" CLOCKSHIM_HIDDEN __attribute__((used)) long clockshim_noted_syscall(long number, long a,
                                                                               long b, long c,
                                                                               long d, long e,
                                                                               long f) noexcept {
  const bool installs = number == SYS_seccomp
                            ? a == SECCOMP_SET_MODE_STRICT || a == SECCOMP_SET_MODE_FILTER
                            : number == SYS_prctl && a == kSetSeccomp;
  const long result = noting(installs, [=] {
    const auto real = g_real_functions.syscall.load(std::memory_order_relaxed);
    return real != nullptr ? real(number, a, b, c, d, e, f) : raw(number, a, b, c, d, e, f);
  });
  if (sets_clock(number)) g_clock.timeline.clocks_were_set();
  return result;
}

}  // namespace clockshim

using namespace clockshim;

CLOCKSHIM_EXPORT int prctl(int option, unsigned long a, unsigned long b, unsigned long c,
                           unsigned long d) noexcept {
  return noting(option == kSetSeccomp, [=] {
    const auto real = g_real_functions.prctl.load(std::memory_order_relaxed);
    if (real != nullptr) return real(option, a, b, c, d);
    const auto word = [](unsigned long argument) { return static_cast<long>(argument); };
    return static_cast<int>(raw(SYS_prctl, option, word(a), word(b), word(c), word(d), 0));
  });
}

// All calls but six are passed on by a jump, with whatever the caller has put into registers and on
// its stack.
asm(R"(
  .text
  .globl syscall
  .type syscall, @function
syscall:
  .cfi_startproc
  endbr64
  cmpq $317, %rdi                       # SYS_seccomp
  je clockshim_noted_syscall
  cmpq $157, %rdi                       # SYS_prctl
  je clockshim_noted_syscall
  cmpq $159, %rdi                       # SYS_adjtimex
  je clockshim_noted_syscall
  cmpq $164, %rdi                       # SYS_settimeofday
  je clockshim_noted_syscall
  cmpq $227, %rdi                       # SYS_clock_settime
  je clockshim_noted_syscall
  cmpq $305, %rdi                       # SYS_clock_adjtime
  je clockshim_noted_syscall
  movq clockshim_real_functions(%rip), %rax   # .syscall, the first
  testq %rax, %rax
  je clockshim_noted_syscall            # before start
  jmp *%rax
  .cfi_endproc
  .size syscall, . - syscall
)");
