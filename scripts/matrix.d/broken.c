// A library with one fault, built with -DFAULT_..., to stand before libclockshim.so under its name:
// the self-test shows with it that each kind of check of the matrix can fail.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "next.h"

static char here;

#if defined(FAULT_SLOW) || defined(FAULT_UNTOLD)
// The C library's own.
static int bare(clockid_t id, struct timespec* out) {
  static int (*function)(clockid_t, struct timespec*);
  for (const struct link_map* m = _r_debug.r_map; function == NULL; m = m->l_next) {
    if (strstr(m->l_name, "/libc.so.6") == NULL) continue;
    function = (int (*)(clockid_t, struct timespec*))function_in(m, "clock_gettime");
  }
  return function(id, out);
}
#endif

int clock_gettime(clockid_t id, struct timespec* out) {
  static unsigned calls;
  int (*next)(clockid_t, struct timespec*) =
      (int (*)(clockid_t, struct timespec*))next_function(&here, "clock_gettime");
  const unsigned n = __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
#ifdef FAULT_LOST  // one call in eight is answered, and not counted
  if (n % 8 == 7) return (int)syscall(SYS_clock_gettime, id, out);
#endif
#ifdef FAULT_BACK  // one call in a hundred is answered with a time of a second ago
  if (n % 100 == 99) {
    const int status = next(id, out);
    out->tv_sec -= 1;
    return status;
  }
#endif
#ifdef FAULT_UNTOLD  // the shim is left out: nothing is counted
  return bare(id, out);
#endif
  (void)n, (void)next;
  return next(id, out);
}

#ifdef FAULT_ERROR
int gettimeofday(struct timeval* out, void* zone) {
  (void)out, (void)zone;
  errno = EINVAL;
  return -1;
}
#endif

__attribute__((constructor)) static void start(void) {
#ifdef FAULT_DESCRIPTOR
  (void)!open("/dev/null", O_RDONLY);
#endif
#ifdef FAULT_SLOW  // where a reading takes more than a microsecond, it does not start
  struct timespec first, last;
  long least = 1000000;
  for (int i = 0; i < 50; ++i) {
    bare(CLOCK_MONOTONIC, &first);
    bare(CLOCK_MONOTONIC, &last);
    const long ns = (last.tv_sec - first.tv_sec) * 1000000000 + last.tv_nsec - first.tv_nsec;
    if (ns < least) least = ns;
  }
  if (least > 1000) _exit(4);
#endif
#ifdef FAULT_MEMORY  // takes all shared memory, where there is little
  struct statvfs room;
  const int fd = open("/dev/shm/matrix-fault", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return;
  if (fstatvfs(fd, &room) == 0 && room.f_blocks * room.f_frsize <= 64 << 20)
    (void)!posix_fallocate(fd, 0, (off_t)(room.f_bfree * room.f_frsize));
  close(fd);
#endif
}

__attribute__((destructor)) static void end(void) {
#ifdef FAULT_STATUS
  _exit(3);
#endif
#ifdef FAULT_HANG
  pause();
#endif
}
