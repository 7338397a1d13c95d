/* Allocates and asks for the time, in threads, under whatever allocator is preloaded. Uses
 * gettimeofday only: jemalloc asks clock_gettime, for itself. */
#include <dlfcn.h>
#include <pthread.h>

#include "host.h"

enum { kThreads = 8, kRounds = 20000 };

static void* work(void* unused) {
  void* blocks[64] = {0};
  struct timeval day;
  for (int i = 0; i < kRounds; ++i) {
    free(blocks[i % 64]);
    blocks[i % 64] = malloc((size_t)(i * 37 % 9000));
    HOST_EXPECT(gettimeofday(&day, NULL) == 0);
  }
  for (int i = 0; i < 64; ++i) free(blocks[i]);
  return unused;
}

int main(void) {
  dprintf(1, "jemalloc %s\n", dlsym(RTLD_DEFAULT, "mallctl") != NULL ? "there" : "not there");
  pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; ++i)
    HOST_EXPECT(pthread_create(&threads[i], NULL, work, NULL) == 0);
  for (int i = 0; i < kThreads; ++i) HOST_EXPECT(pthread_join(threads[i], NULL) == 0);
  host_say("days", (long)kThreads * kRounds);
  return 0;
}
