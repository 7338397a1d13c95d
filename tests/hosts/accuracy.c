/* "bracket CLOCK TOLERANCE READS": how many readings lie outside the kernel's own bracket, widened by the tolerance.
 * "wait CLOCK WAITS": how many timed waits ended before the clock that is served had reached their deadline. */
#include <pthread.h>

#include "host.h"

static long outside(clockid_t clock, int64_t tolerance, long reads) {
  long count = 0;
  int64_t worst = 0;
  for (long i = 0; i < reads; ++i) {
    const int64_t before = host_real_clock(clock);
    const int64_t served = host_clock(clock);
    const int64_t after = host_real_clock(clock);
    const int64_t early = before - tolerance - served;
    const int64_t late = served - after - tolerance;
    const int64_t miss = early > late ? early : late;
    if (miss > 0) ++count;
    if (miss > worst) worst = miss;
  }
  host_say("worst", worst);
  return count;
}

static long too_early(clockid_t clock, long waits) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  HOST_EXPECT(pthread_condattr_setclock(&attributes, clock) == 0);
  pthread_cond_t never;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_init(&never, &attributes);
  pthread_mutex_lock(&mutex);
  long count = 0;
  int64_t worst = 0;
  for (long i = 0; i < waits; ++i) {
    const int64_t deadline = host_clock(clock) + 200000;
    const struct timespec until = {deadline / 1000000000, deadline % 1000000000};
    int result;
    do {
      result = pthread_cond_timedwait(&never, &mutex, &until);
    } while (result == 0);
    HOST_EXPECT(result == ETIMEDOUT);
    const int64_t missing = deadline - host_clock(clock);
    if (missing > 0) ++count;
    if (missing > worst) worst = missing;
  }
  host_say("worst", worst);
  return count;
}

int main(int argc, char** argv) {
  HOST_EXPECT(argc >= 4);
  const clockid_t clock = atoi(argv[2]);
  host_warm_up(clock);
  if (strcmp(argv[1], "bracket") == 0) host_say("outside", outside(clock, atol(argv[3]), atol(argv[4])));
  if (strcmp(argv[1], "wait") == 0) host_say("early", too_early(clock, atol(argv[3])));
  return 0;
}
