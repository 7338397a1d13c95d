/* Callers that take turns, each by a function that they share: a program with a rhythm.
 * rotation CALLERS CALLS [CHILDREN]: afterwards as many children do the same, one after another. */
#include <sys/wait.h>

#include "host.h"

HOST_NOINLINE static int64_t asks(void) {
  const int64_t now = host_clock(CLOCK_MONOTONIC);
  __asm__ volatile("" ::: "memory");
  return now;
}

/* 512 functions, by octal number. What they add keeps them apart. */
#define A(x) ONE(x##0) ONE(x##1) ONE(x##2) ONE(x##3) ONE(x##4) ONE(x##5) ONE(x##6) ONE(x##7)
#define B(x) A(x##0) A(x##1) A(x##2) A(x##3) A(x##4) A(x##5) A(x##6) A(x##7)
#define ALL B(00) B(01) B(02) B(03) B(04) B(05) B(06) B(07)
#define ONE(x) \
  HOST_NOINLINE static int64_t caller_##x(void) { return asks() + x; }
ALL
#undef ONE
#define ONE(x) caller_##x,
    static int64_t (*const g_callers[])(void) = {ALL};

static void take_turns(long callers, long calls) {
  for (long call = 0; call < calls; ++call) g_callers[call % callers]();
  host_say("calls", calls);
}

int main(int argc, char** argv) {
  HOST_EXPECT(argc >= 3);
  const long callers = atol(argv[1]);
  const long calls = atol(argv[2]);
  HOST_EXPECT(callers > 0 && callers <= (long)(sizeof g_callers / sizeof *g_callers));
  take_turns(callers, calls);
  for (long child = argc > 3 ? atol(argv[3]) : 0; child > 0; --child) {
    const pid_t pid = fork();
    if (pid == 0) {
      take_turns(callers, calls);
      return 0;
    }
    int status;
    HOST_EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
  }
  return 0;
}
