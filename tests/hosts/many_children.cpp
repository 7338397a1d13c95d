// A server with a child for each connection, a shell that starts programs, a pool whose workers
// come and go. Says how much room all of them take in a file system (CLOCKSHIM_DIR's, or /dev/shm),
// and in shared memory, while they live.
//   many_children BOARD WHAT NUMBER
#include <signal.h>
#include <spawn.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include <string>
#include <vector>

#include "board.h"
#include "host.h"

extern char** environ;

namespace {

Board* g_board;

HOST_NOINLINE void ask(long times) {
  for (long i = 0; i < times; ++i) host_clock(CLOCK_MONOTONIC);
  board_add(g_board, times);
}

void await(pid_t pid) {
  int status = 0;
  HOST_EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

long room_taken() {
  const char* folder = getenv("CLOCKSHIM_DIR");
  struct statvfs info {};
  HOST_EXPECT(statvfs(folder != nullptr ? folder : "/dev/shm", &info) == 0);
  return static_cast<long>((info.f_blocks - info.f_bfree) * info.f_frsize);
}

// Of all segments of this ipc namespace: what is there in memory or swapped out.
long shared_memory_taken() {
  FILE* list = fopen("/proc/sysvipc/shm", "r");
  if (list == nullptr) return 0;
  long sum = 0;
  char line[512];
  while (fgets(line, sizeof line, list) != nullptr) {
    long resident = 0;
    long swapped = 0;
    const char* const format = "%*d %*d %*o %*u %*d %*d %*u %*u %*u %*u %*u %*u %*u %*u %ld %ld";
    if (sscanf(line, format, &resident, &swapped) == 2) sum += resident + swapped;
  }
  fclose(list);
  return sum;
}

// All of them at one time; the room is told while they live.
void crowd(int number) {
  int asked[2];
  int go[2];
  HOST_EXPECT(pipe(asked) == 0 && pipe(go) == 0);
  const long room = room_taken();
  const long shared = shared_memory_taken();
  ask(1000);
  std::vector<pid_t> children;
  for (int i = 0; i < number; ++i) {
    const pid_t pid = fork();
    if (pid == 0) {
      close(go[1]);
      ask(20);
      HOST_EXPECT(write(asked[1], "", 1) == 1);
      char none;
      HOST_EXPECT(read(go[0], &none, 1) == 0);
      exit(0);
    }
    children.push_back(pid);
  }
  char byte;
  for (int i = 0; i < number; ++i) HOST_EXPECT(read(asked[0], &byte, 1) == 1);
  host_say("room", room_taken() - room);
  host_say("shared", shared_memory_taken() - shared);
  close(go[1]);
  for (const pid_t pid : children) await(pid);
}

void one_after_another(int number, long calls, bool exits) {
  for (int i = 0; i < number; ++i) {
    const pid_t pid = fork();
    if (pid == 0) {
      if (calls > 0) ask(calls);
      if (exits) exit(0);
      _exit(0);
    }
    await(pid);
  }
}

HOST_NOINLINE pid_t start_true(bool by_fork, char* const* environment) {
  static char name[] = "true";
  static char* const argv[] = {name, nullptr};
  const pid_t pid = by_fork ? fork() : vfork();
  if (pid == 0) {
    execve("/bin/true", argv, environment);
    _exit(1);
  }
  return pid;
}

// Programs that never ask: with us in them, or without, as where the environment was cleared.
void programs(int number, bool cleared) {
  char* const nothing[] = {nullptr};
  for (int i = 0; i < number; ++i) await(start_true(i % 2 == 0, cleared ? nothing : environ));
}

}  // namespace

int main(int argc, char** argv) {
  HOST_EXPECT(argc == 4);
  g_board = board_open(argv[1]);
  const std::string what = argv[2];
  const int number = atoi(argv[3]);
  if (what == "crowd") crowd(number);
  if (what == "leave") one_after_another(number, 20, false);
  if (what == "exit") one_after_another(number, 20, true);
  if (what == "silent") one_after_another(number, 0, false);
  if (what == "programs" || what == "cleared") {
    ask(1000);
    programs(number, what == "cleared");
  }
  return 7;
}
