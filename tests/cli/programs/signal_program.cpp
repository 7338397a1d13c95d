// Says "ready PID", then the number of each signal that it gets, one a line; SIGTERM ends it with exit status 9.
#include <unistd.h>

#include <csignal>
#include <cstdio>

int main() {
  sigset_t all;
  sigfillset(&all);
  sigdelset(&all, SIGTSTP);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::printf("ready %d\n", getpid());
  for (;;) {
    int signal = 0;
    sigwait(&all, &signal);
    std::printf("got %d\n", signal);
    if (signal == SIGTERM) return 9;
  }
}
