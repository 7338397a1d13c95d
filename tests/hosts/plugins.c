/* Loads plug-ins and has them ask for the time. */
#include <dlfcn.h>

#include "host.h"

static void* load(const char* name, int flags) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", getenv("CLOCKSHIM_TEST_HOSTS"), name);
  void* library = dlopen(path, flags);
  if (library == NULL) dprintf(1, "%s\n", dlerror());
  HOST_EXPECT(library != NULL);
  return library;
}

static int64_t ask(void* library, const char* function, long times) {
  int64_t (*f)(long);
  *(void**)&f = dlsym(library, function);
  HOST_EXPECT(f != NULL);
  const int64_t before = host_real_clock(CLOCK_MONOTONIC);
  const int64_t now = f(times);
  HOST_EXPECT(now >= before - 1000000000 && now <= host_real_clock(CLOCK_MONOTONIC) + 1000000000);
  return now;
}

static void* address(void* library, const char* function) {
  void* found = dlsym(library, function);
  HOST_EXPECT(found != NULL);
  return found;
}

int main(int argc, char** argv) {
  const char* how = argc > 1 ? argv[1] : "";
  if (strcmp(how, "deepbind") == 0) {
    ask(load("plug_a.so", RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND), "plug_a_ask", 1000);
    host_clock(CLOCK_MONOTONIC);
    host_say("own", 1);
  } else if (strcmp(how, "two") == 0) {
    ask(load("plug_a.so", RTLD_LAZY), "plug_a_ask", 300);
    ask(load("plug_b.so", RTLD_NOW), "plug_b_ask", 700);
    host_say("calls", 1000);
  } else if (strcmp(how, "replaced") == 0) {
    void* first = load("plug_a.so", RTLD_NOW);
    const void* there = address(first, "plug_a_ask");
    ask(first, "plug_a_ask", 300);
    HOST_EXPECT(dlclose(first) == 0);
    void* second = load("plug_b.so", RTLD_NOW);
    dprintf(1, "%s\n", address(second, "plug_b_ask") == there ? "same place" : "another place");
    ask(second, "plug_b_ask", 700);
    host_say("calls", 1000);
  } else if (strcmp(how, "wrapper-replaced") == 0) {
    void (*f)(void);
    void* first = load("plug_w1.so", RTLD_NOW);
    void* there = address(first, "g_get_monotonic_time");
    *(void**)&f = there;
    for (int i = 0; i < 300; ++i) f();
    HOST_EXPECT(dlclose(first) == 0);
    void* second = load(argc > 2 ? argv[2] : "plug_w2.so", RTLD_NOW);
    *(void**)&f = address(second, "not_a_wrapper_");
    dprintf(1, "%s\n", address(second, "not_a_wrapper_") == there ? "same place" : "another place");
    for (int i = 0; i < 700; ++i) f();
    host_say("calls", 1000);
  }
  return 0;
}
