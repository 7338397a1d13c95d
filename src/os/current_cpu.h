// Reads the counter together with the CPU that it is of. There are two ways, and one is chosen at
// start: the rseq area of glibc 2.35 and later, in which the kernel keeps the number, or rdtscp's
// TSC_AUX.
#pragma once

#include <cstddef>
#include <cstdint>

#include "arch/counter.h"
#include "base/attributes.h"

namespace clockshim {

class CpuCounter {
 public:
  // Chooses the way, and checks that its answer is right here. It calls getcpu: at start
  // only. False: CPUs can't be told apart (an old C library, or registration refused, and no
  // rdtscp, or one whose TSC_AUX is wrong).
  bool find() noexcept;

  [[nodiscard]] CLOCKSHIM_INLINE Reading ordered() const noexcept {
    if (CLOCKSHIM_LIKELY(how_ == How::rseq)) return Arch::ordered_here(area_);
    return how_ == How::aux ? Arch::by_aux() : Reading{Arch::ordered(), 0};
  }
  [[nodiscard]] CLOCKSHIM_INLINE Reading unordered() const noexcept {
    if (CLOCKSHIM_LIKELY(how_ == How::rseq)) return Arch::unordered_here(area_);
    return how_ == How::aux ? Arch::by_aux() : Reading{Arch::unordered(), 0};
  }

 private:
  enum class How : std::uint8_t { none, rseq, aux };
  How how_ = How::none;
  std::ptrdiff_t area_ = 0;  // the rseq area's offset from the thread pointer
};

}  // namespace clockshim
