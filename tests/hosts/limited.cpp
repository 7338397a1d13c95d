// Lives under a limit of the size of files, or with a folder of live files that others (or it
// itself) spoil, and asks for the time all along. It writes nothing to files itself but to the
// board, so bare it does not meet the limit.
//   limited BOARD WHAT [NUMBER]
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <atomic>
#include <string>
#include <vector>

#include "board.h"
#include "host.h"

namespace {

Board* g_board;

HOST_NOINLINE void ask(long times) {
  for (long i = 0; i < times; ++i) {
    host_clock(CLOCK_MONOTONIC);
    board_add(g_board, 1);
  }
}

void await(pid_t pid) {
  int status = 0;
  HOST_EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid);
  if (status != 0) g_board->status = status;
}

void limit_files(long bytes) {
  const rlimit limit{static_cast<rlim_t>(bytes), static_cast<rlim_t>(bytes)};
  HOST_EXPECT(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

std::string folder() { return getenv("CLOCKSHIM_DIR"); }

std::vector<std::string> files() {
  std::vector<std::string> paths;
  DIR* open = opendir(folder().c_str());
  if (open == nullptr) return paths;  // bare: nobody has made it
  while (const dirent* entry = readdir(open)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") paths.push_back(folder() + "/" + name);
  }
  closedir(open);
  return paths;
}

// As `: > FILE` and `truncate` do: what they meet that can't be opened is theirs to complain about.
void cut_by_opening(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd >= 0) close(fd);
}

void fill() {
  const int fd = open((folder() + "/filler").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  const std::string junk(1 << 16, 'x');
  while (write(fd, junk.data(), junk.size()) > 0) {
  }
  close(fd);
}

void spoil(const std::string& how) {
  if (how == "fill") return fill();
  if (how == "read-only") {
    HOST_EXPECT(mount(nullptr, folder().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0);
    return;
  }
  for (const std::string& path : files()) {
    if (how == "open") cut_by_opening(path);
    if (how == "truncate") (void)!truncate(path.c_str(), 0);
    if (how == "remove" || how == "remove-folder") unlink(path.c_str());
  }
  if (how == "remove-folder") rmdir(folder().c_str());
  if (how == "chmod") chmod(folder().c_str(), 0);
}

// A daemon of three threads and a child, which all go on.
void be_spoilt(const std::string& how) {
  std::atomic<bool> spoilt{false};
  std::atomic<int> began{0};
  struct Common {
    std::atomic<bool>& spoilt;
    std::atomic<int>& began;
  } common{spoilt, began};
  const auto counts = [](void* at) -> void* {
    auto& c = *static_cast<Common*>(at);
    ask(100);
    c.began.fetch_add(1);
    while (!c.spoilt.load()) ask(100);
    ask(20'000);
    return nullptr;
  };
  pthread_t threads[2];
  for (pthread_t& t : threads) HOST_EXPECT(pthread_create(&t, nullptr, counts, &common) == 0);
  ask(1000);
  int ends[2];
  HOST_EXPECT(pipe(ends) == 0);
  const pid_t child = fork();  // one that was there before
  if (child == 0) {
    ask(100);
    close(ends[1]);
    char none;
    HOST_EXPECT(read(ends[0], &none, 1) == 0);
    ask(20'000);
    exit(0);
  }
  while (began.load() < 2) sched_yield();
  spoil(how);
  spoilt = true;
  ask(20'000);
  close(ends[1]);
  close(ends[0]);
  for (const pthread_t t : threads) HOST_EXPECT(pthread_join(t, nullptr) == 0);
  await(child);
  const pid_t later = fork();
  if (later == 0) {
    ask(20'000);
    exit(0);
  }
  await(later);
}

}  // namespace

int main(int argc, char** argv) {
  HOST_EXPECT(argc >= 3);
  g_board = board_open(argv[1]);
  const std::string what = argv[2];
  const std::string detail = argc > 3 ? argv[3] : "";
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  if (what == "calls") ask(5000);
  if (what == "limits-itself") {
    ask(5000);
    limit_files(atol(detail.c_str()));
    ask(5000);
  }
  if (what == "child-limits-itself" || what == "child-is-limited" || what == "grandchild") {
    ask(5000);
    if (what == "child-is-limited") limit_files(atol(detail.c_str()));
    const pid_t pid = fork();
    if (pid == 0) {
      if (what != "child-is-limited") limit_files(atol(detail.c_str()));
      ask(5000);
      if (what == "grandchild") {
        const pid_t next = fork();
        if (next == 0) {
          ask(5000);
          exit(0);
        }
        await(next);
      }
      exit(0);
    }
    await(pid);
    ask(5000);
  }
  if (what == "spoilt") be_spoilt(detail);
  return 7;
}
