/* Puts on a filter that allows everything, as a container's manager does before it starts a
 * program, and becomes that program. Needs root: without, a filter needs PR_SET_NO_NEW_PRIVS. Where
 * the program comes behind "no_new_privs" that is switched on first, as hardened units and
 * restricted pods have it. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "host.h"

int main(int argc, char** argv) {
  HOST_EXPECT(argc >= 2);
  if (strcmp(argv[1], "no_new_privs") == 0) {
    ++argv;
    HOST_EXPECT(argc >= 3 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  }
  struct sock_filter all[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const struct sock_fprog program = {1, all};
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) {
    HOST_EXPECT(errno == EACCES);
    host_say("forbidden", 1);
    return 0;
  }
  execv(argv[1], argv + 1);
  HOST_EXPECT(!"execv");
  return 1;
}
