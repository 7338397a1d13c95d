// host THREADS ROUNDS [zone|still]: a program that asks for the time in all ordinary ways, and
// counts: in threads that compare what they get, in a handler, in forked children that end in three
// ways. zone: some calls ask for the timezone too. still: there is no timer, whose signals a
// debugger that steps might never get past. Prints what is the same at each run on standard output,
// and "calls N" on standard error.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long calls, backward, bad, newest, early;
static int zone;

static long now(clockid_t id) {
  struct timespec t = {0, -1};
  __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
  if (clock_gettime(id, &t) != 0 || t.tv_nsec < 0 || t.tv_nsec > 999999999)
    __atomic_fetch_add(&bad, 1, __ATOMIC_RELAXED);
  return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void* ask(void* rounds) {
  long last = 0;
  for (long i = 0; i < *(long*)rounds; ++i) {
    const long seen = __atomic_load_n(&newest, __ATOMIC_ACQUIRE);
    const long mono = now(CLOCK_MONOTONIC);
    if (mono < last || mono < seen) __atomic_fetch_add(&backward, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&newest, mono, __ATOMIC_RELEASE);
    last = mono;
    struct timeval tv = {0, -1};
    struct timezone tz;
    const long real = now(CLOCK_REALTIME) / 1000;
    __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);
    if (gettimeofday(&tv, zone && i % 16 == 0 ? (void*)&tz : NULL) != 0)
      __atomic_fetch_add(&bad, 1, __ATOMIC_RELAXED);
    const long asked_again = tv.tv_sec * 1000000L + tv.tv_usec;
    if (asked_again < real) __atomic_fetch_add(&backward, 1, __ATOMIC_RELAXED);
    char* block = malloc(16 + (size_t)i % 4000);
    block[0] = (char)i;
    free(block);
  }
  return NULL;
}

static void handler(int signal) {
  (void)signal;
  const int saved = errno;
  now(CLOCK_MONOTONIC);
  errno = saved;
}

static void child(int how) {
  for (int i = 0; i < 100; ++i) now(CLOCK_MONOTONIC);
  if (how == 0) exit(7);
  if (how == 1) _exit(8);
  kill(getpid(), SIGKILL);
}

static int descriptors(void) {
  int n = 0;
  DIR* folder = opendir("/proc/self/fd");
  if (folder == NULL) return -1;
  while (readdir(folder) != NULL) ++n;
  closedir(folder);
  return n;
}

int main(int argc, char** argv) {
  const int threads = argc > 1 ? atoi(argv[1]) : 4;
  zone = argc > 3 && strcmp(argv[3], "zone") == 0;
  long rounds = argc > 2 ? atol(argv[2]) : 10000;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &action, NULL);
  const struct itimerval each_ms = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
  if (argc < 4 || strcmp(argv[3], "still") != 0) setitimer(ITIMER_REAL, &each_ms, NULL);
  pthread_t made[64];
  for (int i = 0; i < threads; ++i) pthread_create(&made[i], NULL, ask, &rounds);
  for (int i = 0; i < threads; ++i) pthread_join(made[i], NULL);
  setitimer(ITIMER_REAL, &never, NULL);

  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
  for (int i = 0; i < 5; ++i) {
    const long until = now(CLOCK_REALTIME) + 2000000;
    const struct timespec end = {until / 1000000000, until % 1000000000};
    pthread_mutex_lock(&mutex);
    while (pthread_cond_timedwait(&changed, &mutex, &end) == 0) continue;
    pthread_mutex_unlock(&mutex);
    early += now(CLOCK_REALTIME) < until;
  }

  struct timespec t;
  ++calls;
  errno = 0;
  const int status = clock_gettime(12345, &t), error = errno;
  printf("bad clock: %d %s\n", status, strerror(error));
  printf("CPU time: %d\n", now(CLOCK_PROCESS_CPUTIME_ID) > 0);
  for (int how = 0; how < 3; ++how) {
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) child(how);
    int ended = 0;
    waitpid(pid, &ended, 0);
    calls += 100;
    printf("child: %d\n", WIFSIGNALED(ended) ? -WTERMSIG(ended) : WEXITSTATUS(ended));
  }
  printf("backward %ld, bad %ld, early %ld\n", backward, bad, early);
  printf("descriptors %d\n", descriptors());
  fprintf(stderr, "calls %ld\n", calls);
  return 0;
}
