// What GCC's C++ library, and hosts that were compiled with glibc's headers, ask of a C library and
// musl does not have. Debian has no C++ library for musl; with these the one for glibc does, as far
// as the hosts need it: the rest is the same in both C libraries on x86-64.
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// "Not known": then atomics are used.
char __libc_single_threaded = 0;

// "Not found": then dl_iterate_phdr(3) is asked.
int _dl_find_object(void* address, void* result) {
  (void)address;
  (void)result;
  return -1;
}

uint32_t arc4random(void) {
  uint32_t number = 0;
  while (getrandom(&number, sizeof number, 0) != sizeof number) {
  }
  return number;
}

int epoll_pwait2(int epoll, struct epoll_event* events, int most, const struct timespec* limit,
                 const sigset_t* mask) {
  return (int)syscall(SYS_epoll_pwait2, epoll, events, most, limit, mask, _NSIG / 8);
}
