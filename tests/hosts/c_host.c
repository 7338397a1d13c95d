/* A C program, no C++ run-time linked, that loads a C++ plug-in. Says what the plug-in's
 * destructors did. */
#include <dlfcn.h>

#include "host.h"

int main(void) {
  host_warm_up(CLOCK_MONOTONIC);
  char path[4096];
  snprintf(path, sizeof path, "%s/plug_cxx.so", getenv("CLOCKSHIM_TEST_HOSTS"));
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  HOST_EXPECT(library != NULL);
  int (*catches)(int);
  int (*cancels)(int);
  *(void**)&catches = dlsym(library, "throw_and_catch");
  *(void**)&cancels = dlsym(library, "cancel_threads");
  HOST_EXPECT(catches != NULL && cancels != NULL);
  dprintf(1, "caught %d of 6\n", catches(6));
  dprintf(1, "destroyed %d of 6\n", cancels(6));
  return 0;
}
