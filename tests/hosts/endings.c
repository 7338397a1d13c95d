/* Ends in the way that it is told, after some thousand calls. */
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "host.h"

static void on_exit_ask(void) {
  host_clock(CLOCK_REALTIME);
  dprintf(1, "at exit\n");
}

static void* exits(void* unused) {
  host_clock(CLOCK_REALTIME);
  exit(8);
  return unused;
}

static void* outlives_main(void* main_thread) {
  pthread_join(*(pthread_t*)main_thread, NULL);
  host_clock(CLOCK_REALTIME);
  return NULL; /* the last thread: the process exits with 0 */
}

static void exit_now(int signal) {
  (void)signal;
  exit(9);
}

int main(int argc, char** argv) {
  HOST_EXPECT(argc == 2);
  const struct rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  atexit(on_exit_ask);
  at_quick_exit(on_exit_ask);
  host_warm_up(CLOCK_REALTIME);
  dprintf(1, "asked\n");
  const char* how = argv[1];
  static pthread_t self;
  self = pthread_self();
  pthread_t thread;
  if (strcmp(how, "exit") == 0) exit(3);
  if (strcmp(how, "_exit") == 0) _exit(4);
  if (strcmp(how, "quick_exit") == 0) quick_exit(5);
  if (strcmp(how, "abort") == 0) abort();
  if (strcmp(how, "kill") == 0) raise(SIGKILL);
  if (strcmp(how, "term") == 0) raise(SIGTERM);
  if (strcmp(how, "segv") == 0) raise(SIGSEGV);
  if (strcmp(how, "exit-in-handler") == 0) {
    signal(SIGUSR1, exit_now);
    raise(SIGUSR1);
  }
  if (strcmp(how, "exit-in-thread") == 0) {
    HOST_EXPECT(pthread_create(&thread, NULL, exits, NULL) == 0);
    pthread_join(thread, NULL);
  }
  if (strcmp(how, "last-thread") == 0) {
    HOST_EXPECT(pthread_create(&thread, NULL, outlives_main, &self) == 0);
    pthread_exit(NULL);
  }
  return 6;
}
