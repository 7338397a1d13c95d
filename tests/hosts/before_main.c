/* A library that does something before the program begins, as BEFORE_MAIN says: starts a thread
 * that asks for the time, or executes the program once more. */
#include <pthread.h>

#include "host.h"

static void* ask(void* nothing) {
  for (;;) host_clock(CLOCK_MONOTONIC);
  return nothing;
}

extern char** environ;

__attribute__((constructor)) static void begin(int argc, char** argv) {
  const char* what = getenv("BEFORE_MAIN");
  pthread_t thread;
  HOST_EXPECT(argc > 0 && what != NULL);
  if (strcmp(what, "thread") == 0) HOST_EXPECT(pthread_create(&thread, NULL, ask, NULL) == 0);
  if (strcmp(what, "execs") != 0) return;
  setenv("BEFORE_MAIN", "nothing", 1);
  execve("/proc/self/exe", argv, environ);
}
