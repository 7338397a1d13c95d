// The same functions, preloaded in front of the shim: counts every call, hands it on, and writes
// the sum at exit, with how often a thread saw CLOCK_MONOTONIC go back. What the shim's report says
// must be the first number, and the second must be 0 (scripts/freediameter/verify-counts,
// scripts/soak).
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static atomic_ulong calls, backward;
static __thread struct timespec last;
static int (*next_clock_gettime)(clockid_t, struct timespec*);
static int (*next_gettimeofday)(struct timeval*, void*);
static int (*next_timespec_get)(struct timespec*, int);

static void find_next(void) {
  *(void**)&next_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
  *(void**)&next_gettimeofday = dlsym(RTLD_NEXT, "gettimeofday");
  *(void**)&next_timespec_get = dlsym(RTLD_NEXT, "timespec_get");
}

int clock_gettime(clockid_t id, struct timespec* tp) {
  if (!next_clock_gettime) find_next();
  atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
  const int result = next_clock_gettime(id, tp);
  if (id == CLOCK_MONOTONIC && result == 0 && tp) {
    if (tp->tv_sec < last.tv_sec || (tp->tv_sec == last.tv_sec && tp->tv_nsec < last.tv_nsec))
      atomic_fetch_add_explicit(&backward, 1, memory_order_relaxed);
    last = *tp;
  }
  return result;
}

int gettimeofday(struct timeval* restrict tv, void* restrict tz) {
  if (!next_gettimeofday) find_next();
  atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
  return next_gettimeofday(tv, tz);
}

int timespec_get(struct timespec* ts, int base) {
  if (!next_timespec_get) find_next();
  atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
  return next_timespec_get(ts, base);
}

// In a file named by the environment, because the host's own streams may be closed by now.
__attribute__((destructor)) static void tell(void) {
  const char* path = getenv("CLOCKSHIM_TWIN");
  char name[4096];
  if (!path) return;
  snprintf(name, sizeof name, "%s.%d", path, (int)getpid());
  FILE* file = fopen(name, "w");
  if (!file) return;
  fprintf(file, "%lu %lu\n", atomic_load(&calls), atomic_load(&backward));
  fclose(file);
}
