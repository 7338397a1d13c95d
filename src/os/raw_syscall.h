// System calls without the C library: no library can interpose them, they are no cancellation
// points, and errno stays as it is.
#pragma once

#include <sys/syscall.h>

#include "base/attributes.h"

namespace clockshim {

// Returns the kernel's result: a negative errno on failure.
inline long raw_syscall(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0,
                        long f = 0) noexcept {
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

template <class T>
long raw_syscall(long number, T* a, long b = 0, long c = 0, long d = 0) noexcept {
  return raw_syscall(number, reinterpret_cast<long>(a), b, c, d);
}

}  // namespace clockshim
