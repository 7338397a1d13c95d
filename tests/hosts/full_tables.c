/* More callers than any table has room for.
 * "module N ROUNDS": N callers of this program, one after the other, ROUNDS times (N at most 1500).
 * "generated N": N callers in code that is made now, twice; then 200 of this program, five times.
 * "threads N": the first, once, in four threads at the same time.
 * "forks N": so many children, forked while two threads go on from new caller to new caller. Each
 * child calls from 200 of this program, five times.
 * "steps": instructions of a call whose caller has a site, and of one that has found no room. */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "host.h"

enum { kCallers = 1500, kSpacing = 16, kOwn = 200 };

typedef int (*Clock)(clockid_t, struct timespec*);
typedef int (*Caller)(clockid_t, struct timespec*, Clock);

/* Each one calls its third argument: a call site of its own. */
asm(".pushsection .text\n"
    ".balign 16\n"
    ".type static_callers, @function\n"
    "static_callers:\n"
    ".rept 1500\n"
    ".balign 16\n"
    "sub $8, %rsp\n"
    "call *%rdx\n"
    "add $8, %rsp\n"
    "ret\n"
    ".endr\n"
    ".balign 16\n"
    ".size static_callers, . - static_callers\n"
    ".popsection\n");
extern const unsigned char static_callers[];

static void call_from(const unsigned char* callers, long i) {
  struct timespec t;
  const Caller caller = (Caller)(uintptr_t)(callers + i * kSpacing);
  HOST_EXPECT(caller(CLOCK_MONOTONIC, &t, clock_gettime) == 0);
}

static long call_all(const unsigned char* callers, long n, long rounds) {
  for (long round = 0; round < rounds; ++round) {
    for (long i = 0; i < n; ++i) call_from(callers, i);
  }
  return n * rounds;
}

static const unsigned char* generate(long n) {
  const size_t size = (size_t)n * kSpacing;
  unsigned char* code =
      (unsigned char*)mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  HOST_EXPECT(code != MAP_FAILED);
  for (long i = 0; i < n; ++i) memcpy(code + i * kSpacing, static_callers, kSpacing);
  HOST_EXPECT(mprotect(code, size, PROT_READ | PROT_EXEC) == 0);
  return code;
}

static void* thread(void* n) { return (void*)call_all(static_callers, (long)n, 1); }

static void* new_callers_for_ever(void* unused) {
  for (;;) call_all(generate(kCallers), kCallers, 1);
  return unused;
}

static void fork_amid_new_callers(long n) {
  pthread_t threads[2];
  for (int i = 0; i < 2; ++i)
    HOST_EXPECT(pthread_create(&threads[i], NULL, new_callers_for_ever, NULL) == 0);
  for (long i = 0; i < n; ++i) {
    usleep(500);
    const pid_t pid = fork();
    if (pid == 0) {
      host_say("calls", call_all(static_callers, kOwn, 5));
      exit(0);
    }
    int status = 0;
    HOST_EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
  }
  _exit(0); /* the threads' calls are nobody's matter */
}

static volatile long g_steps;
static void on_step(int signal) {
  (void)signal;
  g_steps = g_steps + 1;
}

/* The processor stops behind each instruction while its trap flag is set. */
static HOST_NOINLINE long steps_of(const unsigned char* callers, long i) {
  g_steps = 0;
  asm volatile("sub $128, %%rsp; pushfq; orq $0x100, (%%rsp); popfq; add $128, %%rsp" ::
                   : "memory", "cc");
  call_from(callers, i);
  asm volatile("sub $128, %%rsp; pushfq; andq $~0x100, (%%rsp); popfq; add $128, %%rsp" ::
                   : "memory", "cc");
  return g_steps;
}

static int less(const void* a, const void* b) { return *(const long*)a < *(const long*)b ? -1 : 1; }

/* The median, of callers from the `first` on, once each; or of one, again and again. */
static long usual_steps(const unsigned char* callers, long first, int many) {
  enum { kCalls = 41 };
  long steps[kCalls];
  for (int i = 0; i < kCalls; ++i) steps[i] = steps_of(callers, first + (many ? i : 0));
  qsort(steps, kCalls, sizeof *steps, less);
  return steps[kCalls / 2];
}

int main(int argc, char** argv) {
  HOST_EXPECT(argc >= 2);
  const long n = argc > 2 ? atol(argv[2]) : 0;
  long calls = 0;
  if (strcmp(argv[1], "module") == 0) {
    HOST_EXPECT(argc == 4 && n <= kCallers);
    calls = call_all(static_callers, n, atol(argv[3]));
  } else if (strcmp(argv[1], "generated") == 0) {
    calls = call_all(generate(n), n, 2);
    calls += call_all(static_callers, kOwn, 5);
  } else if (strcmp(argv[1], "threads") == 0) {
    pthread_t threads[4];
    for (int i = 0; i < 4; ++i)
      HOST_EXPECT(pthread_create(&threads[i], NULL, thread, (void*)n) == 0);
    for (int i = 0; i < 4; ++i) {
      void* made = NULL;
      HOST_EXPECT(pthread_join(threads[i], &made) == 0);
      calls += (long)made;
    }
  } else if (strcmp(argv[1], "forks") == 0) {
    fork_amid_new_callers(n);
  } else {
    const struct sigaction action = {.sa_handler = on_step};
    HOST_EXPECT(sigaction(SIGTRAP, &action, NULL) == 0);
    const unsigned char* generated = generate(kCallers);
    call_from(static_callers, 0);
    host_say("normal", usual_steps(static_callers, 0, 0));
    call_all(generated, kCallers, 1);
    host_say("generated", usual_steps(generated, kCallers - 100, 1));
    host_say("generated_again", usual_steps(generated, kCallers - 100, 0));
    call_all(static_callers, kCallers, 1);
    host_say("full", usual_steps(static_callers, kCallers - 100, 1));
    host_say("full_again", usual_steps(static_callers, kCallers - 100, 0));
    return 0;
  }
  host_say("calls", calls);
  return 0;
}
