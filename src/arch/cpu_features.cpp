#include "arch/cpu_features.h"

#include <cpuid.h>

#include <cstring>

namespace clockshim {

CpuFeatures cpu_features() noexcept {
  CpuFeatures features;
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) != 0) {
    features.counter = (d >> 4 & 1U) != 0;
    features.hypervisor = (c >> 31 & 1U) != 0;
  }
  if (__get_cpuid(0x80000007U, &a, &b, &c, &d) != 0) features.counter_invariant = (d >> 8 & 1U) != 0;
  for (unsigned leaf = 0; leaf < 3; ++leaf) {
    if (__get_cpuid(0x80000002U + leaf, &a, &b, &c, &d) == 0) break;
    const unsigned words[4] = {a, b, c, d};
    std::memcpy(features.brand + leaf * sizeof words, words, sizeof words);
  }
  return features;
}

}  // namespace clockshim
