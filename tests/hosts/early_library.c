/* A library whose IFUNC resolver asks for the time while the loader relocates it, and whose
 * constructor does too. */
#include "host.h"

static int64_t g_seen;
static int64_t chosen(void) { return g_seen; }
static int64_t (*resolve(void))(void) {
  struct timespec t = {0, 0};
  if (clock_gettime(CLOCK_MONOTONIC, &t) == 0) g_seen = host_ns(&t);
  return chosen;
}
int64_t seen_by_resolver(void) __attribute__((ifunc("resolve")));

int64_t g_seen_by_constructor;
__attribute__((constructor(101))) static void start(void) {
  g_seen_by_constructor = host_clock(CLOCK_MONOTONIC);
}
