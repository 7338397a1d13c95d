// Says everything about its process that a good guest leaves alone: descriptors, threads,
// environment, signal handlers and mask, timers, limits, directory, errno. Once at the start of
// main, once after thousands of calls at many sites.
#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sites.h"

extern "C" char** environ;

namespace {

void say_directory(const char* path, bool with_targets) {
  std::vector<std::string> lines;
  DIR* directory = opendir(path);
  HOST_EXPECT(directory != nullptr);
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] == '.' || std::to_string(dirfd(directory)) == entry->d_name) continue;
    struct stat info {};
    stat((std::string(path) + "/" + entry->d_name).c_str(), &info);
    lines.push_back(with_targets ? std::string(entry->d_name) + " kind " +
                                       std::to_string(info.st_mode & S_IFMT)
                                 : "one more");
  }
  closedir(directory);
  std::sort(lines.begin(), lines.end());
  for (const auto& line : lines) dprintf(1, "%s %s\n", path, line.c_str());
}

// Where a handler is in its module: modules stand elsewhere each time. (Their names are not sure:
// redis writes what it is doing over its own.) A static program stands where it stands.
std::string place_of(void (*handler)(int)) {
  const auto address = reinterpret_cast<std::uintptr_t>(handler);
#ifndef HOST_STATIC
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(address), &info) != 0)
    return "+" + std::to_string(address - reinterpret_cast<std::uintptr_t>(info.dli_fbase));
#endif
  return std::to_string(address);
}

void say_signals() {
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action {};
    sigset_t mask;
    sigset_t pending;
    sigprocmask(SIG_SETMASK, nullptr, &mask);
    sigpending(&pending);
    const int known = sigaction(number, nullptr, &action);
    dprintf(1, "signal %d: %d %s %d %d%d\n", number, known, place_of(action.sa_handler).c_str(),
            action.sa_flags, sigismember(&mask, number), sigismember(&pending, number));
  }
  stack_t alternate{};
  sigaltstack(nullptr, &alternate);
  dprintf(1, "alternate stack %zu %d\n", alternate.ss_size, alternate.ss_flags);
}

void say_all(const char* when) {
  dprintf(1, "== %s\n", when);
  say_directory("/proc/self/fd", true);
  say_directory("/proc/self/task", false);
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view line = *entry;
    // What the test and the command hand on.
    if (!line.starts_with("LD_PRELOAD=") && !line.starts_with("CLOCKSHIM_"))
      dprintf(1, "%s\n", *entry);
  }
  say_signals();
  for (const auto kind : {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF}) {
    itimerval timer{};
    getitimer(kind, &timer);
    dprintf(1, "timer %ld %ld\n", static_cast<long>(timer.it_value.tv_sec),
            static_cast<long>(timer.it_interval.tv_sec));
  }
  for (int resource = 0; resource < RLIM_NLIMITS; ++resource) {
    rlimit limit{};
    getrlimit(static_cast<__rlimit_resource>(resource), &limit);
    dprintf(1, "limit %d %lu %lu\n", resource, limit.rlim_cur, limit.rlim_max);
  }
  char directory[4096];
  char thread_name[32] = "";
  pthread_getname_np(pthread_self(), thread_name, sizeof thread_name);
  const mode_t mask = umask(0);
  umask(mask);
  int cancel = 0;
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &cancel);
  const char* loader = dlerror();
  dprintf(1, "directory %s umask %o thread %s cancel %d loader %s slack %d dumpable %d\n",
          getcwd(directory, sizeof directory), mask, thread_name, cancel,
          loader != nullptr ? loader : "silent", prctl(PR_GET_TIMERSLACK), prctl(PR_GET_DUMPABLE));
}

}  // namespace

int main() {
  dprintf(1, "errno %d\n", errno);
  say_all("start of main");
  for (const auto& call : kSitesOf<500>) call();
  // Long enough for somebody to attach to it meanwhile.
  using Clock = std::chrono::steady_clock;
  for (const auto start = Clock::now(); Clock::now() - start < std::chrono::milliseconds(300);) {
  }
  host_warm_up(CLOCK_REALTIME);
  say_all("after many calls");
  return 0;
}
