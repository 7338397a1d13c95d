// Defines what a library might call at exit, as a program with an allocator of its own does, or a
// sanitizer. Once main() is over, or once a handler has interrupted malloc(), nobody may call any
// of it: the first who does is named, and ends the process with 97. "return": ends in good order.
// "handler": exit() in a handler that came while malloc() was holding its lock. "start": says how
// often somebody has allocated before main() and, in it, because it asks for the time.
#include <dlfcn.h>
#include <link.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "host.h"

namespace {

volatile bool over = false;
volatile bool interrupt = false;
long allocations = 0;

void called(const char* name) {
  if (!over) return;
  over = false;
  dprintf(1, "called %s()\n", name);
  _exit(97);
}

[[noreturn]] void end(int) {
  over = true;
  exit(7);
}

// The next definition, for those that are called before main() too.
template <class F>
F* next(const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {
void* __libc_malloc(size_t size);
void __libc_free(void* p);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* p, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

void* malloc(size_t size) {
  called("malloc");
  ++allocations;
  if (interrupt) raise(SIGUSR1);
  return __libc_malloc(size);
}
void free(void* p) {
  called("free");
  __libc_free(p);
}
void* calloc(size_t count, size_t size) {
  called("calloc");
  ++allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* p, size_t size) {
  called("realloc");
  ++allocations;
  return __libc_realloc(p, size);
}
void* memalign(size_t alignment, size_t size) {
  called("memalign");
  ++allocations;
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) {
  called("aligned_alloc");
  ++allocations;
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** p, size_t alignment, size_t size) {
  called("posix_memalign");
  ++allocations;
  *p = __libc_memalign(alignment, size);
  return *p == nullptr ? ENOMEM : 0;
}
int pthread_mutex_lock(pthread_mutex_t* mutex) {
  called("pthread_mutex_lock");
  static int (*real)(pthread_mutex_t*) = nullptr;
  if (real == nullptr) real = next<int(pthread_mutex_t*)>("pthread_mutex_lock");
  return real(mutex);
}

int snprintf(char* out, size_t size, const char* format, ...) {
  called("snprintf");
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(out, size, format, arguments);
  va_end(arguments);
  return length;
}
int fprintf(FILE*, const char*, ...) {
  called("fprintf");
  return 0;
}
int fputs(const char*, FILE*) {
  called("fputs");
  return 0;
}
size_t fwrite(const void*, size_t, size_t count, FILE*) {
  called("fwrite");
  return count;
}
char* strerror(int error) {
  called("strerror");
  return const_cast<char*>(strerrordesc_np(error));
}
char* getenv(const char* name) {
  called("getenv");
  return secure_getenv(name);
}
tm* localtime_r(const time_t*, tm* out) {
  called("localtime_r");
  return out;
}
tm* gmtime_r(const time_t*, tm* out) {
  called("gmtime_r");
  return out;
}
int dl_iterate_phdr(int (*callback)(dl_phdr_info*, size_t, void*), void* data) {
  called("dl_iterate_phdr");
  using Callback = int (*)(dl_phdr_info*, size_t, void*);
  static int (*real)(Callback, void*) = nullptr;
  if (real == nullptr) real = next<int(Callback, void*)>("dl_iterate_phdr");
  return real(callback, data);
}

// System calls: what stands before the C library's own looks at their arguments, as MSan does.
ssize_t write(int fd, const void* from, size_t size) {
  called("write");
  return syscall(SYS_write, fd, from, size);
}
ssize_t read(int fd, void* to, size_t size) {
  called("read");
  return syscall(SYS_read, fd, to, size);
}
int close(int fd) {
  called("close");
  return static_cast<int>(syscall(SYS_close, fd));
}
int open64(const char* path, int flags, ...) {
  called("open64");
  va_list arguments;
  va_start(arguments, flags);
  const int fd = static_cast<int>(syscall(SYS_open, path, flags, va_arg(arguments, int)));
  va_end(arguments);
  return fd;
}
int poll(pollfd* fds, nfds_t count, int millis) {
  called("poll");
  return static_cast<int>(syscall(SYS_poll, fds, count, millis));
}
int unlink(const char* path) {
  called("unlink");
  return static_cast<int>(syscall(SYS_unlink, path));
}
int munmap(void* at, size_t size) {
  called("munmap");
  return static_cast<int>(syscall(SYS_munmap, at, size));
}
}

int main(int argc, char** argv) {
  HOST_EXPECT(argc == 2);
  for (int i = 0; i < 5000; ++i) host_clock(CLOCK_MONOTONIC);
  if (strcmp(argv[1], "start") == 0) {
    host_say("allocations", allocations);
    return 7;
  }
  if (strcmp(argv[1], "handler") == 0) {
    signal(SIGUSR1, end);
    interrupt = true;
    free(malloc(100));
  }
  over = true;
  return 7;
}
