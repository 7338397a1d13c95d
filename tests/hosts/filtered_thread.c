/* A process whose second thread, and no other, is behind a filter of system calls that kills the
 * process for attaching memory. The first one waits in a way that nobody can borrow: with a signal
 * that is about to be delivered all the time. Returns 7 at SIGTERM. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "host.h"

static volatile sig_atomic_t end;
static void on_signal(int signal) {
  if (signal == SIGTERM) end = 1;
}

static void* filtered(void* unused) {
  struct sock_filter code[] = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_shmat},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  };
  const struct sock_fprog program = {sizeof code / sizeof *code, code};
  sigset_t all;
  (void)unused;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  HOST_EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  HOST_EXPECT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
  host_say("ready", 2);
  for (;;) host_clock(CLOCK_MONOTONIC);
  return NULL;
}

int main(void) {
  pthread_t thread;
  const struct itimerval often = {{0, 50}, {0, 50}};
  signal(SIGALRM, on_signal);
  signal(SIGTERM, on_signal);
  HOST_EXPECT(pthread_create(&thread, NULL, filtered, NULL) == 0);
  setitimer(ITIMER_REAL, &often, NULL);
  while (!end) host_clock(CLOCK_MONOTONIC);
  return 7;
}
