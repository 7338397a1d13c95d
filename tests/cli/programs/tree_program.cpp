// A tree of processes, each of which counts its own calls in memory that all share: they exit,
// _exit, are killed, fork again or execute this program by another name (tree_leaf, a link to it in
// FOLDER). At the end the first one says for each program how many calls and processes it had.
//   tree_program FOLDER NUMBER
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

namespace {

struct Board {
  struct Program {
    std::atomic<long> calls;
    std::atomic<long> processes;
  };
  Program tree;
  Program leaf;
};

Board* g_board;
std::string g_folder;

void ask(Board::Program& program, int times) {
  timespec now;
  for (int i = 0; i < times; ++i) {
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) abort();
    ++program.calls;
  }
}

void end_in_some_way(int number) {
  ++g_board->tree.processes;
  ask(g_board->tree, 1 + number * 37 % 500);
  switch (number % 5) {
    case 0: exit(0);
    case 1: _exit(0);
    case 2: raise(SIGKILL); break;
    case 3: {
      const std::string leaf = g_folder + "/tree_leaf";
      execl(leaf.c_str(), "tree_leaf", g_folder.c_str(), std::to_string(number).c_str(), nullptr);
      break;
    }
    default: {
      const pid_t child = fork();
      if (child == 0) {
        ++g_board->tree.processes;
        ask(g_board->tree, number);
        _exit(0);
      }
      waitpid(child, nullptr, 0);
      exit(0);
    }
  }
  abort();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  g_folder = argv[1];
  const int number = atoi(argv[2]);
  const int file = open((g_folder + "/board").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ftruncate(file, sizeof(Board)) != 0) return 3;
  void* const memory = mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) return 4;
  g_board = static_cast<Board*>(memory);
  if (std::strcmp(argv[0], "tree_leaf") == 0) {
    ++g_board->leaf.processes;
    ask(g_board->leaf, number);
    return 0;
  }
  ++g_board->tree.processes;
  ask(g_board->tree, 7);
  constexpr int kAtOnce = 20;
  for (int first = 0; first < number; first += kAtOnce) {
    for (int i = first; i < first + kAtOnce; ++i) {
      if (fork() == 0) end_in_some_way(i);
    }
    while (wait(nullptr) > 0) {
    }
  }
  for (const auto& [name, program] :
       {std::pair{"tree_program", &g_board->tree}, std::pair{"tree_leaf", &g_board->leaf}})
    std::printf("%s %ld %ld\n", name, program->calls.load(), program->processes.load());
  return 0;
}
