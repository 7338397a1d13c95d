/* Single-steps itself through clock calls, by the CPU's trap flag: a signal behind each
 * instruction. What begins again when it is interrupted never ends then. */
#include <signal.h>
#include <ucontext.h>

#include "host.h"

static volatile long g_steps;
static volatile long g_most;

/* A call takes three thousand instructions where it resyncs and learns. */
enum { kForever = 60000 };

static void stepped(int number, siginfo_t* info, void* context) {
  (void)number;
  (void)info;
  (void)context;
  if (++g_steps > kForever) {
    dprintf(1, "FAILED never leaves\n");
    _exit(99);
  }
}

static inline void set_trap(void) {
  __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
}
static inline void clear_trap(void) {
  __asm__ volatile("pushfq\n\tandq $-257, (%%rsp)\n\tpopfq" ::: "memory", "cc");
}

static HOST_NOINLINE int64_t ask(clockid_t clock) { return host_clock(clock); }

/* CLOCK CALLS. The first call is not stepped: a caller is made known with signals blocked. */
int main(int argc, char** argv) {
  HOST_EXPECT(argc == 3);
  const clockid_t clock = atoi(argv[1]);
  const long calls = atol(argv[2]);
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = stepped;
  action.sa_flags = SA_SIGINFO;
  HOST_EXPECT(sigaction(SIGTRAP, &action, NULL) == 0);
  long backward = 0;
  int64_t last = ask(clock);
  for (long i = 0; i < calls; ++i) {
    if (i == calls / 2) host_warm_up(clock);
    g_steps = 0;
    set_trap();
    const int64_t now = ask(clock);
    clear_trap();
    if (g_steps > g_most) g_most = g_steps;
    if (now < last) ++backward;
    last = now;
    const int64_t unstepped = ask(clock);
    if (unstepped < last) ++backward;
    last = unstepped;
  }
  host_say("most", g_most);
  host_say("backward", backward);
  return 0;
}
