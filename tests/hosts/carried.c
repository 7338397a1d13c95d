/* A host as a module of somebody else's daemon, so that what it looks at is the daemon's process:
 * redis, PostgreSQL's server and Java's virtual machine each call a function of their own when they
 * have loaded it, and that is where the host runs. tests/hosts/carry starts them. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The host's own: it is linked so that no other main is found. */
extern int main(int argc, char** argv);

static void run_host(void) {
  enum { kMost = 16 };
  static char name[] = "host";
  char* arguments[kMost + 1] = {name};
  int count = 1;
  char* rest = getenv("HOST_ARGUMENTS");
  sigset_t none;
  for (char* line; count < kMost && (line = strsep(&rest, "\n")) != NULL;)
    if (*line != 0) arguments[count++] = line;
  /* A program begins without blocked signals, and waits for its children itself; PostgreSQL's
   * server blocks all signals here, and its handler takes the children. It works in a folder that
   * has another name each time. */
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGCHLD, SIG_DFL);
  if (chdir("/") != 0) _exit(98);
  /* The test attaches now, and closes its end then. */
  char nothing;
  if (read(0, &nothing, 1) != 0) _exit(97);
  _exit(main(count, arguments));
}

int RedisModule_OnLoad(void* context, void** words, int count) {
  (void)context, (void)words, (void)count;
  run_host();
  return 1;
}

int JNI_OnLoad(void* machine, void* reserved) {
  (void)machine, (void)reserved;
  run_host();
  return 0;
}

/* What PostgreSQL 15 to 17 want to find before they call _PG_init(): its version, and limits that
 * are those of all common builds. */
struct magic {
  int size, version, arguments, keys, name, double_by_value;
  char variant[32];
};
const void* Pg_magic_func(void);
const void* Pg_magic_func(void) {
  static struct magic magic = {sizeof magic, 0, 100, 32, 64, 1, "PostgreSQL"};
  const char* const version = getenv("HOST_POSTGRES");
  magic.version = version != NULL ? atoi(version) * 100 : 0;
  return &magic;
}

void _PG_init(void);
void _PG_init(void) { run_host(); }
