/* BEHIND COMMAND...: executes a command that has it harder than others, as services do that are
 * locked up: tracing_kills (a filter of system calls), no_new_code (PR_SET_MDWE). Exits with 77
 * where the kernel can't do that. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "host.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif

static int filter_kills_tracers(void) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ptrace, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = {sizeof code / sizeof code[0], code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

int main(int argc, char** argv) {
  HOST_EXPECT(argc > 2);
  if (strcmp(argv[1], "tracing_kills") == 0) {
    if (!filter_kills_tracers()) return 77;
  } else {
    HOST_EXPECT(strcmp(argv[1], "no_new_code") == 0);
    if (prctl(PR_SET_MDWE, 1UL, 0UL, 0UL, 0UL) != 0) return 77;
  }
  execv(argv[2], argv + 2);
  return 126;
}
