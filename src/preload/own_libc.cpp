// Functions of the C library that the library uses, defined again for the library alone; the map
// file hides them from the host. So no library that comes before the C library sees our calls: no
// sanitizer of the host (MSan's memcmp() and write() check memory that we wrote, and end the host
// with its exit status), no libfaketime, no file that fakeroot invents. And none of our system
// calls is a cancellation point.
//
// The libraries that we link (libstdc++, fmt, spdlog) use these, too.
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "base/attributes.h"
#include "os/raw_syscall.h"

namespace {

using clockshim::raw_syscall;

template <class T>
long word(T* pointer) noexcept {
  return reinterpret_cast<long>(pointer);
}

long with_errno(long result) noexcept {
  if (result >= 0 || result < -4095) return result;
  errno = static_cast<int>(-result);
  return -1;
}

int number(long result) noexcept { return static_cast<int>(with_errno(result)); }

// Without this attribute the compiler would turn the loop into a call of the function that it is
// in.
template <class T>
T* opaque(T* pointer) noexcept {
  asm("" : "+r"(pointer));
  return pointer;
}

}  // namespace

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library's own names are
// reserved
extern "C" {

// libstdc++ counts references without atomics while the C library says that there is one thread. It
// says so from 2.32 on, and here never.
CLOCKSHIM_HIDDEN constinit char __libc_single_threaded = 0;

void* memcpy(void* __restrict to, const void* __restrict from, std::size_t size) noexcept {
  void* at = to;
  asm volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(size) : : "memory");
  return to;
}

void* memmove(void* to, const void* from, std::size_t size) noexcept {
  if (reinterpret_cast<std::uintptr_t>(to) - reinterpret_cast<std::uintptr_t>(from) >= size)
    return memcpy(to, from, size);
  void* at = static_cast<char*>(to) + size - 1;
  const void* last = static_cast<const char*>(from) + size - 1;
  asm volatile("std\n rep movsb\n cld" : "+D"(at), "+S"(last), "+c"(size) : : "memory", "cc");
  return to;
}

void* memset(void* to, int byte, std::size_t size) noexcept {
  void* at = to;
  asm volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(byte) : "memory");
  return to;
}

int memcmp(const void* a, const void* b, std::size_t size) noexcept {
  const auto* x = static_cast<const unsigned char*>(a);
  const auto* y = static_cast<const unsigned char*>(b);
  for (; size != 0; --size, ++x, ++y) {
    x = opaque(x);
    if (*x != *y) return *x - *y;
  }
  return 0;
}

// C++ declares these three in two forms each.
void* find_byte(const void* s, int byte, std::size_t size) noexcept asm("memchr");
char* find_first(const char* s, int byte) noexcept asm("strchr");
char* find_last(const char* s, int byte) noexcept asm("strrchr");

void* find_byte(const void* s, int byte, std::size_t size) noexcept {
  const auto* at = static_cast<const unsigned char*>(s);
  for (; size != 0; --size, ++at) {
    at = opaque(at);
    if (*at == static_cast<unsigned char>(byte)) return const_cast<unsigned char*>(at);
  }
  return nullptr;
}

std::size_t strnlen(const char* s, std::size_t most) noexcept {
  std::size_t length = 0;
  while (length < most && *opaque(s + length) != '\0') ++length;
  return length;
}

std::size_t strlen(const char* s) noexcept { return strnlen(s, SIZE_MAX); }

int strncmp(const char* a, const char* b, std::size_t most) noexcept {
  for (; most != 0; --most, ++a, ++b) {
    a = opaque(a);
    const auto x = static_cast<unsigned char>(*a);
    const auto y = static_cast<unsigned char>(*b);
    if (x != y || x == 0) return x - y;
  }
  return 0;
}

int strcmp(const char* a, const char* b) noexcept { return strncmp(a, b, SIZE_MAX); }

