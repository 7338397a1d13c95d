/* How much stack each way to ask for the time takes: the stack below a call is painted, and what is
 * left of the paint is looked at. Says "depth CASE BYTES" for each. Bare and with the shim, the
 * cases are the same, so what the shim takes is the difference. To be run with LD_BIND_NOW: the
 * loader's search for a function would hide it. */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>

#include "host.h"

extern "C" {
/* Names of known wrappers, one around the other. Not inlined, and no jumps for calls. */
HOST_NOINLINE int64_t uv_hrtime(clockid_t id) {
  timespec t;
  clock_gettime(id, &t);
  asm volatile("" ::: "memory");
  return host_ns(&t);
}
HOST_NOINLINE int64_t g_get_monotonic_time(clockid_t id) { return uv_hrtime(id) + 1; }
HOST_NOINLINE int64_t apr_time_now(clockid_t id) { return g_get_monotonic_time(id) + 1; }
HOST_NOINLINE int64_t PR_Now(clockid_t id) { return apr_time_now(id) + 1; }
HOST_NOINLINE int64_t ev_time(clockid_t id) { return PR_Now(id) + 1; }
HOST_NOINLINE int64_t SDL_GetPerformanceCounter(clockid_t id) { return ev_time(id) + 1; }
}

namespace {

constexpr std::size_t kPainted = 48 << 10;
constexpr uint64_t kPaint = 0x5AA5'C33C'0FF0'9669;

/* Runs f with the stack below painted. Returns how far below the painter's own frame it has
 * written. */
template <class F>
HOST_NOINLINE long depth_of(F f, std::size_t painted = kPainted) {
  uintptr_t top;
  asm volatile("mov %%rsp, %0" : "=r"(top)::"memory");
  const uintptr_t bottom = (top - painted) & ~uintptr_t{7};
  for (uintptr_t at = (top & ~uintptr_t{7}) - 8; at >= bottom; at -= 8)
    *reinterpret_cast<volatile uint64_t*>(at) = kPaint;
  f();
  uintptr_t at = bottom;
  while (at < top && *reinterpret_cast<volatile uint64_t*>(at) == kPaint) at += 8;
  return static_cast<long>(top - at);
}

void say(const char* which, long depth) { dprintf(1, "depth %s %ld\n", which, depth); }

template <class F>
void measure(const char* which, F f) {
  say(which, depth_of(f));
}

HOST_NOINLINE int64_t gettimeofday_now() {
  timeval t;
  HOST_EXPECT(gettimeofday(&t, nullptr) == 0);
  return t.tv_sec;
}

HOST_NOINLINE int64_t timespec_get_now() {
  timespec t;
  HOST_EXPECT(timespec_get(&t, TIME_UTC) == TIME_UTC);
  return t.tv_sec;
}

/* At the end of `frames` frames, a new site. */
template <int which>
HOST_NOINLINE int64_t deep(int frames, clockid_t id) {
  const int64_t below = frames == 0 ? host_clock(id) : deep<which>(frames - 1, id);
  asm volatile("" ::: "memory");
  return below + 1;
}

void ask_all_ways() {
  measure("first_sight", [] { host_clock(CLOCK_MONOTONIC); });
  measure("another_site", [] { host_clock(CLOCK_MONOTONIC); });
  measure("another_clock", [] { host_clock(CLOCK_BOOTTIME); });
  measure("gettimeofday", [] { gettimeofday_now(); });
  measure("timespec_get", [] { timespec_get_now(); });
  measure("not_served", [] { host_clock(CLOCK_PROCESS_CPUTIME_ID); });
  measure("no_clock", [] {
    timespec t;
    HOST_EXPECT(clock_gettime(77, &t) == -1);
  });
  measure("system_clock", [] { (void)std::chrono::system_clock::now(); });
  measure("steady_clock", [] { (void)std::chrono::steady_clock::now(); });
  measure("one_wrapper", [] { uv_hrtime(CLOCK_MONOTONIC); });
  measure("six_wrappers", [] { SDL_GetPerformanceCounter(CLOCK_MONOTONIC); });
  measure("six_wrappers_again", [] { SDL_GetPerformanceCounter(CLOCK_MONOTONIC); });
  measure("deep", [] { deep<0>(40, CLOCK_MONOTONIC); });
  /* Long enough for samples, calibrations, and the next segment of each clock. */
  measure("many", [] {
    const int64_t end = host_real_clock(CLOCK_MONOTONIC) + 40'000'000;
    while (host_real_clock(CLOCK_MONOTONIC) < end) {
      for (const clockid_t id : {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW,
                                 CLOCK_BOOTTIME, CLOCK_TAI, CLOCK_REALTIME_COARSE}) {
        for (int i = 0; i < 20; ++i) host_clock(id);
      }
      gettimeofday_now();
    }
  });
}

void on_thread(void* (*f)(void*), std::size_t stack) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  HOST_EXPECT(pthread_attr_setstacksize(&attributes, stack) == 0);
  pthread_t thread;
  HOST_EXPECT(pthread_create(&thread, &attributes, f, nullptr) == 0);
  pthread_join(thread, nullptr);
}

