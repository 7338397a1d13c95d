/* Loads interpreters in the middle of its life, as programs with an embedded Python do. "pythons
 * play MODULE SCENE..." lets each module do what its scene says; "pythons run LIBPYTHON" runs
 * Python code in a real one, several times, and asks when it is gone. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ISO C knows no way from an address to a function. */
static int bind(void* module, const char* name, void* function) {
  void* found = dlsym(module, name);
  if (found == NULL) fprintf(stderr, "%s\n", dlerror());
  memcpy(function, &found, sizeof found);
  return found != NULL;
}

/* "SCENE" or, where the module is to be closed behind it, "SCENE-". */
static int play(int count, char** words) {
  long calls = 0;
  for (int i = 0; i + 1 < count; i += 2) {
    void* module = dlopen(words[i], RTLD_NOW | RTLD_LOCAL);
    if (module == NULL) return fprintf(stderr, "%s\n", dlerror()), 1;
    long (*scene)(const char*);
    if (!bind(module, "play", &scene)) return 1;
    char* const close = strchr(words[i + 1], '-');
    if (close != NULL) *close = '\0';
    calls += scene(words[i + 1]);
    if (close != NULL) dlclose(module);
  }
  printf("calls %d %ld\n", (int)getpid(), calls);
  return 0;
}

static const char* const kCode =
    "import time\n"
    "def embedded():\n"
    "    for _ in range(1000): time.clock_gettime(time.CLOCK_BOOTTIME)\n"
    "embedded()\n";

__attribute__((noinline)) static int run(const char* library) {
  void* python = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (python == NULL) return 77;
  void (*initialize)(int);
  int (*finalize)(void);
  int (*simple)(const char*, void*);
  /* 3.13 has made the wrapper public, and its result an argument. */
  int64_t (*wrapper)(void) = NULL;
  int (*newer_wrapper)(int64_t*) = NULL;
  const int is_new = dlsym(python, "PyTime_TimeRaw") != NULL;
  if (!bind(python, "Py_InitializeEx", &initialize) || !bind(python, "Py_FinalizeEx", &finalize) ||
      !bind(python, "PyRun_SimpleStringFlags", &simple) ||
      !(is_new ? bind(python, "PyTime_TimeRaw", &newer_wrapper)
               : bind(python, "_PyTime_GetSystemClock", &wrapper))) {
    return 1;
  }
  for (int i = 0; i < 3; ++i) {
    initialize(0);
    if (simple(kCode, NULL) != 0) return 1;
    if (finalize() != 0) return 1;
    int64_t now;
    for (int j = 0; j < 100; ++j) is_new ? (void)newer_wrapper(&now) : (void)wrapper();
  }
  return 0;
}

int main(int count, char** words) {
  if (count > 3 && strcmp(words[1], "play") == 0) return play(count - 2, words + 2);
  if (count > 2 && strcmp(words[1], "run") == 0) return run(words[2]);
  return 2;
}
