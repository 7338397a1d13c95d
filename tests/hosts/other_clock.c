/* Somebody else's interposer of the clock functions. OTHER_FAKE: the year is 2100 for all three.
 * OTHER_TIMEOFDAY: for gettimeofday alone. OTHER_COUNTING: hands on to the next one, and says at
 * the end how often it was asked. OTHER_SANITIZER: counts too, and has the name by which a
 * sanitizer's runtime is known. */
#include <dlfcn.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define IN_2100 4102444800

#if defined(OTHER_FAKE) || defined(OTHER_TIMEOFDAY)
int gettimeofday(struct timeval* tv, void* tz) {
  (void)tz;
  tv->tv_sec = IN_2100;
  tv->tv_usec = 0;
  return 0;
}
#endif

#ifdef OTHER_FAKE
int clock_gettime(clockid_t id, struct timespec* tp) {
  (void)id;
  tp->tv_sec = IN_2100;
  tp->tv_nsec = 0;
  return 0;
}

int timespec_get(struct timespec* ts, int base) {
  ts->tv_sec = IN_2100;
  ts->tv_nsec = 0;
  return base;
}
#endif

#ifdef OTHER_SANITIZER
void __sanitizer_print_stack_trace(void) {}
#endif

#if defined(OTHER_COUNTING) || defined(OTHER_SANITIZER)
static long asked;

int clock_gettime(clockid_t id, struct timespec* tp) {
  static int (*next)(clockid_t, struct timespec*);
  if (next == NULL) *(void**)&next = dlsym(RTLD_NEXT, "clock_gettime");
  ++asked;
  return next(id, tp);
}

__attribute__((destructor)) static void tell(void) { dprintf(1, "other counted %ld\n", asked); }
#endif
