/* A library that does something before the program begins, as BEFORE_MAIN says. It leaves other
 * programs than asks_dynamic alone: the command is one.
 * "thread": starts one that asks for the time. "execs": executes the program once more. "forks":
 * the child goes on, too, and its parent waits for it. "reads": whether the program's first
 * instructions are those of its file. "filters": forbids what nobody but a tracer would have it
 * call. "sleeps": for ten minutes. "dawdles": for longer than the command waits. */
#include <elf.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "host.h"

static void* ask(void* nothing) {
  for (;;) host_clock(CLOCK_MONOTONIC);
  return nothing;
}

extern char** environ;

static void fork_and_wait(void) {
  int status = 0;
  const pid_t child = fork();
  if (child == 0) return;
  HOST_EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static void read_entry(void) {
  const unsigned char* entry = (const unsigned char*)getauxval(AT_ENTRY);
  const unsigned char* headers = (const unsigned char*)getauxval(AT_PHDR);
  const unsigned char* base = headers - sizeof(Elf64_Ehdr);
  unsigned char in_file[16];
  const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  HOST_EXPECT(pread(file, in_file, sizeof in_file, entry - base) == sizeof in_file);
  HOST_EXPECT(memcmp(entry, in_file, sizeof in_file) == 0);
  close(file);
}

static void filter(void) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_shmat, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = {sizeof code / sizeof *code, code};
  HOST_EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
              prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

__attribute__((constructor)) static void begin(int argc, char** argv) {
  const char* what = getenv("BEFORE_MAIN");
  pthread_t thread;
  if (strcmp(program_invocation_short_name, "asks_dynamic") != 0) return;
  HOST_EXPECT(argc > 0 && what != NULL);
  if (strcmp(what, "thread") == 0) HOST_EXPECT(pthread_create(&thread, NULL, ask, NULL) == 0);
  if (strcmp(what, "forks") == 0) fork_and_wait();
  if (strcmp(what, "reads") == 0) read_entry();
  if (strcmp(what, "filters") == 0) filter();
  if (strcmp(what, "sleeps") == 0) sleep(600);
  if (strcmp(what, "dawdles") == 0) HOST_EXPECT(sleep(11) == 0);
  if (strcmp(what, "execs") != 0) return;
  setenv("BEFORE_MAIN", "nothing", 1);
  execve("/proc/self/exe", argv, environ);
}
