/* A program that no library is preloaded into: static, or of musl. Its functions ask for the time
 * as often as they are told to, each by a call of its own. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "host.h"

HOST_NOINLINE static void asks_monotonic(long times) {
  int64_t last = 0;
  for (; times > 0; --times) {
    const int64_t now = host_clock(CLOCK_MONOTONIC);
    HOST_EXPECT(now >= last);
    last = now;
  }
}

HOST_NOINLINE static void asks_timeofday(long times) {
  struct timeval now;
  for (; times > 0; --times) HOST_EXPECT(gettimeofday(&now, NULL) == 0);
}

HOST_NOINLINE static void asks_coarse(long times) {
  for (; times > 0; --times) host_clock(CLOCK_MONOTONIC_COARSE);
}

static void* asks_in_thread(void* times) {
  asks_monotonic((long)times);
  return NULL;
}

static void in_threads(long threads, long times, size_t stack) {
  pthread_t all[16];
  pthread_attr_t attributes;
  HOST_EXPECT(threads <= 16);
  pthread_attr_init(&attributes);
  if (stack != 0) HOST_EXPECT(pthread_attr_setstacksize(&attributes, stack) == 0);
  for (long i = 0; i < threads; ++i)
    HOST_EXPECT(pthread_create(&all[i], &attributes, asks_in_thread, (void*)times) == 0);
  for (long i = 0; i < threads; ++i) pthread_join(all[i], NULL);
}

static volatile sig_atomic_t handled;
static void on_signal(int signal) {
  (void)signal;
  asks_monotonic(1);
  handled = handled + 1;
}

/* What the kernel gives a program must be what it would have without anybody's help. */
static void say_signals(void) {
  sigset_t blocked, pending;
  sigprocmask(SIG_BLOCK, NULL, &blocked);
  sigpending(&pending);
  for (int signal = 1; signal < 64; ++signal) {
    if (sigismember(&blocked, signal) == 1) host_say("blocked", signal);
    if (sigismember(&pending, signal) == 1) host_say("pending", signal);
    struct sigaction how;
    if (sigaction(signal, NULL, &how) == 0 && how.sa_handler == SIG_IGN)
      host_say("ignored", signal);
  }
}

/* WHAT TIMES: calls, threads, small_stacks, fork, signals, kill, exec; start TIMES PROGRAM ARG...
 */
int main(int argc, char** argv) {
  HOST_EXPECT(argc >= 3);
  const char* what = argv[1];
  const long times = atol(argv[2]);
  if (strcmp(what, "calls") == 0) {
    asks_monotonic(times);
    asks_timeofday(times / 2);
    asks_coarse(times / 4);
  } else if (strcmp(what, "threads") == 0) {
    in_threads(4, times, 0);
  } else if (strcmp(what, "small_stacks") == 0) {
    in_threads(1, times, 16384); /* the least of both C libraries */
  } else if (strcmp(what, "fork") == 0) {
    asks_monotonic(times);
    const pid_t child = fork();
    if (child == 0) {
      asks_monotonic(times);
      _exit(0);
    }
    int status = 0;
    HOST_EXPECT(waitpid(child, &status, 0) == child && status == 0);
  } else if (strcmp(what, "signals") == 0) {
    signal(SIGALRM, on_signal);
    const struct itimerval often = {{0, 300}, {0, 300}};
    setitimer(ITIMER_REAL, &often, NULL);
    asks_monotonic(times);
    const struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &never, NULL);
    host_say("handled", handled);
  } else if (strcmp(what, "kill") == 0) {
    asks_monotonic(times);
    raise(SIGKILL);
  } else if (strcmp(what, "exec") == 0) {
    asks_monotonic(times);
    execl(argv[0], argv[0], "state", "0", NULL);
  } else if (strcmp(what, "start") == 0) {
    asks_monotonic(times);
    execv(argv[3], argv + 3);
  } else {
    HOST_EXPECT(strcmp(what, "state") == 0);
    say_signals();
    host_say("descriptors", dup(0));
  }
  return 7;
}
