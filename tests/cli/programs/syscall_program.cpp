// Makes one system call, NUMBER, by syscall(): what the doctor looks for in a program's code. The
// number of a clock's is an argument of another function, too, as any size might be.
#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>

int main() {
  timespec now{};
  usleep(SYS_clock_gettime);
  return syscall(NUMBER, CLOCK_MONOTONIC, &now) == -1 ? 1 : 0;
}
