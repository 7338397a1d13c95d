/* A daemon that is at work in every way at once, and looks whether anything of it goes wrong while
 * somebody stops it, changes it and lets it go on. It runs until SIGTERM, tells what it has seen,
 * and returns 7; whatever is wrong ends it at once with 99. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include "host.h"

static int ending;
static long turns, sleeps, reads, polls, waits, children;
static volatile sig_atomic_t signals;
enum { kQueued = 40 }; /* a signal that waits in line, and is no C library's */
static int64_t newest; /* the latest time that any thread has read */

static int is_over(void) { return __atomic_load_n(&ending, __ATOMIC_ACQUIRE); }
static void count(long* what) { __atomic_fetch_add(what, 1, __ATOMIC_RELAXED); }

/* Nobody reads less than what somebody has read before. */
HOST_NOINLINE static void asks_in_order(void) {
  int64_t seen = __atomic_load_n(&newest, __ATOMIC_ACQUIRE);
  const int64_t now = host_clock(CLOCK_MONOTONIC);
  HOST_EXPECT(now >= seen);
  while (seen < now &&
         !__atomic_compare_exchange_n(&newest, &seen, now, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
  }
}

static void* asks(void* unused) {
  (void)unused;
  do {
    struct timeval now;
    for (int i = 0; i < 100; ++i) asks_in_order();
    HOST_EXPECT(gettimeofday(&now, NULL) == 0);
    count(&turns);
  } while (!is_over());
  return NULL;
}

/* A call that is interrupted without a handler is begun again by the kernel, with the time that is
 * left. */
static void* sleeps_on(void* unused) {
  (void)unused;
  do {
    const int64_t begin = host_real_clock(CLOCK_MONOTONIC);
    const struct timespec time = {0, 20000000};
    HOST_EXPECT(clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL) == 0);
    HOST_EXPECT(host_real_clock(CLOCK_MONOTONIC) - begin >= 20000000);
    count(&sleeps);
  } while (!is_over());
  return NULL;
}

static int pipe_ends[2];
static void* reads_on(void* unused) {
  char byte;
  (void)unused;
  while (read(pipe_ends[0], &byte, 1) == 1) count(&reads);
  HOST_EXPECT(is_over());
  return NULL;
}

static void* polls_on(void* unused) {
  (void)unused;
  do {
    HOST_EXPECT(poll(NULL, 0, 15) == 0);
    HOST_EXPECT(write(pipe_ends[1], "x", 1) == 1);
    count(&polls);
  } while (!is_over());
  return NULL;
}

static void* waits_on(void* unused) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_condattr_t attributes;
  pthread_cond_t condition;
  (void)unused;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&condition, &attributes);
  pthread_mutex_lock(&mutex);
  do {
    const int64_t until = host_clock(CLOCK_MONOTONIC) + 10000000;
    const struct timespec time = {until / 1000000000, until % 1000000000};
    HOST_EXPECT(pthread_cond_timedwait(&condition, &mutex, &time) == ETIMEDOUT);
    HOST_EXPECT(host_clock(CLOCK_MONOTONIC) >= until);
    count(&waits);
  } while (!is_over());
  pthread_mutex_unlock(&mutex);
  return NULL;
}

/* A parent whose child has not executed yet can't be stopped at all. */
static void* starts_children(void* unused) {
  extern char** environ;
  (void)unused;
  do {
    char* const argv[] = {(char*)"true", NULL};
    pid_t child;
    int status = 0;
    HOST_EXPECT(posix_spawn(&child, "/bin/true", NULL, NULL, argv, environ) == 0);
    HOST_EXPECT(waitpid(child, &status, 0) == child && status == 0);
    count(&children);
  } while (!is_over());
  return NULL;
}

static void* comes_and_goes(void* unused) {
  (void)unused;
  asks_in_order();
  return NULL;
}
static void* starts_threads(void* unused) {
  (void)unused;
  while (!is_over()) {
    pthread_t thread;
    HOST_EXPECT(pthread_create(&thread, NULL, comes_and_goes, NULL) == 0);
    HOST_EXPECT(pthread_join(thread, NULL) == 0);
  }
  return NULL;
}

static void on_signal(int signal) {
  (void)signal;
  asks_in_order();
  signals = signals + 1;
}
/* All signals of this thread alone, so that no other's waits end early. At the end it handles what
 * has come before. */
static void* handles(void* unused) {
  sigset_t one, waiting;
  (void)unused;
  sigemptyset(&one);
  sigaddset(&one, kQueued);
  do {
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    while (!is_over()) asks_in_order();
    pthread_sigmask(SIG_BLOCK, &one, NULL);
    sigpending(&waiting);
  } while (sigismember(&waiting, kQueued) == 1);
  return NULL;
}

/* [THREADS]: so many more that only ask. */
int main(int argc, char** argv) {
  static void* (*const all[])(void*) = {asks,     asks,    sleeps_on,       reads_on,      polls_on,
                                        waits_on, handles, starts_children, starts_threads};
  enum { kKinds = sizeof all / sizeof *all, kMost = 128 };
  pthread_t threads[kKinds + kMost];
  const long more = argc > 1 ? atol(argv[1]) : 0;
  long started = 0;
  sigset_t mine;
  int signal = 0;
  HOST_EXPECT(more <= kMost);
  sigemptyset(&mine);
  sigaddset(&mine, SIGTERM);
  sigaddset(&mine, kQueued);
  pthread_sigmask(SIG_BLOCK, &mine, NULL);
  const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(kQueued, &action, NULL);
  HOST_EXPECT(pipe(pipe_ends) == 0);
  for (int i = 0; i < 2; ++i) HOST_EXPECT(fcntl(pipe_ends[i], F_SETFD, FD_CLOEXEC) == 0);
  for (; started < kKinds + more; ++started)
    HOST_EXPECT(pthread_create(&threads[started], NULL, started < kKinds ? all[started] : sleeps_on,
                               NULL) == 0);
  host_say("ready", started);
  sigdelset(&mine, kQueued);
  HOST_EXPECT(sigwait(&mine, &signal) == 0);
  __atomic_store_n(&ending, 1, __ATOMIC_RELEASE);
  for (long i = 0; i < started; ++i) {
    if (i == 3) continue; /* who reads ends with the pipe, once nobody writes */
    HOST_EXPECT(pthread_join(threads[i], NULL) == 0);
  }
  close(pipe_ends[1]);
  HOST_EXPECT(pthread_join(threads[3], NULL) == 0);
  host_say("turns", turns);
  host_say("sleeps", sleeps);
  host_say("reads", reads);
  host_say("polls", polls);
  host_say("waits", waits);
  host_say("children", children);
  host_say("signals", signals);
  return 7;
}
