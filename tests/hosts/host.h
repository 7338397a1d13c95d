/* What the hosts share. Hosts are small programs that know nothing of the shim: they count their
 * own calls and say so on descriptor 1, by write(2), so that nothing is lost or told twice in a
 * child. C and C++. */
#pragma once

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define HOST_EXPECT(condition)                                                           \
  do {                                                                                   \
    if (!(condition)) {                                                                  \
      dprintf(1, "FAILED %s:%d %s (errno %d)\n", __FILE__, __LINE__, #condition, errno); \
      _exit(99);                                                                         \
    }                                                                                    \
  } while (0)

#define HOST_NOINLINE __attribute__((noinline, noclone))

static inline int64_t host_ns(const struct timespec* t) {
  return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

#ifdef HOST_TLS
/* Thread-local memory of the program's own stands where the library's would, and so each thread
 * finds its counts another way. */
static __thread volatile char host_tls[4096];
__attribute__((constructor)) static void host_use_tls(void) { host_tls[0] = 1; }
#endif

/* The interposed call. Inline, so that each place that uses it is a call site of its own. */
static inline __attribute__((always_inline)) int64_t host_clock(clockid_t id) {
  struct timespec t;
  HOST_EXPECT(clock_gettime(id, &t) == 0);
  return host_ns(&t);
}

/* The kernel's own answer, which no preload can touch. */
static inline int64_t host_real_clock(clockid_t id) {
  struct timespec t;
  HOST_EXPECT(syscall(SYS_clock_gettime, id, &t) == 0);
  return host_ns(&t);
}

/* Calls until the shim, if it is there, has had real time enough to calibrate itself. The number of
 * calls. */
static inline long host_warm_up(clockid_t id) {
  const int64_t end = host_real_clock(CLOCK_MONOTONIC) + 10000000;
  long calls = 0;
  while (host_real_clock(CLOCK_MONOTONIC) < end) {
    host_clock(id);
    ++calls;
  }
  return calls;
}

static inline void host_say(const char* word, long number) {
  dprintf(1, "%s %ld %ld\n", word, (long)getpid(), number);
}
