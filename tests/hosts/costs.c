/* Long enough for a clock's rate and for what its calls cost; then a child that reads it for a
 * moment only. With "short": two calls, and the end. */
#include <sys/wait.h>

#include "host.h"

int main(int argc, char** argv) {
  const int64_t start = host_clock(CLOCK_MONOTONIC);
  if (argc > 1 && strcmp(argv[1], "short") == 0) {
    HOST_EXPECT(host_clock(CLOCK_MONOTONIC) >= start);
    return 0;
  }
  while (host_clock(CLOCK_MONOTONIC) - start < 50000000) {
  }
  const pid_t child = fork();
  HOST_EXPECT(child >= 0);
  if (child == 0) {
    for (int i = 0; i < 100; ++i) host_clock(CLOCK_MONOTONIC);
    exit(0);
  }
  int status;
  HOST_EXPECT(waitpid(child, &status, 0) == child && status == 0);
  host_say("child", child);
  return 0;
}
