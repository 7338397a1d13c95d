/* confined PROGRAM ARGUMENT...: runs it as container engines do by default: no_new_privs is set,
 * and a seccomp filter refuses what few programs need. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REFUSE(name)                                     \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), \
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)

int main(int argc, char** argv) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), /* seccomp_data.nr */
      REFUSE(acct),
      REFUSE(add_key),
      REFUSE(adjtimex),
      REFUSE(bpf),
      REFUSE(clock_adjtime),
      REFUSE(clock_settime),
      REFUSE(get_mempolicy),
      REFUSE(kcmp),
      REFUSE(keyctl),
      REFUSE(mount),
      REFUSE(move_pages),
      REFUSE(perf_event_open),
      REFUSE(pivot_root),
      REFUSE(process_vm_readv),
      REFUSE(process_vm_writev),
      REFUSE(ptrace),
      REFUSE(request_key),
      REFUSE(setns),
      REFUSE(settimeofday),
      REFUSE(swapon),
      REFUSE(umount2),
      REFUSE(unshare),
      REFUSE(userfaultfd),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
  if (argc < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    perror("confined");
    return 1;
  }
  execv(argv[1], argv + 1);
  perror(argv[1]);
  return 127;
}
