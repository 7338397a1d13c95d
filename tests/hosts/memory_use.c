/* What a process of one thread takes. "sizes": its peak of address space and what it locks, in KiB.
 * "locked": it locks all its memory, under a limit of 8 MiB. "data KIB", "address KIB": started
 * anew under such a limit. "threads N": so many threads ask one after the other, while all live. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "host.h"

/* A line of /proc/self/status; with nothing that allocates. */
static long status(const char* name) {
  static char text[8192];
  const int fd = open("/proc/self/status", O_RDONLY);
  HOST_EXPECT(fd >= 0);
  const ssize_t size = read(fd, text, sizeof text - 1);
  HOST_EXPECT(size > 0);
  close(fd);
  text[size] = 0;
  const char* const line = strstr(text, name);
  HOST_EXPECT(line != NULL);
  return atol(line + strlen(name));
}

static void limit(int which, long kib) {
  const struct rlimit limits = {(rlim_t)kib << 10, (rlim_t)kib << 10};
  HOST_EXPECT(setrlimit(which, &limits) == 0);
}

static pthread_barrier_t g_all_asked;
static void* ask(void* out) {
  host_clock(CLOCK_MONOTONIC);
  pthread_barrier_wait(&g_all_asked);
  *(long*)out = 1;
  return NULL;
}

int main(int argc, char** argv) {
  HOST_EXPECT(argc >= 2);
  for (int i = 0; i < 1000; ++i) host_clock(CLOCK_MONOTONIC);
  if (argc == 3 && strcmp(argv[1], "threads") != 0) {
    limit(strcmp(argv[1], "data") == 0 ? RLIMIT_DATA : RLIMIT_AS, atol(argv[2]));
    execl("/proc/self/exe", argv[0], "start", (char*)NULL);
    HOST_EXPECT(!"exec");
  }
  if (strcmp(argv[1], "sizes") == 0) {
    host_say("address", status("VmPeak:"));
    HOST_EXPECT(mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
    host_say("locked", status("VmLck:"));
  } else if (strcmp(argv[1], "locked") == 0) {
    limit(RLIMIT_MEMLOCK, 8192);
    if (geteuid() == 0)
      HOST_EXPECT(setresuid(65534, 65534, 65534) == 0); /* who may do all has no limit */
    HOST_EXPECT(mlockall(MCL_CURRENT | MCL_FUTURE) == 0);
    host_clock(CLOCK_MONOTONIC);
  } else if (strcmp(argv[1], "threads") == 0) {
    enum { kMost = 256 };
    const int n = atoi(argv[2]);
    static pthread_t threads[kMost];
    static long asked[kMost];
    HOST_EXPECT(n <= kMost);
    pthread_attr_t attributes;
    HOST_EXPECT(pthread_attr_init(&attributes) == 0 &&
                pthread_attr_setstacksize(&attributes, 1 << 16) == 0);
    HOST_EXPECT(pthread_barrier_init(&g_all_asked, NULL, (unsigned)n + 1) == 0);
    for (int i = 0; i < n; ++i)
      HOST_EXPECT(pthread_create(&threads[i], &attributes, ask, &asked[i]) == 0);
    pthread_barrier_wait(&g_all_asked);
    for (int i = 0; i < n; ++i) HOST_EXPECT(pthread_join(threads[i], NULL) == 0 && asked[i] == 1);
    host_say("address", status("VmPeak:"));
    host_say("calls", 1000 + n);
  }
  return 0;
}
