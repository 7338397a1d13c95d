// prctl() and syscall() pass each call on, and take notice of those that install a seccomp filter.
#include "preload/containment.h"

#include <dlfcn.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>

#include "base/attributes.h"
#include "os/containment.h"
#include "os/raw_syscall.h"

// <sys/prctl.h> and <unistd.h> declare the two with "...": here they are what they are in the C
// library, five and seven words.
namespace clockshim {
namespace {

constexpr long kSetSeccomp = 22;  // PR_SET_SECCOMP

using Prctl = int (*)(int, unsigned long, unsigned long, unsigned long, unsigned long);
using Syscall = long (*)(long, long, long, long, long, long, long);

constinit std::atomic<Prctl> g_prctl{nullptr};

long raw(long number, long a, long b, long c, long d, long e, long f) noexcept {
  const long result = raw_syscall(number, a, b, c, d, e, f);
  constexpr long kLeastError = -4095;
  if (result >= 0 || result < kLeastError) return result;
  errno = static_cast<int>(-result);
  return -1;
}

// While a filter is being installed the process counts as contained: a handler may ask for the time
// right behind it. Attempts that fail (libseccomp makes some, to learn what the kernel can do)
// change nothing.
template <class Install>
auto noting(bool installs, Install install) noexcept {
  const bool before = installs && g_self_contained.exchange(true, std::memory_order_relaxed);
  const auto result = install();
  if (installs && result == -1) g_self_contained.store(before, std::memory_order_relaxed);
  return result;
}

}  // namespace

// Used by the assembly below.
extern "C" {
CLOCKSHIM_HIDDEN constinit Syscall clockshim_real_syscall = nullptr;
CLOCKSHIM_HIDDEN __attribute__((used)) long clockshim_noted_syscall(long number, long a, long b,
                                                                    long c, long d, long e,
                                                                    long f) noexcept {
  const bool installs = number == SYS_seccomp
                            ? a == SECCOMP_SET_MODE_STRICT || a == SECCOMP_SET_MODE_FILTER
                            : number == SYS_prctl && a == kSetSeccomp;
  return noting(installs, [=] {
    return clockshim_real_syscall != nullptr ? clockshim_real_syscall(number, a, b, c, d, e, f)
                                             : raw(number, a, b, c, d, e, f);
  });
}
}

void find_real_containers() noexcept {
  g_prctl.store(reinterpret_cast<Prctl>(dlsym(RTLD_NEXT, "prctl")), std::memory_order_relaxed);
  clockshim_real_syscall = reinterpret_cast<Syscall>(dlsym(RTLD_NEXT, "syscall"));
}

}  // namespace clockshim

using namespace clockshim;

CLOCKSHIM_EXPORT int prctl(int option, unsigned long a, unsigned long b, unsigned long c,
                           unsigned long d) noexcept {
  return noting(option == kSetSeccomp, [=] {
    const Prctl real = g_prctl.load(std::memory_order_relaxed);
    if (real != nullptr) return real(option, a, b, c, d);
    const auto word = [](unsigned long argument) { return static_cast<long>(argument); };
    return static_cast<int>(raw(SYS_prctl, option, word(a), word(b), word(c), word(d), 0));
  });
}

// All calls but two are passed on as they are, by a jump: whatever the caller has put into
// registers and on its stack.
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
  movq clockshim_real_syscall(%rip), %rax
  testq %rax, %rax
  je clockshim_noted_syscall            # before start
  jmp *%rax
  .cfi_endproc
  .size syscall, . - syscall
)");