#ifdef HOST_STATIC
void plug_ins() {}
#else
void plug_ins() {
  char path[4096];
  snprintf(path, sizeof path, "%s/plug_a.so", getenv("CLOCKSHIM_TEST_HOSTS"));
  for (int i = 0; i < 2; ++i) {
    void* library = dlopen(path, RTLD_NOW);
    HOST_EXPECT(library != nullptr);
    int64_t (*ask)(long);
    *reinterpret_cast<void**>(&ask) = dlsym(library, "plug_a_ask");
    measure(i == 0 ? "plug_in" : "plug_in_again", [&] { ask(1); });
    measure(i == 0 ? "dlclose" : "dlclose_again", [&] { HOST_EXPECT(dlclose(library) == 0); });
  }
}
#endif

long g_in_handler = 0;

void handler(int) {
  g_in_handler = depth_of(
      [] {
        host_clock(CLOCK_MONOTONIC);
        (void)std::chrono::system_clock::now();
        deep<1>(3, CLOCK_REALTIME);
        SDL_GetPerformanceCounter(CLOCK_BOOTTIME);
        gettimeofday_now();
      },
      3 << 10);
}

/* On the least alternate stack that programs have, with a page below it that must stay as it is. */
void in_handler(const char* which) {
  constexpr std::size_t kLeast = 8192;
  char* const memory = static_cast<char*>(
      mmap(nullptr, 4096 + kLeast, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  HOST_EXPECT(memory != MAP_FAILED);
  mprotect(memory, 4096, PROT_NONE);
  const stack_t stack{memory + 4096, 0, kLeast};
  HOST_EXPECT(sigaltstack(&stack, nullptr) == 0);
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_ONSTACK;
  HOST_EXPECT(sigaction(SIGUSR1, &action, nullptr) == 0);
  HOST_EXPECT(raise(SIGUSR1) == 0);
  say(which, g_in_handler);
}

void fork_and(const char* which, void (*f)()) {
  const pid_t child = fork();
  if (child == 0) {
    say(which, depth_of(f));
    _exit(0);
  }
  int status = 0;
  HOST_EXPECT(waitpid(child, &status, 0) == child && status == 0);
}

/* PyObject_CallNoArgs of functions that ask, so that the parser's stack does not count. */
#ifdef HOST_STATIC
int in_python(const char*) { return 77; }
#else
int in_python(const char* path) {
  void* python = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
  if (python == nullptr) return 77;
  const auto find = [python](const char* name) { return dlsym(python, name); };
  const auto initialize = reinterpret_cast<void (*)(int)>(find("Py_InitializeEx"));
  const auto simple =
      reinterpret_cast<int (*)(const char*, void*)>(find("PyRun_SimpleStringFlags"));
  const auto add_module = reinterpret_cast<void* (*)(const char*)>(find("PyImport_AddModule"));
  const auto attribute =
      reinterpret_cast<void* (*)(void*, const char*)>(find("PyObject_GetAttrString"));
  const auto call = reinterpret_cast<void* (*)(void*)>(find("PyObject_CallNoArgs"));
  HOST_EXPECT(initialize != nullptr && simple != nullptr && add_module != nullptr &&
              attribute != nullptr && call != nullptr);
  initialize(0);
  HOST_EXPECT(simple("import time\n"
                     "def idle(): pass\n"
                     "def f(): return time.monotonic()\n"
                     "def a_rather_long_name_of_a_function_that_asks(): return time.monotonic()\n"
                     "class C:\n"
                     "  def g(self): return time.time()\n"
                     "  def h(self): return [self.g() for i in range(3)]\n"
                     "def nested(): return C().h()\n",
                     nullptr) == 0);
  void* const module = add_module("__main__");
  call(attribute(module, "idle"));
  static void* function;
  static void* (*const the_call)(void*) = call;
  for (const char* name : {"f", "a_rather_long_name_of_a_function_that_asks", "nested"}) {
    function = attribute(module, name);
    HOST_EXPECT(function != nullptr);
    measure(name, [] { HOST_EXPECT(the_call(function) != nullptr); });
  }
  return 0;
}
#endif

}  // namespace

int main(int argc, char** argv) {
  const char* which = argc > 1 ? argv[1] : "";
  if (strcmp(which, "main") == 0) {
    ask_all_ways();
    plug_ins();
    in_handler("handler");
  } else if (strcmp(which, "thread") == 0) {
    on_thread(
        [](void*) -> void* {
          return measure("thread_first", [] { host_clock(CLOCK_MONOTONIC); }), nullptr;
        },
        128 << 10);
    on_thread([](void*) -> void* { return ask_all_ways(), nullptr; }, 128 << 10);
    on_thread([](void*) -> void* { return in_handler("thread_handler"), nullptr; }, 128 << 10);
    /* The least that a thread may have. */
    on_thread(
        [](void*) -> void* {
          return host_clock(CLOCK_MONOTONIC), deep<2>(3, CLOCK_BOOTTIME), nullptr;
        },
        16 << 10);
  } else if (strcmp(which, "fork") == 0) {
    host_warm_up(CLOCK_MONOTONIC);
    fork_and("child_first_call", [] { host_clock(CLOCK_MONOTONIC); });
    fork_and("child_first_wrapper", [] { (void)std::chrono::system_clock::now(); });
    fork_and("child_many", [] { host_warm_up(CLOCK_REALTIME); });
  } else if (strcmp(which, "python") == 0) {
    return argc > 2 ? in_python(argv[2]) : 77;
  } else {
    return 2;
  }
  return 0;
}
