/* Becomes itself again and again, by exec, with threads beside that have to end for it: every
 * 10 ms. Each time its handler of SIGSEGV has to be there still when the next one begins. */
#include <pthread.h>
#include <signal.h>

#include "host.h"

static void on_fault(int signal) { _exit(100 + signal); }
static void* ask(void* unused) {
  (void)unused;
  for (;;) host_clock(CLOCK_MONOTONIC);
  return NULL;
}

int main(int argc, char** argv) {
  static char number[32];
  char* next[] = {argv[0], number, NULL};
  const long turn = argc > 1 ? atol(argv[1]) : 0;
  struct sigaction there;
  if (turn == 0) host_say("ready", 0);
  signal(SIGSEGV, on_fault);
  for (int i = 0; i < 3; ++i) {
    pthread_t thread;
    HOST_EXPECT(pthread_create(&thread, NULL, ask, NULL) == 0);
  }
  usleep(10000);
  HOST_EXPECT(sigaction(SIGSEGV, NULL, &there) == 0 && there.sa_handler == on_fault);
  snprintf(number, sizeof number, "%ld", turn + 1);
  execv("/proc/self/exe", next);
  return 98;
}
