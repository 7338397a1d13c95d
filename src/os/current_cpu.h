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

  // Whether each reading can be told to be of some CPU, also one that was interrupted: that takes
  // rdtscp. After find(); it calls getcpu: at start only.
  [[nodiscard]] bool can_align() const noexcept;
  // From now on each reading is less the offset of its CPU's counter: `offsets` are `count` numbers
  // of ticks, the first CPU's first. At start, where can_align().
  void align(const std::int64_t* offsets, unsigned count) noexcept {
    offsets_ = offsets;
    offset_count_ = count;
  }

  [[nodiscard]] CLOCKSHIM_INLINE Reading ordered() const noexcept {
    if (CLOCKSHIM_LIKELY(how_ == How::rseq)) return aligned(Arch::ordered_here(area_));
    return how_ == How::aux ? aligned(Arch::by_aux()) : Reading{Arch::ordered(), 0};
  }
  [[nodiscard]] CLOCKSHIM_INLINE Reading unordered() const noexcept {
    if (CLOCKSHIM_LIKELY(how_ == How::rseq)) return aligned(Arch::unordered_here(area_));
    return how_ == How::aux ? aligned(Arch::by_aux()) : Reading{Arch::unordered(), 0};
  }

 private:
  [[nodiscard]] CLOCKSHIM_INLINE Reading aligned(Reading now) const noexcept {
    if (offsets_ == nullptr) return now;
    // A reading that was interrupted would be of no use without its CPU.
    if (CLOCKSHIM_UNLIKELY(now.cpu >= offset_count_)) {
      now = Arch::by_aux();
      if (now.cpu >= offset_count_) return {now.ticks + TickDelta{kNoOffset}, kNoCpu};
    }
    return {Ticks{now.ticks.raw() - static_cast<std::uint64_t>(offsets_[now.cpu])}, now.cpu};
  }

  enum class How : std::uint8_t { none, rseq, aux };
  How how_ = How::none;
  std::ptrdiff_t area_ = 0;  // the rseq area's offset from the thread pointer
  const std::int64_t* offsets_ = nullptr;
  unsigned offset_count_ = 0;
};

}  // namespace clockshim
