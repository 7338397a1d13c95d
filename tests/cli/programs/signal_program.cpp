// Says "ready", then the number of each signal that it gets, one a line; SIGTERM ends it with exit
// status 9. With an argument it sends SIGUSR1 to its own process group first.
#include <csignal>
#include <cstdio>

int main(int argc, char**) {
  sigset_t all;
  sigfillset(&all);
  sigdelset(&all, SIGTSTP);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  std::puts("ready");
  if (argc > 1) kill(0, SIGUSR1);
  for (;;) {
    int signal = 0;
    sigwait(&all, &signal);
    std::printf("got %d\n", signal);
    if (signal == SIGTERM) return 9;
  }
}
