/* New processes by every road. Each process that may leave a report says how often it called: a
 * child only since it began. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "host.h"

extern char** environ;
static const char* g_self;
static long g_calls;

HOST_NOINLINE static void ask(long times) {
  for (long i = 0; i < times; ++i) {
    host_clock(CLOCK_MONOTONIC);
    ++g_calls;
  }
}

static void await(pid_t pid) {
  int status;
  HOST_EXPECT(pid > 0 && waitpid(pid, &status, __WALL) == pid);
  HOST_EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void child(long times) {
  g_calls = 0;
  ask(times);
  host_say("calls", g_calls);
  exit(0);
}

static pid_t raw_fork(void) { return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0); }

static void* forks_in_thread(void* unused) {
  ask(300);
  const pid_t pid = fork();
  if (pid == 0) child(70);
  await(pid);
  return unused;
}

static void* asks_all_along(void* stop) {
  long* calls = (long*)calloc(1, sizeof *calls);
  while (!__atomic_load_n((int*)stop, __ATOMIC_ACQUIRE)) {
    host_clock(CLOCK_MONOTONIC);
    ++*calls;
  }
  return calls;
}

/* Forks while two other threads are in the middle of calls. */
static void fork_amid_threads(void) {
  int stop = 0;
  pthread_t threads[2];
  for (int i = 0; i < 2; ++i)
    HOST_EXPECT(pthread_create(&threads[i], NULL, asks_all_along, &stop) == 0);
  for (int i = 0; i < 40; ++i) {
    const pid_t pid = i % 2 ? fork() : raw_fork();
    if (pid == 0) child(1000 + i);
    ask(10);
    await(pid);
  }
  __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
  for (int i = 0; i < 2; ++i) {
    void* calls;
    HOST_EXPECT(pthread_join(threads[i], &calls) == 0);
    g_calls += *(long*)calls;
    free(calls);
  }
}

static int shares_memory(void* unused) {
  (void)unused;
  ask(250);
  _exit(0);
}

int main(int argc, char** argv) {
  g_self = argv[0];
  const char* how = argc > 1 ? argv[1] : "";
  char leaf[] = "leaf";
  char* leaf_argv[] = {argv[0], leaf, NULL};
  if (strcmp(how, "leaf") == 0) child(40);
  ask(1000);
  pid_t pid = 0;
  if (strcmp(how, "fork") == 0) {
    if ((pid = fork()) == 0) child(77);
  } else if (strcmp(how, "fork-twice") == 0) {
    if ((pid = fork()) == 0) {
      g_calls = 0;
      ask(5);
      const pid_t grandchild = fork();
      if (grandchild == 0) child(11);
      await(grandchild);
      host_say("calls", g_calls);
      exit(0);
    }
  } else if (strcmp(how, "fork-silent") == 0) {
    if ((pid = fork()) == 0) exit(0); /* never asked: nothing to tell */
  } else if (strcmp(how, "raw-clone") == 0) {
    if ((pid = raw_fork()) == 0) child(88);
  } else if (strcmp(how, "fork-in-thread") == 0) {
    pthread_t thread;
    HOST_EXPECT(pthread_create(&thread, NULL, forks_in_thread, NULL) == 0 &&
                pthread_join(thread, NULL) == 0);
  } else if (strcmp(how, "fork-amid-threads") == 0) {
    fork_amid_threads();
  } else if (strcmp(how, "vfork-exec") == 0) {
    if ((pid = vfork()) == 0) {
      execve(g_self, leaf_argv, environ);
      _exit(1);
    }
  } else if (strcmp(how, "vfork-ask-exec") == 0) {
    if ((pid = vfork()) == 0) {
      ask(30); /* in the parent's memory: the parent counts it */
      execve(g_self, leaf_argv, environ);
      _exit(1);
    }
  } else if (strcmp(how, "spawn") == 0) {
    HOST_EXPECT(posix_spawn(&pid, g_self, NULL, NULL, leaf_argv, environ) == 0);
  } else if (strcmp(how, "clone-vm") == 0) {
    const size_t size = 256 << 10;
    char* stack = (char*)mmap(NULL, size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    HOST_EXPECT(stack != MAP_FAILED);
    pid = clone(shares_memory, stack + size, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
  } else if (strcmp(how, "exec") == 0) {
    execve(g_self, leaf_argv,
           environ); /* the same process number: its report is the new program's */
  }
  if (pid != 0) await(pid);
  ask(500);
  host_say("calls", g_calls);
  return 0;
}
