// Part of random_host: children of every kind, waited for, and what a process does to itself that
// it can't take back.
#pragma once

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <string>

#include "random_calls.h"
#include "random_signals.h"

extern char** environ;

namespace random_host {

[[noreturn]] void live_and_end(Random& random);

struct CloneWork {
  uint64_t seed;
};

[[noreturn]] inline void be_child(uint64_t seed) {
  ++g_depth;
  if (g_elsewhere) g_counted = &g_board->maybe;
  Random random(seed);
  live_and_end(random);
}

inline int in_clone(void* work) {
  g_on_own_stack = true;
  be_child(static_cast<CloneWork*>(work)->seed);
}

inline int asks_and_goes(void* /*unused*/) {
  ask(30);
  _exit(3);
}

inline char* new_stack(std::size_t size) {
  void* const at =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  HOST_EXPECT(at != MAP_FAILED);
  return static_cast<char*>(at);
}

// What exec starts finds its board by the path: not from another root, nor as another user. And
// what is its standard error then may be written to.
inline bool may_exec() {
  return !g_elsewhere && !g_stderr_is_precious && access(g_board_path.c_str(), R_OK | W_OK) == 0;
}

struct Words {
  explicit Words(uint64_t seed_of_it)
      : seed(std::to_string(seed_of_it)), depth(std::to_string(g_depth + 1)) {}
  std::string name = "random_host";
  std::string seed;
  std::string depth;
  std::string counted = g_alone ? "maybe" : "calls";
  char* argv[6] = {name.data(),  g_board_path.data(), seed.data(),
                   depth.data(), counted.data(),      nullptr};
};

HOST_NOINLINE inline pid_t vfork_and_exec(Words& words, bool asks) {
  const pid_t pid = vfork();
  if (pid == 0) {
    if (asks) ask(20);  // in the parent's memory, and so in its counts
    execve("/proc/self/exe", words.argv, environ);
    _exit(4);
  }
  return pid;
}

inline void make_process(Random& random) {
  const uint64_t seed = random.next();
  const long kind = random.below(11);
  say("process", kind);
  if (g_depth >= kDeepest ||
      __atomic_add_fetch(&g_board->programs, 1, __ATOMIC_RELAXED) > kMostPrograms)
    return;
  const bool execs = kind >= 8;
  if (execs && !may_exec()) return say("no exec", kind);
  const int precious = memfd_create("precious", MFD_CLOEXEC);
  g_precious = precious;
  pid_t pid = -1;
  Words words(seed);
  CloneWork work{seed};
  const bool asks = random.one_in(2);
  switch (kind) {
    case 0:
    case 1:
    case 2:
      if ((pid = fork()) == 0) be_child(seed);
      break;
    case 3:
      if ((pid = _Fork()) == 0) be_child(seed);
      break;
    case 4:
      if ((pid = static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))) == 0) be_child(seed);
      break;
    case 5:
      if ((pid = static_cast<pid_t>(syscall(SYS_fork))) == 0) be_child(seed);
      break;
    case 6: pid = clone(in_clone, new_stack(512 << 10) + (512 << 10), SIGCHLD, &work); break;
    case 7:
      pid = clone(asks_and_goes, new_stack(64 << 10) + (64 << 10), CLONE_VM | CLONE_VFORK | SIGCHLD,
                  nullptr);
      break;
    case 8: pid = vfork_and_exec(words, asks); break;
    case 9:
      if (posix_spawn(&pid, "/proc/self/exe", nullptr, nullptr, words.argv, environ) != 0) pid = -1;
      break;
    default:
      if ((pid = fork()) == 0) {
        if (asks) ask(10);
        execve("/proc/self/exe", words.argv, environ);
        _exit(4);
      }
  }
  g_precious = -1;
  int status = -1;
  if (pid > 0) {
    while (waitpid(pid, &status, __WALL) < 0) HOST_EXPECT(errno == EINTR);
  }
  say("status", status);
  struct stat info {};
  say("precious", precious >= 0 && fstat(precious, &info) == 0 ? info.st_size : -1);
  if (precious >= 0) close(precious);
}

inline void make_process_in_thread(Random& random) {
  ThreadWork work{Random(random.next()), {}, make_process};
  HOST_EXPECT(pthread_create(&work.thread, nullptr, run_thread, &work) == 0);
  HOST_EXPECT(pthread_join(work.thread, nullptr) == 0);
}

inline void limit(Random& random) {
  struct Limit {
    __rlimit_resource_t what;
    rlim_t most;
  };
  constexpr Limit kLimits[] = {
      {RLIMIT_FSIZE, 0},   {RLIMIT_FSIZE, 100 << 10}, {RLIMIT_NOFILE, 3},        {RLIMIT_NOFILE, 6},
      {RLIMIT_NOFILE, 20}, {RLIMIT_AS, 768 << 20},    {RLIMIT_MEMLOCK, 64 << 10}};
  const long which = random.below(std::size(kLimits));
  const rlimit limit{kLimits[which].most, kLimits[which].most};
  say("limit", which * 10 + (setrlimit(kLimits[which].what, &limit) == 0 ? 0 : 1));
}

inline void lose_descriptors(Random& random) {
  switch (random.below(5)) {
    case 0: closefrom(3); break;
    case 1: close(0); break;
    case 2: close(1); break;
    case 3: close(2); break;
    default:
      if (g_precious < 0) break;
      say("dup2", dup2(g_precious, 2));
      g_stderr_is_precious = true;
  }
  const int next = open("/dev/null", O_RDONLY);  // has the number that it has bare
  say("next", next);
  if (next > 2) close(next);
}

inline void move(Random& random) {
  switch (random.below(8)) {
    case 0:
      if (geteuid() != 0) return;
      g_elsewhere = true;
      say("chroot", chroot("/proc/self/fdinfo"));
      say("chdir", chdir("/"));
      return;
    case 1:
      if (geteuid() != 0) return;
      g_elsewhere = true;
      HOST_EXPECT(setgroups(0, nullptr) == 0);
      say("setgid", setgid(65534));
      say("setuid", setuid(65534));
      return;
    case 2: say("chdir", chdir("/")); return;
    case 3: say("chdir", chdir("/proc/self")); return;
    case 4:  // what root makes with no rights at all, root can still read
      umask(!random.one_in(2) ? 0 : geteuid() == 0 ? 0777 : 077);
      return;
    default:
      g_alone = true;
      clearenv();
      setenv("HOME", "/", 1);
      return;
  }
}

}  // namespace random_host
