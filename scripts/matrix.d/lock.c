// Locks its memory as daemons do that must not be paged out, and asks for the time.
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

int main(void) {
  struct timespec t;
  const int status = mlockall(MCL_CURRENT | MCL_FUTURE);
  for (int i = 0; i < 1000; ++i) clock_gettime(CLOCK_MONOTONIC, &t);
  printf("mlockall %d\n", status);
  return 0;
}
