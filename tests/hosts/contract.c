/* Every clock id and every bad pointer, one line an outcome: what is said must not depend on the
 * shim. Each call runs in a child of its own, since some of them end it. Nothing that is said holds
 * a time. */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "host.h"

enum { kGood, kNull, kLow, kHigh, kNonCanonical, kReadOnly, kStraddling, kUnaligned, kPointers };
static const char* const kNames[] = {"good",          "null",      "low",        "kernel",
                                     "non-canonical", "read-only", "straddling", "unaligned"};
static char g_good[64] __attribute__((aligned(16)));
static char* g_pages;

static void* pointer(int kind) {
  switch (kind) {
    case kNull: return NULL;
    case kLow: return (void*)8;
    case kHigh: return (void*)0xffff800000000000;
    case kNonCanonical: return (void*)0x4000000000000000;
    case kReadOnly: return g_pages + 4096;
    case kStraddling: return g_pages + 4096 - 8; /* the second half can't be written */
    case kUnaligned: return g_good + 3;
    default: return g_good;
  }
}

enum { kClock, kDay, kSpec };

/* Each function has one call site, which this process has called from before: a call from a known
 * place takes another way through the library than the first one. Volatile: else the compiler makes
 * a jump of the call, and the site is the caller's. */
static HOST_NOINLINE int called(int function, int id, void* first, void* second) {
  volatile int result = 0;
  if (function == kClock) result = clock_gettime(id, (struct timespec*)first);
  if (function == kDay) result = gettimeofday((struct timeval*)first, second);
  if (function == kSpec) result = timespec_get((struct timespec*)first, id);
  return result;
}

static void call(int function, int id, void* first, void* second) {
  for (int i = 0; i < 3; ++i) called(function, function == kSpec ? TIME_UTC : id, g_good, NULL);
  memset(g_good, 0x5a, sizeof g_good);
  errno = 12345;
  const int result = called(function, id, first, second);
  const int error = errno;
  int64_t words[2] = {0, 0};
  char untouched[32]; /* the whole of it: a time may well have such a byte */
  memset(untouched, 0x5a, sizeof untouched);
  const int written =
      first != NULL && first != second && memcmp(g_good, untouched, sizeof untouched) != 0;
  if ((char*)first == g_good) memcpy(words, g_good, sizeof words);
  dprintf(1, "result %d errno %d%s", result, error, written ? " written" : "");
  if (function == kDay && second == g_good + 32) {
    int32_t zone[2];
    memcpy(zone, second, sizeof zone);
    dprintf(1, " zone %d %d", zone[0], zone[1]);
  }
  if ((char*)first == g_good && written && (words[0] < 0 || words[1] < 0 || words[1] > 999999999))
    dprintf(1, " not a time");
  dprintf(1, "\n");
}

static void outcome(const char* what, int function, int id, void* first, void* second) {
  dprintf(1, "%s: ", what);
  const pid_t pid = fork();
  HOST_EXPECT(pid >= 0);
  if (pid == 0) {
    call(function, id, first, second);
    _exit(0);
  }
  int status;
  HOST_EXPECT(waitpid(pid, &status, 0) == pid);
  if (WIFSIGNALED(status)) dprintf(1, "signal %d\n", WTERMSIG(status));
}

static void clock_outcomes(const char* name, int id) {
  for (int kind = 0; kind < kPointers; ++kind) {
    char what[128];
    snprintf(what, sizeof what, "clock_gettime %s %s", name, kNames[kind]);
    outcome(what, kClock, id, pointer(kind), NULL);
  }
}

int main(void) {
  const struct rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  g_pages = (char*)mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  HOST_EXPECT(g_pages != MAP_FAILED && mprotect(g_pages + 4096, 4096, PROT_READ) == 0);
  /* So that the good and the bad calls come to a cache that is at work. */
  host_warm_up(CLOCK_REALTIME), host_warm_up(CLOCK_MONOTONIC), host_warm_up(CLOCK_TAI),
      host_warm_up(CLOCK_BOOTTIME);
  host_warm_up(CLOCK_MONOTONIC_RAW);

  char name[64];
  for (int id = -20; id <= 30; ++id) {
    snprintf(name, sizeof name, "%d", id);
    clock_outcomes(name, id);
  }
  clockid_t id;
  HOST_EXPECT(clock_getcpuclockid(0, &id) == 0);
  clock_outcomes("cpu of self", id);
  HOST_EXPECT(clock_getcpuclockid(getppid(), &id) == 0);
  clock_outcomes("cpu of parent", id);
  HOST_EXPECT(pthread_getcpuclockid(pthread_self(), &id) == 0);
  clock_outcomes("cpu of thread", id);
  clock_outcomes("cpu of nobody", (int)(~0x7ffffffU << 3 | 2));
  const int fd = open("/dev/null", O_RDONLY);
  clock_outcomes("dynamic, of /dev/null", (int)(~(unsigned)fd << 3 | 3));
  clock_outcomes("dynamic, of no descriptor", (int)(~1000U << 3 | 3));
  clock_outcomes("INT_MIN", INT_MIN);
  clock_outcomes("INT_MAX", INT_MAX);

  for (int tv = 0; tv < kPointers; ++tv) {
    for (int tz = 0; tz < kPointers; ++tz) {
      char what[128];
      snprintf(what, sizeof what, "gettimeofday %s zone %s", kNames[tv], kNames[tz]);
      outcome(what, kDay, 0, pointer(tv), tz == kGood ? g_good + 32 : pointer(tz));
    }
  }
  for (int base = -2; base <= 6; ++base) {
    for (int kind = 0; kind < kPointers; ++kind) {
      char what[128];
      snprintf(what, sizeof what, "timespec_get %d %s", base, kNames[kind]);
      outcome(what, kSpec, base, pointer(kind), NULL);
    }
  }
  return 0;
}
