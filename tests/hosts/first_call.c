/* Asks for the time before any constructor ran (an IFUNC resolver while the loader relocates,
 * .preinit_array), in constructors and destructors of every priority, and after the last
 * destructor. */
#include "host.h"

static long g_calls;

static void ask(const char* where) {
  struct timespec t = {0, -1};
  struct timeval tv = {0, -1};
  ++g_calls;
  if (clock_gettime(CLOCK_MONOTONIC, &t) != 0 || t.tv_nsec < 0 || t.tv_sec == 0) abort();
  ++g_calls;
  if (gettimeofday(&tv, NULL) != 0 || tv.tv_usec < 0 || tv.tv_sec < 1000000000) abort();
  if (where != NULL) dprintf(1, "asked %s\n", where);
}

static void chosen(void) {}
/* Before the C library is ready for more than this. */
static void (*resolve(void))(void) {
  struct timespec t;
  ++g_calls;
  if (clock_gettime(CLOCK_REALTIME, &t) != 0) abort();
  return chosen;
}
void by_resolver(void) __attribute__((ifunc("resolve")));

static void preinit(int argc, char** argv, char** env) {
  (void)argc, (void)argv, (void)env;
  ask("preinit");
}
__attribute__((section(".preinit_array"), used)) static void (*const g_preinit)(int, char**,
                                                                                char**) = preinit;

__attribute__((constructor(101))) static void first(void) { ask("constructor 101"); }
__attribute__((constructor)) static void last(void) { ask("constructor"); }

/* Registered before main, so they run after what main registered; the shim's own destructor may
 * have run by then. */
__attribute__((destructor(101))) static void late(void) { ask("destructor 101"); }
__attribute__((destructor)) static void early(void) { ask("destructor"); }

int main(void) {
  by_resolver();
  ask("main");
  host_say("before_exit", g_calls);
  return 5;
}
