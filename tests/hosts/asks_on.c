/* Asks for the time until SIGTERM, with one thread, and returns 7. interrupted: a handler
 * interrupts it behind the first instruction of the vDSO's function, and returns there at SIGUSR1.
 * counted TIMES: asks that often at SIGUSR1, and then no more. */
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <ucontext.h>

#include "host.h"

static volatile sig_atomic_t end, go_on;
static void on_signal(int signal) {
  if (signal == SIGTERM) end = 1;
  if (signal == SIGUSR1) go_on = 1;
}

enum { kTrapFlag = 0x100 }; /* of the flags: a trap behind each instruction */

static uintptr_t entry;
static int at_entry;
static void on_trap(int signal, siginfo_t* info, void* context) {
  greg_t* const registers = ((ucontext_t*)context)->uc_mcontext.gregs;
  (void)signal;
  (void)info;
  if (at_entry) {
    registers[REG_EFL] &= ~(greg_t)kTrapFlag;
    host_say("ready", 1);
    while (!go_on) usleep(1000);
    host_say("returned", 1);
  }
  at_entry = (uintptr_t)registers[REG_RIP] == entry;
}

HOST_NOINLINE static void ask(void) {
  static int64_t last;
  const int64_t now = host_clock(CLOCK_MONOTONIC);
  HOST_EXPECT(now >= last);
  last = now;
}

static void wait_in_calls(void) {
  const struct timespec some = {0, 3000000};
  HOST_EXPECT(clock_nanosleep(CLOCK_MONOTONIC, 0, &some, NULL) == 0 || end);
  HOST_EXPECT(poll(NULL, 0, 3) == 0 || end);
  HOST_EXPECT(nanosleep(&some, NULL) == 0 || end);
}

int main(int argc, char** argv) {
  signal(SIGTERM, on_signal);
  signal(SIGUSR1, on_signal);
  ask(); /* the loader has bound it */
  if (argc > 2) {
    host_say("ready", 1);
    while (!go_on) usleep(1000);
    for (long i = atol(argv[2]); i > 0; --i) ask();
    host_say("asked", 1);
    while (!end) usleep(1000);
    return 7;
  }
  const int waits = argc > 1 && strcmp(argv[1], "waits") == 0;
  if (argc > 1 && !waits) {
    void* const vdso = dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD);
    struct sigaction action;
    HOST_EXPECT(vdso != NULL);
    entry = (uintptr_t)dlsym(vdso, "__vdso_clock_gettime");
    HOST_EXPECT(entry != 0);
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_trap;
    action.sa_flags = SA_SIGINFO;
    HOST_EXPECT(sigaction(SIGTRAP, &action, NULL) == 0);
    __asm__ volatile("pushf\n\torq $0x100, (%%rsp)\n\tpopf" : : : "cc", "memory");
    ask();
  } else {
    host_say("ready", 1);
  }
  while (!end) {
    ask();
    if (waits) wait_in_calls();
  }
  return 7;
}
