/* A process with two children, all of which ask for the time until the first gets SIGTERM. later:
 * it forks at SIGUSR1. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "host.h"

static void ask_on(void) {
  int64_t last = 0;
  for (;;) {
    const int64_t now = host_clock(CLOCK_MONOTONIC);
    HOST_EXPECT(now >= last);
    last = now;
  }
}

static pid_t children[2];
static void on_term(int signal) {
  (void)signal;
  for (int i = 0; i < 2; ++i) {
    int status = 0;
    kill(children[i], SIGKILL);
    HOST_EXPECT(waitpid(children[i], &status, 0) == children[i] && WTERMSIG(status) == SIGKILL);
  }
  _exit(7);
}

static volatile sig_atomic_t now;
static void on_usr1(int signal) {
  (void)signal;
  now = 1;
}

int main(int argc, char** argv) {
  const pid_t parent = getpid();
  (void)argv;
  if (argc > 1) {
    signal(SIGUSR1, on_usr1);
    host_say("ready", 1);
    while (!now) host_clock(CLOCK_MONOTONIC);
  }
  for (int i = 0; i < 2; ++i) {
    children[i] = fork();
    if (children[i] == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) _exit(0);
      ask_on();
    }
  }
  signal(SIGTERM, on_term);
  host_say("forked", children[0]);
  host_say("ready", 3);
  ask_on();
  return 0;
}
