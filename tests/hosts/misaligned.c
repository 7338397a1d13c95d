/* Calls from code that does not align the stack, as hand-written assembly may not, and Go's
 * syscall.Gettimeofday() does not: whoever answers may not rely on it, because the C library and
 * the vDSO do not. */
#include <pthread.h>
#include <sys/wait.h>

#include "host.h"

static int misaligned(uintptr_t function, long first, void* second) {
  int result;
  __asm__ volatile(
      "movq %%rsp, %%rbx\n\tandq $-16, %%rsp\n\tsubq $136, %%rsp\n\tcall *%1\n\tmovq %%rbx, %%rsp"
      : "=a"(result), "+r"(function), "+D"(first), "+S"(second)
      :
      : "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
  return result;
}

HOST_NOINLINE static void ask(int times) {
  static const clockid_t clocks[] = {CLOCK_REALTIME,         CLOCK_MONOTONIC,        CLOCK_BOOTTIME,
                                     CLOCK_MONOTONIC_RAW,    CLOCK_MONOTONIC_COARSE, CLOCK_TAI,
                                     CLOCK_THREAD_CPUTIME_ID};
  enum { kClocks = sizeof clocks / sizeof *clocks };
  for (int i = 0; i < times; ++i) {
    struct timespec time = {-1, -1};
    struct timeval day = {-1, -1};
    HOST_EXPECT(misaligned((uintptr_t)clock_gettime, clocks[i % kClocks], &time) == 0);
    HOST_EXPECT(time.tv_nsec >= 0);
    HOST_EXPECT(misaligned((uintptr_t)gettimeofday, (long)&day, NULL) == 0 && day.tv_usec >= 0);
#ifndef HOST_STATIC
    HOST_EXPECT(misaligned((uintptr_t)timespec_get, (long)&time, (void*)TIME_UTC) == TIME_UTC);
#endif
    HOST_EXPECT(misaligned((uintptr_t)clock_gettime, 99, &time) == -1 && errno == EINVAL);
  }
}

static void* asks(void* times) {
  ask((int)(long)times);
  return NULL;
}

/* Long enough for many resyncs. */
int main(void) {
  enum { kTimes = 30000, kThreads = 4 };
  pthread_t threads[kThreads];
  const int64_t end = host_real_clock(CLOCK_MONOTONIC) + 200000000;
  do ask(1000);
  while (host_real_clock(CLOCK_MONOTONIC) < end);
  for (int i = 0; i < kThreads; ++i)
    HOST_EXPECT(pthread_create(&threads[i], NULL, asks, (void*)kTimes) == 0);
  for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
  const pid_t child = fork();
  if (child == 0) {
    ask(kTimes);
    _exit(0);
  }
  int status = 0;
  HOST_EXPECT(waitpid(child, &status, 0) == child && status == 0);
  return 0;
}
