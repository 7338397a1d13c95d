/* Threads that say who they are ("asked PROCESS THREAD CALLS") and leave by _exit, so that their
 * counts stay in the live file. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "host.h"

static pthread_barrier_t g_barrier;

static pid_t tid(void) { return (pid_t)syscall(SYS_gettid); }
static void say(long calls) {
  dprintf(1, "asked %ld %ld %ld\n", (long)getpid(), (long)tid(), calls);
}

HOST_NOINLINE static void ask(long times) {
  for (long i = 0; i < times; ++i) host_clock(CLOCK_MONOTONIC);
}

static void await(pid_t pid) {
  int status;
  HOST_EXPECT(pid > 0 && waitpid(pid, &status, __WALL) == pid && WIFEXITED(status) &&
              WEXITSTATUS(status) == 0);
}

static void* asks_and_stays(void* times) {
  char name[16];
  snprintf(name, sizeof name, "asks-%ld", (long)(intptr_t)times);
  pthread_setname_np(pthread_self(), name);
  ask((long)(intptr_t)times);
  say((long)(intptr_t)times);
  pthread_barrier_wait(&g_barrier);
  for (;;) pause();
  return NULL;
}

static void* asks_and_ends(void* times) {
  ask((long)(intptr_t)times);
  say((long)(intptr_t)times);
  return NULL;
}

static pthread_t start(void* (*work)(void*), long times) {
  pthread_t thread;
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 128 << 10);
  HOST_EXPECT(pthread_create(&thread, &small, work, (void*)(intptr_t)times) == 0);
  return thread;
}

static void join(pthread_t thread) { HOST_EXPECT(pthread_join(thread, NULL) == 0); }

/* So many threads that live at one time, besides the first. */
static void stay(long threads) {
  pthread_barrier_init(&g_barrier, NULL, (unsigned)threads + 1);
  for (long i = 1; i <= threads; ++i) start(asks_and_stays, 100 + i);
  pthread_barrier_wait(&g_barrier);
}

static void child(pid_t pid) {
  if (pid == 0) {
    ask(7);
    say(7);
    _exit(0);
  }
  await(pid);
}

static pid_t raw_fork(void) { return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0); }

/* Children of a thread that has asked, and of one that has not. */
static void* forks(void* asks) {
  if (asks != NULL) ask(5);
  child(fork());
  child(raw_fork());
  if (asks == NULL) ask(5);
  say(5);
  return NULL;
}

/* By one chain of callers, in many places of the stack: a thread remembers chains by place. */
HOST_NOINLINE static void ask_in_chain(void) {
  ask(1);
  __asm__ volatile(""); /* no tail call: this frame is to be found */
}
HOST_NOINLINE static void ask_at(long depth) {
  char room[16 * depth + 1];
  __asm__ volatile("" : : "r"(room) : "memory"); /* it has to be there */
  ask_in_chain();
}
static void ask_in_places(void) {
  for (long depth = 0; depth < 64; ++depth) ask_at(depth);
}

static void* asks_in_places(void* unused) {
  ask_in_places();
  say(64);
  return unused;
}

/* Of a thread that has the second table, by a chain that it and its child's second thread have in
 * common. */
static void* forks_in_chain(void* unused) {
  ask_in_places();
  const pid_t pid = fork();
  if (pid == 0) {
    ask_in_places();
    join(start(asks_in_places, 0));
    say(64);
    _exit(0);
  }
  await(pid);
  say(64);
  return unused;
}

static int asks_as_clone(void* unused) {
  (void)unused;
  ask(6);
  return 0;
}

/* A thread that the C library knows nothing of: it has its parent's control block, and its table.
 */
static void raw_thread(void) {
  enum { kStack = 256 << 10 };
  char* stack =
      (char*)mmap(NULL, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  HOST_EXPECT(stack != MAP_FAILED);
  await(clone(asks_as_clone, stack + kStack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL));
}

int main(int argc, char** argv) {
  HOST_EXPECT(argc >= 2);
  const char* how = argv[1];
  const long number = argc > 2 ? atol(argv[2]) : 0;
  ask(1000);
  if (strcmp(how, "stay") == 0 || strcmp(how, "exit") == 0 || strcmp(how, "wait") == 0)
    stay(number);
  if (strcmp(how, "turns") == 0) {
    for (long i = 0; i < number; ++i) join(start(asks_and_ends, 10));
  }
  if (strcmp(how, "fork") == 0) {
    join(start(forks, 1));
    join(start(forks, 0));
    child(fork());
    child(raw_fork());
  }
  if (strcmp(how, "fork-late") == 0) { /* more threads than tables; the last one has none */
    stay(number);
    join(start(forks, 1));
  }
  if (strcmp(how, "fork-chain") == 0) join(start(forks_in_chain, 0));
  if (strcmp(how, "raw") == 0) {
    raw_thread();
    say(1006);
    _exit(0);
  }
  say(1000);
  if (strcmp(how, "wait") == 0) { /* to be looked at */
    dprintf(1, "ready\n");
    for (;;) pause();
  }
  if (strcmp(how, "exit") == 0) exit(0);
  _exit(0);
}
