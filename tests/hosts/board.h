/* A board on which all processes of a host write what they did, in a file that the test made and
 * reads afterwards. Nothing on it needs a system call once it is mapped, so a process may be behind
 * any filter, or be killed. */
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { kBoardWords = 4096 };

typedef struct Board {
  long calls;   /* all calls of all processes */
  long status;  /* waitpid's, of the process that matters */
  long trapped; /* 1 + the number of a system call that a filter did not expect; 0: none */
  long used;    /* words that follow, and are taken */
  long words[kBoardWords];
} Board;

static inline Board* board_map(int fd) {
  void* at = mmap(NULL, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) abort();
  return (Board*)at;
}

static inline Board* board_open(const char* path) {
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) abort();
  Board* board = board_map(fd);
  close(fd);
  return board;
}

static inline Board* board_make(const char* path) {
  const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0 || ftruncate(fd, sizeof(Board)) != 0) abort();
  close(fd);
  return board_open(path);
}

static inline void board_close(Board* board) { munmap(board, sizeof(Board)); }

static inline void board_add(Board* board, long calls) {
  __atomic_add_fetch(&board->calls, calls, __ATOMIC_RELAXED);
}
