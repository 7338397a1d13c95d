// Asks, and ends with 7 where a report is hard to leave. With "pipe", "socket" and "terminal"
// descriptor 2 is one that is full, blocking and never read, from the start of the program on: it
// replaces itself for that.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <termios.h>

#include "sites.h"

#define NAME_10 "4name4name4name4name4name4name4name4name4name4name"
#define NAME_100 NAME_10 NAME_10 NAME_10 NAME_10 NAME_10 NAME_10 NAME_10 NAME_10 NAME_10 NAME_10

// As a template's instance may be called: what takes such a name apart needs much stack.
extern "C" __attribute__((noinline)) void asks() __asm__("_ZN" NAME_100 "Ev");
void asks() {
  for (int i = 0; i < 5000; ++i) host_clock(CLOCK_MONOTONIC);
}

namespace {

void end(int) { exit(7); }

void* ends(void* barrier) {
  pthread_barrier_wait(static_cast<pthread_barrier_t*>(barrier));
  exit(7);
}

void fill(int fd) {
  static const char text[4096] = {};
  HOST_EXPECT(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
  while (write(fd, text, sizeof text) > 0 || write(fd, text, 1) > 0) {
  }
  HOST_EXPECT(errno == EAGAIN);
  HOST_EXPECT(fcntl(fd, F_SETFL, 0) == 0);
}

// A descriptor to which a write blocks for ever.
int full(const char* what) {
  int ends[2];
  if (strcmp(what, "pipe") == 0) {
    HOST_EXPECT(pipe(ends) == 0);
    fill(ends[1]);
    return ends[1];
  }
  if (strcmp(what, "socket") == 0) {
    HOST_EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    fill(ends[1]);
    return ends[1];
  }
  HOST_EXPECT(strcmp(what, "terminal") == 0);
  const int master = posix_openpt(O_RDWR | O_NOCTTY);
  HOST_EXPECT(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
  const int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
  HOST_EXPECT(terminal >= 0 && tcflow(terminal, TCOOFF) == 0);
  return terminal;
}

// A handler on a small stack, with nothing around it.
void end_on_small_stack(const rlimit* address_space) {
  enum { kPage = 4096 };
  const size_t size = (getauxval(AT_MINSIGSTKSZ) + 12 * 1024 + kPage - 1) / kPage * kPage;
  void* mapping = mmap(nullptr, size + 2 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char* memory = static_cast<char*>(mapping);
  HOST_EXPECT(mapping != MAP_FAILED && mprotect(memory + kPage, size, PROT_READ | PROT_WRITE) == 0);
  stack_t stack{};
  stack.ss_sp = memory + kPage;
  stack.ss_size = size;
  HOST_EXPECT(sigaltstack(&stack, nullptr) == 0);
  struct sigaction action {};
  action.sa_handler = end;
  action.sa_flags = SA_ONSTACK;
  HOST_EXPECT(sigaction(SIGUSR1, &action, nullptr) == 0);
  if (address_space != nullptr) HOST_EXPECT(setrlimit(RLIMIT_AS, address_space) == 0);
  raise(SIGUSR1);
}

}  // namespace

int main(int argc, char** argv) {
  HOST_EXPECT(argc >= 2);
  const char* how = argv[1];
  if (argc == 3) {
    const int fd = full(how);
    HOST_EXPECT(dup2(fd, 2) == 2);
    char* again[] = {argv[0], argv[1], nullptr};
    execv("/proc/self/exe", again);
    return 99;
  }
  asks();
  dprintf(1, "asked\n");
  if (strcmp(how, "file-size") == 0) {
    const rlimit limit = {10, 10};
    HOST_EXPECT(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  } else if (strncmp(how, "memory", 6) == 0) {
    if (strstr(how, "many") != nullptr) {
      for (const auto& call : kSitesOf<800>) call();
    }
    const rlimit limit = {4096, 4096};
    if (strstr(how, "small-stack") != nullptr) end_on_small_stack(&limit);
    HOST_EXPECT(setrlimit(RLIMIT_AS, &limit) == 0);
  } else if (strcmp(how, "small-stack") == 0) {
    end_on_small_stack(nullptr);
  } else if (strcmp(how, "threads") == 0) {
    enum { kThreads = 8 };
    static pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, nullptr, kThreads);
    pthread_t thread;
    for (int i = 0; i < kThreads; ++i)
      HOST_EXPECT(pthread_create(&thread, nullptr, ends, &barrier) == 0);
    pthread_join(thread, nullptr);
  } else if (strcmp(how, "storm") == 0) {
    // Handlers that call exit() all the time, also while it is at work.
    struct sigaction action {};
    action.sa_handler = end;
    action.sa_flags = SA_NODEFER;
    HOST_EXPECT(sigaction(SIGALRM, &action, nullptr) == 0);
    const itimerval often = {{0, 200}, {0, 200}};
    HOST_EXPECT(setitimer(ITIMER_REAL, &often, nullptr) == 0);
    for (;;) pause();
  }
  return 7;
}
