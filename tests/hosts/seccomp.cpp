// Locks itself in after its start: any system call but those of strict mode, a few of the C
// library's and clock_gettime kills the process. Then it meets call sites for the first time,
// direct ones and through std::chrono, in two threads.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include <atomic>
#include <chrono>
#include <iterator>
#include <thread>

#include "sites.h"

namespace {

void lock_in() {
  static const unsigned allowed[] = {SYS_read,          SYS_write,          SYS_exit,
                                     SYS_clock_gettime, SYS_gettimeofday,   SYS_futex,
                                     SYS_rt_sigreturn,  SYS_rt_sigprocmask, SYS_exit_group};
  constexpr auto kAllowed = std::size(allowed);
  sock_filter filter[kAllowed + 3];
  filter[0] = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
  for (std::size_t i = 0; i < kAllowed; ++i) {
    filter[i + 1] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i],
                             static_cast<unsigned char>(kAllowed - i), 0);
  }
  filter[kAllowed + 1] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  filter[kAllowed + 2] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const sock_fprog program{static_cast<unsigned short>(std::size(filter)), filter};
  HOST_EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  HOST_EXPECT(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) ==
              0);
}

HOST_NOINLINE void work() {
  for (const auto& call : kSitesOf<600>) call();
  for (int i = 0; i < 1000; ++i) (void)std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i) (void)std::chrono::system_clock::now();
  for (long i = 0; i < 300'000; ++i) host_clock(CLOCK_REALTIME);  // through many resyncs
}

}  // namespace

int main(int argc, char** argv) {
  HOST_EXPECT(argc == 2);
  std::atomic<bool> locked{false};
  std::atomic<bool> done{false};
  std::atomic<bool> started{false};
  uint32_t never = 0;
  std::thread other([&] {
    started = true;
    while (!locked.load()) {
    }
    work();
    done = true;
    for (;;)
      syscall(SYS_futex, &never, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr,
              0);  // its end would unmap its stack
  });
  while (
      !started.load()) {  // a thread's own start needs more system calls than are left afterwards
  }
  lock_in();
  locked = true;
  work();
  while (!done.load()) {
  }
  const char text[] = "asked behind the filter\n";
  HOST_EXPECT(write(1, text, sizeof text - 1) == sizeof text - 1);
  if (argv[1][0] == '_') _exit(0);
  std::exit(0);
}
