/* A plug-in that asks for the time. Built several times, as plug_a, plug_b and so on (PLUG_NAME):
 * the same code in the same places, so that the second, loaded where the first was unloaded, has
 * its call at the same address. */
#include "host.h"

#define JOINED_(a, b) a##b
#define JOINED(a, b) JOINED_(a, b)

HOST_NOINLINE static int64_t JOINED(PLUG_NAME, _reads)(void) {
  const int64_t now = host_clock(CLOCK_MONOTONIC);
  __asm__ volatile("");
  return now;
}

int64_t JOINED(PLUG_NAME, _ask)(long times) {
  int64_t now = 0;
  for (long i = 0; i < times; ++i) now = JOINED(PLUG_NAME, _reads)();
  return now;
}

/* While it is being unloaded: asks so often, then calls the host. */
static long JOINED(PLUG_NAME, _last_times);
static void (*JOINED(PLUG_NAME, _last_call))(void);

void JOINED(PLUG_NAME, _at_end)(long times, void (*call)(void)) {
  JOINED(PLUG_NAME, _last_times) = times;
  JOINED(PLUG_NAME, _last_call) = call;
}

__attribute__((destructor)) static void JOINED(PLUG_NAME, _ends)(void) {
  JOINED(PLUG_NAME, _ask)(JOINED(PLUG_NAME, _last_times));
  if (JOINED(PLUG_NAME, _last_call) != NULL) JOINED(PLUG_NAME, _last_call)();
}
