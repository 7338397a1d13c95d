#include "arch/cpu_features.h"

#include <cpuid.h>

namespace clockshim {
namespace {

struct Leaf {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
};

Leaf leaf(unsigned number) noexcept {
  Leaf l;
  __get_cpuid(number, &l.a, &l.b, &l.c, &l.d);
  return l;
}

}  // namespace

bool counter_invariant() noexcept { return (leaf(0x80000007U).d >> 8 & 1U) != 0; }
bool counter_tells_cpu() noexcept { return (leaf(0x80000001U).d >> 27 & 1U) != 0; }
bool in_virtual_machine() noexcept { return (leaf(1).c >> 31 & 1U) != 0; }

}  // namespace clockshim
