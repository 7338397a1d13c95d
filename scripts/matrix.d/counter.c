// A preload before libclockshim.so that counts each call on its way there, for the processes of a
// whole tree: the truth that the reports are held against. The counts are in the file MATRIX_COUNT,
// which is mapped shared, so that nothing is lost by fork, exec, _exit or a kill.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "next.h"

struct counts {
  unsigned long calls;  // before their process began to exit: each must be in a report
  unsigned long late;   // afterwards: those may be
};

static struct counts before_start;
static struct counts* counts = &before_start;
static int exiting;

static int (*next_gettime)(clockid_t, struct timespec*);
static int (*next_timeofday)(struct timeval*, void*);
static int (*next_timespec_get)(struct timespec*, int);

static void* found(void* cached, const char* name) {
  __atomic_fetch_add(exiting ? &counts->late : &counts->calls, 1, __ATOMIC_RELAXED);
  return cached != NULL ? cached : next_function(&before_start, name);
}

// They end in jumps, so that the shim sees the caller's own address.
int clock_gettime(clockid_t id, struct timespec* out) {
  next_gettime = (int (*)(clockid_t, struct timespec*))found(next_gettime, "clock_gettime");
  return next_gettime(id, out);
}

int gettimeofday(struct timeval* out, void* zone) {
  next_timeofday = (int (*)(struct timeval*, void*))found(next_timeofday, "gettimeofday");
  return next_timeofday(out, zone);
}

int timespec_get(struct timespec* out, int base) {
  next_timespec_get = (int (*)(struct timespec*, int))found(next_timespec_get, "timespec_get");
  return next_timespec_get(out, base);
}

__attribute__((constructor)) static void start(void) {
  const char* path = getenv("MATRIX_COUNT");
  const int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void* file = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (file == MAP_FAILED) return;
  counts = file;
  __atomic_fetch_add(&counts->calls, before_start.calls, __ATOMIC_RELAXED);
}

// Comes before the shim's own end, which writes the report.
__attribute__((destructor)) static void end(void) { exiting = 1; }
