/* Asks for the time in each way that depends on the system's C library: from threads, from a module
 * that it loads and unloads, in a signal handler and in a forked child. What it asked is printed, a
 * line "NAME CALLS" each, for scripts/systems.d/judge.py. */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "host.h"

enum { kMain = 1000, kPlug = 500, kThread = 300, kThreads = 4, kSignals = 100, kChild = 200 };

static void ask(int times, int64_t (*reads)(void)) {
  int64_t last = 0;
  for (int i = 0; i < times; ++i) {
    const int64_t before = host_real_clock(CLOCK_MONOTONIC);
    const int64_t now = reads();
    const int64_t after = host_real_clock(CLOCK_MONOTONIC);
    HOST_EXPECT(now >= last);
    HOST_EXPECT(now > before - 1000000 && now < after + 1000000);
    last = now;
  }
}

#define READER(name)                                 \
  HOST_NOINLINE int64_t name(void) {                 \
    const int64_t now = host_clock(CLOCK_MONOTONIC); \
    __asm__ volatile("");                            \
    return now;                                      \
  }
READER(main_reads)
READER(thread_reads)
READER(handler_reads)
READER(child_reads)

static void* thread(void* unused) {
  ask(kThread, thread_reads);
  return unused;
}

static void handler(int number) {
  (void)number;
  handler_reads();
}

/* What is unloaded makes room for the second, which has its call at the same address. */
static void plug(const char* folder, const char* name) {
  char path[4096];
  char function[64];
  snprintf(path, sizeof path, "%s/%s.so", folder, name);
  void* const module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (module == NULL) dprintf(1, "FAILED %s\n", dlerror());
  HOST_EXPECT(module != NULL);
  snprintf(function, sizeof function, "%s_ask", name);
  int64_t (*const ask_plug)(long) = (int64_t(*)(long))dlsym(module, function);
  HOST_EXPECT(ask_plug != NULL);
  ask_plug(kPlug);
  HOST_EXPECT(dlclose(module) == 0);
  dprintf(1, "%s_reads %d\n", name, kPlug);
}

int main(int argc, char** argv) {
  HOST_EXPECT(argc == 2);
  ask(kMain, main_reads);
  plug(argv[1], "plug_a");
  plug(argv[1], "plug_b");
  pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; ++i)
    HOST_EXPECT(pthread_create(&threads[i], NULL, thread, NULL) == 0);
  for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
  signal(SIGUSR1, handler);
  for (int i = 0; i < kSignals; ++i) raise(SIGUSR1);
  const pid_t child = fork();
  if (child == 0) {
    ask(kChild, child_reads);
    exit(0);
  }
  int status = -1;
  HOST_EXPECT(waitpid(child, &status, 0) == child && status == 0);
  dprintf(1, "main_reads %d\nthread_reads %d\nhandler_reads %d\nchild_reads %d\npid %d\nchild %d\n",
          kMain, kThreads * kThread, kSignals, kChild, (int)getpid(), (int)child);
  return 0;
}
