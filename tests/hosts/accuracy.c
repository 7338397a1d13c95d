/* "bracket CLOCK TOLERANCE READS": how many readings lie outside the kernel's own bracket, widened
 * by the tolerance. */
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

int main(int argc, char** argv) {
  HOST_EXPECT(argc == 5);
  const clockid_t clock = atoi(argv[2]);
  host_warm_up(clock);
  HOST_EXPECT(strcmp(argv[1], "bracket") == 0);
  host_say("outside", outside(clock, atol(argv[3]), atol(argv[4])));
  return 0;
}
