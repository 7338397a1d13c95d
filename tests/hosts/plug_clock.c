/* A plug-in that asks for the time. Built twice, as plug_a and plug_b (PLUG_NAME): the same code in the same places, so
 * that the second, loaded where the first was unloaded, has its call at the same address. */
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
