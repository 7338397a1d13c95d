/* Plug-ins that are loaded, asked and unloaded again and again, also by several threads. */
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#include "host.h"

static const char* const kPlugs[] = {"plug_a", "plug_b", "plug_c", "plug_d"};

static void* load(const char* name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s.so", getenv("CLOCKSHIM_TEST_HOSTS"), name);
  void* library = dlopen(path, RTLD_NOW);
  if (library == NULL) dprintf(1, "%s\n", dlerror());
  HOST_EXPECT(library != NULL);
  return library;
}

static void* function(void* library, const char* name, const char* which) {
  char symbol[64];
  snprintf(symbol, sizeof symbol, "%s_%s", name, which);
  void* found = dlsym(library, symbol);
  HOST_EXPECT(found != NULL);
  return found;
}

static void* ask(void* library, const char* name, long times) {
  int64_t (*f)(long);
  *(void**)&f = function(library, name, "ask");
  f(times);
  return *(void**)&f;
}

static void at_end(void* library, const char* name, long times, void (*call)(void)) {
  void (*f)(long, void (*)(void));
  *(void**)&f = function(library, name, "at_end");
  f(times, call);
}

/* Each thread has a plug-in of its own. They are laid out alike, and land where another was a
 * moment ago. */
enum { kRounds = 300, kAsked = 20, kAskedAtEnd = 3 };

static void* one_of_many(void* name) {
  for (int i = 0; i < kRounds; ++i) {
    void* library = load(name);
    ask(library, name, kAsked);
    at_end(library, name, kAskedAtEnd, NULL);
    HOST_EXPECT(dlclose(library) == 0);
  }
  return NULL;
}

static void threads(void) {
  pthread_t all[4];
  for (int i = 0; i < 4; ++i)
    HOST_EXPECT(pthread_create(&all[i], NULL, one_of_many, (void*)kPlugs[i]) == 0);
  for (int i = 0; i < 4; ++i) HOST_EXPECT(pthread_join(all[i], NULL) == 0);
  host_say("calls", 4L * kRounds * (kAsked + kAskedAtEnd));
}

/* One thread, two plug-ins in turn, in the same place. */
static void reload(void) {
  const void* there = NULL;
  for (int i = 0; i < 2 * kRounds; ++i) {
    const char* name = kPlugs[i % 2];
    void* library = load(name);
    const void* at = ask(library, name, kAsked);
    at_end(library, name, kAskedAtEnd, NULL);
    if (there != NULL && at != there) dprintf(1, "another place\n");
    there = at;
    HOST_EXPECT(dlclose(library) == 0);
  }
  host_say("calls", 2L * kRounds * (kAsked + kAskedAtEnd));
}

/* The same with a wrapper, whose callers are counted by a rule for its frames. */
static void reload_wrappers(void) {
  const char* const plugs[] = {"plug_w1", "plug_w2"};
  const char* const functions[] = {"g_get_monotonic_time", "not_a_wrapper_"};
  for (int i = 0; i < 2 * kRounds; ++i) {
    void* library = load(plugs[i % 2]);
    void (*f)(void);
    *(void**)&f = dlsym(library, functions[i % 2]);
    HOST_EXPECT(f != NULL);
    for (int call = 0; call < kAsked; ++call) f();
    HOST_EXPECT(dlclose(library) == 0);
  }
  host_say("calls", 2L * kRounds * kAsked);
}

/* Another thread closes. It runs when nothing else wants to, on the same CPU: so whoever waits for
 * the loader's lock runs as soon as it is free, before the closer gets to its next instruction. */
static sem_t g_close, g_closing;
static void* g_library;
enum { kMixedRounds = 20 };

static void now_closing(void) { sem_post(&g_closing); }

static void* closer(void* unused) {
  const struct sched_param none = {0};
  HOST_EXPECT(sched_setscheduler(0, SCHED_IDLE, &none) == 0);
  for (int i = 0; i < kMixedRounds; ++i) {
    while (sem_wait(&g_close) != 0) {
    }
    HOST_EXPECT(dlclose(g_library) == 0);
  }
  return unused;
}

static void closed_by_another(void) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  HOST_EXPECT(sched_setaffinity(0, sizeof one, &one) == 0);
  sem_init(&g_close, 0, 0);
  sem_init(&g_closing, 0, 0);
  pthread_t thread;
  HOST_EXPECT(pthread_create(&thread, NULL, closer, NULL) == 0);
  for (int i = 0; i < kMixedRounds; ++i) {
    g_library = load("plug_a");
    const void* there = ask(g_library, "plug_a", 300);
    at_end(g_library, "plug_a", 0, now_closing);
    sem_post(&g_close);
    while (sem_wait(&g_closing) != 0) { /* the closer has the lock now */
    }
    void* second = load("plug_b");
    if (ask(second, "plug_b", 700) == there) dprintf(1, "same place\n");
    HOST_EXPECT(dlclose(second) == 0);
  }
  HOST_EXPECT(pthread_join(thread, NULL) == 0);
  host_say("calls", kMixedRounds * 1000L);
}

static int64_t cpu_time(void) { return host_real_clock(CLOCK_THREAD_CPUTIME_ID); }

/* Plug-ins that all have a place of their own, FOLDER/0.so and so on: how much CPU time the
 * dlclose() takes that takes most. */
static void many(const char* folder, int n) {
  int64_t most = 0;
  for (int i = 0; i < n; ++i) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%d.so", folder, i);
    void* library = dlopen(path, RTLD_NOW);
    HOST_EXPECT(library != NULL);
    ask(library, "plug_a", kAsked);
    const int64_t before = cpu_time();
    HOST_EXPECT(dlclose(library) == 0);
    const int64_t took = cpu_time() - before;
    if (took > most) most = took;
  }
  host_say("longest", most);
  host_say("calls", (long)n * kAsked);
}

/* What dlclose() says of a module that nobody has opened. */
static void twice(void) {
  void* library = dlopen("libc.so.6", RTLD_NOLOAD | RTLD_LAZY);
  HOST_EXPECT(library != NULL);
  for (int i = 0; i < 2; ++i) {
    errno = 0;
    const int result = dlclose(library);
    const int error = errno;
    const char* said = dlerror();
    dprintf(1, "%d %d %s\n", result, error, said != NULL ? said : "nothing");
  }
  host_clock(CLOCK_MONOTONIC);
  host_say("calls", 1);
}

int main(int argc, char** argv) {
  const char* how = argc > 1 ? argv[1] : "";
  if (strcmp(how, "threads") == 0) threads();
  if (strcmp(how, "reload") == 0) reload();
  if (strcmp(how, "reload-wrappers") == 0) reload_wrappers();
  if (strcmp(how, "closed-by-another") == 0) closed_by_another();
  if (strcmp(how, "twice") == 0) twice();
  if (strcmp(how, "many") == 0) many(argv[2], atoi(argv[3]));
  return 0;
}
