/* Threads by the thousand. Each asks for the time in two ways; the host knows the exact sum. */
#include <limits.h>
#include <pthread.h>

#include "host.h"

static long g_calls_each;
static pthread_barrier_t g_all_here;
static int g_together;

static void* work(void* unused) {
  if (g_together) pthread_barrier_wait(&g_all_here);
  struct timeval day;
  for (long i = 0; i < g_calls_each; i += 2) {
    host_clock(CLOCK_MONOTONIC);
    HOST_EXPECT(gettimeofday(&day, NULL) == 0);
  }
  if (g_together) pthread_barrier_wait(&g_all_here); /* nobody ends before all have asked */
  return unused;
}

/* THREADS CALLS-EACH AT-A-TIME [STACK] */
int main(int argc, char** argv) {
  HOST_EXPECT(argc >= 4);
  const long threads = atol(argv[1]);
  g_calls_each = atol(argv[2]);
  const long at_a_time = atol(argv[3]);
  g_together = at_a_time > 1;
  if (g_together) pthread_barrier_init(&g_all_here, NULL, (unsigned)at_a_time);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  const long stack = argc > 4 ? atol(argv[4]) : 0;
  HOST_EXPECT(pthread_attr_setstacksize(&attributes, stack != 0 ? (size_t)stack : 256 << 10) == 0);
  pthread_t* handles = (pthread_t*)calloc((size_t)at_a_time, sizeof *handles);
  for (long done = 0; done < threads; done += at_a_time) {
    for (long i = 0; i < at_a_time; ++i)
      HOST_EXPECT(pthread_create(&handles[i], &attributes, work, NULL) == 0);
    for (long i = 0; i < at_a_time; ++i) HOST_EXPECT(pthread_join(handles[i], NULL) == 0);
  }
  free(handles);
  host_say("calls", threads * g_calls_each);
  return 0;
}
