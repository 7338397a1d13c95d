/* Asks through a library's wrapper, and from SIGUSR1 on through another library, which was loaded
 * in its place. LIBRARY LIBRARY: their paths. Returns 7 at SIGTERM. */
#include <dlfcn.h>
#include <signal.h>

#include "host.h"

static volatile sig_atomic_t reload, end;
static void on_signal(int signal) {
  if (signal == SIGUSR1) reload = 1;
  if (signal == SIGTERM) end = 1;
}

int main(int argc, char** argv) {
  HOST_EXPECT(argc == 3);
  signal(SIGUSR1, on_signal);
  signal(SIGTERM, on_signal);
  for (int i = 1; i < 3 && !end; ++i) {
    void* const library = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
    HOST_EXPECT(library != NULL);
    void* const found = dlsym(library, "ask");
    int64_t (*ask)(void);
    HOST_EXPECT(found != NULL);
    memcpy(&ask, &found, sizeof ask);
    host_say(i == 1 ? "ready" : "again", (long)(intptr_t)found);
    for (long asked = 0; !end && (!reload || i == 2); ++asked) {
      HOST_EXPECT(ask() > 0);
      if (i == 2 && asked == 100) host_say("asked", asked);
      usleep(100);
    }
    if (i == 1) HOST_EXPECT(dlclose(library) == 0);
  }
  return 7;
}
