/* Asks for the time, says how often, and goes without saying good-bye: no destructor of the shim
 * runs. */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "host.h"

static long g_calls;

HOST_NOINLINE static void ask(long times) {
  for (long i = 0; i < times; ++i) {
    host_clock(CLOCK_MONOTONIC);
    __atomic_add_fetch(&g_calls, 1, __ATOMIC_RELAXED);
  }
}

static void leave(void) {
  host_say("calls", g_calls);
  _exit(0);
}

static void await(pid_t pid) {
  int status;
  HOST_EXPECT(pid > 0 && waitpid(pid, &status, __WALL) == pid && WIFEXITED(status) &&
              WEXITSTATUS(status) == 0);
}

/* Each child has two of its own, down to `depth`, by fork and by a raw clone in turn. */
static void tree(int depth) {
  for (int i = 0; depth > 0 && i < 2; ++i) {
    ask(10);
    const pid_t pid = i == 0 ? fork() : (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
    if (pid == 0) {
      g_calls = 0;
      ask(100 + depth);
      tree(depth - 1);
      leave();
    }
    await(pid);
  }
}

static void* asks_and_ends(void* times) {
  ask((long)(intptr_t)times);
  return NULL;
}

static void churn(long threads) {
  enum { kAtOnce = 16 };
  for (long done = 0; done < threads; done += kAtOnce) {
    pthread_t running[kAtOnce];
    for (int i = 0; i < kAtOnce; ++i)
      HOST_EXPECT(pthread_create(&running[i], NULL, asks_and_ends, (void*)(intptr_t)(1 + i)) == 0);
    for (int i = 0; i < kAtOnce; ++i) HOST_EXPECT(pthread_join(running[i], NULL) == 0);
  }
}

static void* asks_and_waits(void* barrier) {
  ask(3);
  pthread_barrier_wait((pthread_barrier_t*)barrier);
  ask(4);
  return NULL;
}

/* More threads at one time than have tables of their own. */
static void crowd(void) {
  enum { kThreads = 400 };
  static pthread_t running[kThreads];
  pthread_barrier_t barrier;
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 64 << 10);
  pthread_barrier_init(&barrier, NULL, kThreads);
  for (int i = 0; i < kThreads; ++i)
    HOST_EXPECT(pthread_create(&running[i], &small, asks_and_waits, &barrier) == 0);
  for (int i = 0; i < kThreads; ++i) pthread_join(running[i], NULL);
}

/* From here on anything but the clock and the end is death. (The strict mode would not do: it
 * forbids the counter, to the vDSO too.) */
static void shut_in(void) {
  const struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = {sizeof code / sizeof *code, (struct sock_filter*)code};
  HOST_EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
              prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

/* A child that gets no memory, and so no place of its own to count in. */
static void starve(void) {
  const struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
  };
  const struct sock_fprog program = {sizeof code / sizeof *code, (struct sock_filter*)code};
  HOST_EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
              prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

int main(int argc, char** argv) {
  HOST_EXPECT(argc >= 2);
  const char* how = argv[1];
  ask(1000);
  if (strcmp(how, "_exit") == 0) leave();
  if (strcmp(how, "kill") == 0) {
    host_say("calls", g_calls);
    raise(SIGKILL);
  }
  if (strcmp(how, "exec") == 0) {
    const long left = argc > 2 ? atol(argv[2]) : 4;
    if (left == 0) leave();
    char next[24];
    snprintf(next, sizeof next, "%ld", left - 1);
    host_say("calls", g_calls);
    execl("/proc/self/exe", argv[0], "exec", next, NULL);
  }
  if (strcmp(how, "exec-silent") == 0) { /* by programs that never ask */
    host_say("calls", g_calls);
    execl("/usr/bin/env", "env", "nice", "env", argv[0], "_exit", NULL);
  }
  if (strcmp(how, "tree") == 0) tree(3);
  if (strcmp(how, "churn") == 0) churn(20000);
  if (strcmp(how, "crowd") == 0) crowd();
  if (strcmp(how, "closed") == 0) {
    for (int fd = 3; fd < 1024; ++fd) close(fd);
    ask(500);
  }
  if (strcmp(how, "chroot") == 0) {
    HOST_EXPECT(chroot("/proc/self/fdinfo") == 0 && chdir("/") == 0);
    ask(500);
  }
  if (strcmp(how, "starved-child") == 0) {
    const pid_t pid = fork();
    if (pid == 0) {
      starve();
      g_calls = 0;
      ask(500);
      leave();
    }
    await(pid);
    ask(500);
  }
  if (strcmp(how, "strict") == 0) {
    host_say("calls", g_calls + 500);
    shut_in();
    ask(500);
    _exit(0);
  }
  leave();
}
