/* Asks by each function, a thousand times, and says of each whether its time is the kernel's or one
 * of 2100. With an argument it first loads that library, for all to see. OWN_CLOCK: the program has
 * a clock_gettime of its own, as an emulator may. */
#include <dlfcn.h>
#include <sys/time.h>

#include "host.h"

#ifdef OWN_CLOCK
int clock_gettime(clockid_t id, struct timespec* tp) {
  (void)id;
  tp->tv_sec = 4102444800;
  tp->tv_nsec = 0;
  return 0;
}
#endif

static void tell(const char* function, time_t seconds) {
  dprintf(1, "%s %s\n", function, seconds >= 4102444800 ? "2100" : "kernel");
}

int main(int argc, char** argv) {
  if (argc > 1) HOST_EXPECT(dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL) != NULL);
  struct timespec ts;
  struct timeval tv;
  for (int i = 0; i < 1000; ++i) HOST_EXPECT(clock_gettime(CLOCK_REALTIME, &ts) == 0);
  tell("clock_gettime", ts.tv_sec);
  for (int i = 0; i < 1000; ++i) HOST_EXPECT(gettimeofday(&tv, NULL) == 0);
  tell("gettimeofday", tv.tv_sec);
  for (int i = 0; i < 1000; ++i) HOST_EXPECT(timespec_get(&ts, TIME_UTC) == TIME_UTC);
  tell("timespec_get", ts.tv_sec);
  return 0;
}
