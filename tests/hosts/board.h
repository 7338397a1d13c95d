/* A board on which all processes of a host write what they did, in a file that the test made and
 * reads afterwards. Nothing on it needs a system call once it is mapped, so a process may be behind
 * any filter, or be killed. */
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { kBoardWords = 4096 };

typedef struct Board {
  long calls;   /* all calls of all processes */
  long status;  /* waitpid's, of the process that matters */
  long trapped; /* 1 + the number of a system call that a filter did not expect; 0: none */
  long maybe; /* calls of which it can't be known whether they count: somebody jumped out of them */
  long programs; /* made so far */
  long used; /* words that follow, and are taken: a tag of up to 8 letters, and a number, in turn */
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

static inline void board_say(Board* board, const char* tag, long number) {
  const long at = __atomic_fetch_add(&board->used, 2, __ATOMIC_RELAXED);
  if (at + 2 > kBoardWords) return;
  memcpy(&board->words[at], tag, strnlen(tag, sizeof(long)));
  board->words[at + 1] = number;
}
