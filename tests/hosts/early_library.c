/* A library whose IFUNC resolver asks for the time while the loader relocates it, and whose
 * constructor does too. The constructor also calls each function that the shim passes on. */
#include <dlfcn.h>
#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/timex.h>

#include "host.h"

static int64_t g_seen;
static int64_t chosen(void) { return g_seen; }
static int64_t (*resolve(void))(void) {
  struct timespec t = {0, 0};
  if (clock_gettime(CLOCK_MONOTONIC, &t) == 0) g_seen = host_ns(&t);
  return chosen;
}
int64_t seen_by_resolver(void) __attribute__((ifunc("resolve")));

static void note(char** out, const char* what, long result) {
  *out += sprintf(*out, " %s=%ld/%d", what, result, result == -1 ? errno : 0);
}

static void close_a_library(char** out) {
  void* library = dlopen("libm.so.6", RTLD_NOW);
  note(out, "dlclose", library == NULL ? -2 : dlclose(library));
}

/* Calls that change nothing, with results and errors. */
void say_what_they_return(char* out) {
  const int close_first = getenv("CLOSE_FIRST") != NULL;
  const struct timespec no_time = {0, -1};
  const struct timeval no_day = {0, -1};
  struct timex t = {0};
  struct timeval left;
  if (close_first) close_a_library(&out);
  note(&out, "syscall", syscall(-1));
  note(&out, "getppid", syscall(SYS_getppid) == getppid());
  note(&out, "prctl", prctl(-1));
  note(&out, "dumpable", prctl(PR_GET_DUMPABLE));
  note(&out, "clock_settime", clock_settime(CLOCK_MONOTONIC, &no_time));
  note(&out, "settimeofday", settimeofday(&no_day, NULL));
  note(&out, "adjtime", adjtime(NULL, &left));
  note(&out, "adjtimex", adjtimex(&t));
  note(&out, "ntp_adjtime", ntp_adjtime(&t));
  note(&out, "clock_adjtime", clock_adjtime(CLOCK_REALTIME, &t));
  note(&out, "clock_adjtime", clock_adjtime(CLOCK_MONOTONIC, &t));
  if (!close_first) close_a_library(&out);
}

int64_t g_seen_by_constructor;
char g_said_by_constructor[400];
__attribute__((constructor(101))) static void start(void) {
  g_seen_by_constructor = host_clock(CLOCK_MONOTONIC);
  say_what_they_return(g_said_by_constructor);
}