char* find_first(const char* s, int byte) noexcept {
  for (;; ++s) {
    s = opaque(s);
    if (*s == static_cast<char>(byte)) return const_cast<char*>(s);
    if (*s == '\0') return nullptr;
  }
}

char* find_last(const char* s, int byte) noexcept {
  const char* found = nullptr;
  for (;; ++s) {
    s = opaque(s);
    if (*s == static_cast<char>(byte)) found = s;
    if (*s == '\0') return const_cast<char*>(found);
  }
}

char* strncpy(char* __restrict to, const char* __restrict from, std::size_t size) noexcept {
  const std::size_t length = strnlen(from, size);
  memcpy(to, from, length);
  memset(to + length, 0, size - length);
  return to;
}

// libstdc++'s demangler writes whole numbers with it, "%d" and "%ld", and nothing else.
int sprintf(char* out, const char* format, ...) noexcept {
  va_list arguments;
  va_start(arguments, format);
  const bool wide = format[1] == 'l';
  const long value = wide ? va_arg(arguments, long) : va_arg(arguments, int);
  va_end(arguments);
  char digits[24];
  int count = 0;
  auto rest =
      value < 0 ? 0UL - static_cast<unsigned long>(value) : static_cast<unsigned long>(value);
  do {
    digits[count++] = static_cast<char>('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  char* at = out;
  if (value < 0) *at++ = '-';
  while (count > 0) *at++ = digits[--count];
  for (const char* tail = format + (wide ? 3 : 2); *tail != '\0'; ++tail) *at++ = *tail;
  *at = '\0';
  return static_cast<int>(at - out);
}

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const unsigned mode = (flags & O_CREAT) != 0 ? va_arg(arguments, unsigned) : 0;
  va_end(arguments);
  return number(raw_syscall(SYS_openat, AT_FDCWD, word(path), flags, mode));
}

int openat(int folder, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const unsigned mode = (flags & O_CREAT) != 0 ? va_arg(arguments, unsigned) : 0;
  va_end(arguments);
  return number(raw_syscall(SYS_openat, folder, word(path), flags, mode));
}

int close(int fd) { return number(raw_syscall(SYS_close, fd)); }
ssize_t read(int fd, void* to, std::size_t size) {
  return with_errno(raw_syscall(SYS_read, fd, word(to), static_cast<long>(size)));
}
ssize_t pread(int fd, void* to, std::size_t size, off_t at) {
  return with_errno(raw_syscall(SYS_pread64, fd, word(to), static_cast<long>(size), at));
}
ssize_t write(int fd, const void* from, std::size_t size) {
  return with_errno(raw_syscall(SYS_write, fd, word(from), static_cast<long>(size)));
}
ssize_t send(int fd, const void* from, std::size_t size, int flags) {
  return with_errno(raw_syscall(SYS_sendto, fd, word(from), static_cast<long>(size), flags));
}
off_t lseek(int fd, off_t at, int from) noexcept {
  return with_errno(raw_syscall(SYS_lseek, fd, at, from));
}
int ftruncate(int fd, off_t size) noexcept { return number(raw_syscall(SYS_ftruncate, fd, size)); }
int fallocate(int fd, int mode, off_t at, off_t size) {
  return number(raw_syscall(SYS_fallocate, fd, mode, at, size));
}
int fstat(int fd, struct stat* out) noexcept {
  return number(raw_syscall(SYS_fstat, fd, word(out)));
}
int stat(const char* path, struct stat* out) noexcept {
  return number(raw_syscall(SYS_stat, path, word(out)));
}
int lstat(const char* path, struct stat* out) noexcept {
  return number(raw_syscall(SYS_lstat, path, word(out)));
}
int fstatfs(int fd, struct statfs* out) noexcept {
  return number(raw_syscall(SYS_fstatfs, fd, word(out)));
}
int access(const char* path, int how) noexcept {
  return number(raw_syscall(SYS_access, path, how));
}
int mkdir(const char* path, mode_t mode) noexcept {
  return number(raw_syscall(SYS_mkdir, path, mode));
}
int chmod(const char* path, mode_t mode) noexcept {
  return number(raw_syscall(SYS_chmod, path, mode));
}
int unlink(const char* path) noexcept { return number(raw_syscall(SYS_unlink, path)); }
int unlinkat(int folder, const char* path, int flags) noexcept {
  return number(raw_syscall(SYS_unlinkat, folder, word(path), flags));
}
int renameat2(int from_folder, const char* from, int to_folder, const char* to,
              unsigned flags) noexcept {
  return number(raw_syscall(SYS_renameat2, from_folder, word(from), to_folder, word(to), flags));
}
ssize_t readlink(const char* path, char* to, std::size_t size) noexcept {
  return with_errno(raw_syscall(SYS_readlink, path, word(to), static_cast<long>(size)));
}
ssize_t readlinkat(int folder, const char* path, char* to, std::size_t size) noexcept {
  return with_errno(
      raw_syscall(SYS_readlinkat, folder, word(path), word(to), static_cast<long>(size)));
}
int symlink(const char* target, const char* path) noexcept {
  return number(raw_syscall(SYS_symlink, target, word(path)));
}
int shmget(key_t key, std::size_t size, int flags) noexcept {
  return number(raw_syscall(SYS_shmget, key, static_cast<long>(size), flags));
}
void* shmat(int id, const void* at, int flags) noexcept {
  return reinterpret_cast<void*>(with_errno(raw_syscall(SYS_shmat, id, word(at), flags)));
}
int shmdt(const void* at) noexcept { return number(raw_syscall(SYS_shmdt, word(at))); }
int shmctl(int id, int command, shmid_ds* facts) noexcept {
  return number(raw_syscall(SYS_shmctl, id, command, word(facts)));
}
void* mmap(void* at, std::size_t size, int protection, int flags, int fd, off_t offset) noexcept {
  return reinterpret_cast<void*>(with_errno(
      raw_syscall(SYS_mmap, word(at), static_cast<long>(size), protection, flags, fd, offset)));
}
void* mremap(void* at, std::size_t size, std::size_t to_size, int flags, ...) noexcept {
  va_list arguments;
  va_start(arguments, flags);
  const long to = (flags & MREMAP_FIXED) != 0 ? word(va_arg(arguments, void*)) : 0;
  va_end(arguments);
  return reinterpret_cast<void*>(with_errno(raw_syscall(
      SYS_mremap, word(at), static_cast<long>(size), static_cast<long>(to_size), flags, to)));
}
int munmap(void* at, std::size_t size) noexcept {
  return number(raw_syscall(SYS_munmap, at, static_cast<long>(size)));
}
int mprotect(void* at, std::size_t size, int protection) noexcept {
  return number(raw_syscall(SYS_mprotect, at, static_cast<long>(size), protection));
}
int madvise(void* at, std::size_t size, int advice) noexcept {
  return number(raw_syscall(SYS_madvise, at, static_cast<long>(size), advice));
}
int poll(pollfd* fds, nfds_t count, int millis) {
  return number(raw_syscall(SYS_poll, fds, static_cast<long>(count), millis));
}
pid_t getpid() noexcept { return static_cast<pid_t>(raw_syscall(SYS_getpid)); }
uid_t geteuid() noexcept { return static_cast<uid_t>(raw_syscall(SYS_geteuid)); }
int kill(pid_t pid, int signal) noexcept { return number(raw_syscall(SYS_kill, pid, signal)); }

// For fmt, which estimates decimal exponents with it (at most some 5,000 either way). It would be
// all that is used of libm.
double ceil(double value) noexcept {
  const auto whole = static_cast<double>(static_cast<long>(value));
  return whole < value ? whole + 1 : whole;
}

int gethostname(char* to, std::size_t size) noexcept {
  utsname names;
  const int result = number(raw_syscall(SYS_uname, &names));
  if (result == 0) strncpy(to, names.nodename, size);
  return result;
}
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
