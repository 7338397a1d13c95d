#include "arch/cpu_features.h"

#include <cpuid.h>

namespace clockshim {

bool counter_invariant() noexcept {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid(0x80000007U, &a, &b, &c, &d) != 0 && (d >> 8 & 1U) != 0;
}

}  // namespace clockshim
