// x86-64: the time stamp counter.
//
// rdtsc is not ordered after earlier loads: it may execute while an earlier load is still under
// way, and so return a value older than what that load saw (Intel SDM vol. 2B, RDTSC; AMD APM vol.
// 3, RDTSC). lfence waits for all earlier instructions to complete (on AMD with the
// dispatch-serialising bit, which Linux sets). No fence is needed after it, because a later store
// becomes visible only after rdtsc has retired. rdtscp waits for earlier loads by itself, and reads
// the CPU's number with the same instruction.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/attributes.h"
#include "base/ticks.h"

// A restartable sequence around one counter instruction: its descriptor, the store of its address
// into the thread's rseq area, the sequence, and its abort handler, which must be preceded by the
// signature that the C library registered (linux/rseq.h, sys/rseq.h). The handler does not restart
// the sequence: a thread that is single-stepped is interrupted at each instruction, and would never
// get out. It reads the counter with the CPU unknown, and returns kNoCpu for it.
#define CLOCKSHIM_RSEQ(COUNTER, LOW, HIGH, CPU, AREA)                                       \
  asm volatile(                                                                             \
      ".pushsection __rseq_cs, \"aw\"\n\t.balign 32\n"                                      \
      "881:\n\t.long 0, 0\n\t.quad 882f, 883f - 882f, 884f\n\t.popsection\n\t"              \
      ".pushsection __rseq_failure, \"ax\"\n\t.byte 0x0f, 0xb9, 0x3d\n\t.long 0x53053053\n" \
      "884:\n\t" COUNTER                                                                    \
      "\n\tmovl %4, %2\n\tjmp 883f\n\t.popsection\n\t"                                      \
      "leaq 881b(%%rip), %%rax\n\tmovq %%rax, %%fs:8(%3)\n"                                 \
      "882:\n\tmovl %%fs:4(%3), %2\n\t" COUNTER                                             \
      "\n"                                                                                  \
      "883:\n"                                                                              \
      : "=&a"(LOW), "=&d"(HIGH), "=&r"(CPU)                                                 \
      : "r"(AREA), "i"(kNoCpu)                                                              \
      : "memory")

namespace clockshim {

struct CounterX86_64 {
  // rdtsc clears the upper halves of rax and rdx (Intel SDM, volume 2, RDTSC), so they are taken as
  // 64-bit words, and nothing has to be extended.
  static CLOCKSHIM_INLINE Ticks ordered() noexcept {
    std::uint64_t low;
    std::uint64_t high;
    asm volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    return whole(high, low);
  }

  static CLOCKSHIM_INLINE Ticks unordered() noexcept {
    std::uint64_t low;
    std::uint64_t high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return whole(high, low);
  }

  // Makes the next unordered() an ordered one.
  static CLOCKSHIM_INLINE void fence() noexcept { asm volatile("lfence" : : : "memory"); }

  // Reads the counter and the number of its CPU, from the rseq area that the C library registered
  // for this thread `area` bytes from the thread pointer (rseq(2); glibc 2.35). Both are read in a
  // restartable sequence: if the thread is preempted between the two, the kernel makes it jump to
  // the abort handler, and the CPU is kNoCpu. So the two always belong together.
  static CLOCKSHIM_INLINE Reading ordered_here(std::ptrdiff_t area) noexcept {
    std::uint64_t low;
    std::uint64_t high;
    std::uint32_t cpu;
    CLOCKSHIM_RSEQ("lfence\n\trdtsc", low, high, cpu, area);
    return {whole(high, low), cpu};
  }
  static CLOCKSHIM_INLINE Reading unordered_here(std::ptrdiff_t area) noexcept {
    std::uint64_t low;
    std::uint64_t high;
    std::uint32_t cpu;
    CLOCKSHIM_RSEQ("rdtsc", low, high, cpu, area);
    return {whole(high, low), cpu};
  }

  // Reads both by rdtscp. Linux keeps the CPU's number in the low 12 bits of TSC_AUX. Ordered.
  static CLOCKSHIM_INLINE Reading by_aux() noexcept {
    std::uint64_t low;
    std::uint64_t high;
    std::uint32_t aux;
    asm volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux) : : "memory");
    return {whole(high, low), aux & 0xfffU};
  }

  static CLOCKSHIM_INLINE void increment(std::uint64_t& count) noexcept {
    asm volatile("incq %0" : "+m"(count) : : "cc");
  }

  // GCC before 11, and clang before 15, have no built-in function for it on this CPU. The first
  // word there is its own address.
  static CLOCKSHIM_INLINE std::uintptr_t thread_pointer() noexcept {
#if defined(__clang__) || __GNUC__ < 11
    std::uintptr_t pointer;
    asm("movq %%fs:0, %0" : "=r"(pointer));
    return pointer;
#else
    return reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer());
#endif
  }

  // Loads the word that lies `Below` bytes below the thread pointer, before a fence() that follows.
  template <std::ptrdiff_t Below>
  static CLOCKSHIM_INLINE std::uintptr_t word_of_thread() noexcept {
    std::uintptr_t word;
    asm volatile("movq %%fs:%c1, %0" : "=r"(word) : "i"(-Below));
    return word;
  }

  // Compare-and-swap without the lock prefix: it is one step for the signal handlers of this
  // thread, but not for other CPUs.
  static CLOCKSHIM_INLINE bool exchange_here(std::atomic<std::int64_t>& word,
                                             std::int64_t& expected,
                                             std::int64_t desired) noexcept {
    bool done;
    asm volatile("cmpxchgq %3, %1"
                 : "=@ccz"(done), "+m"(reinterpret_cast<std::int64_t&>(word)), "+a"(expected)
                 : "r"(desired)
                 : "memory");
    return done;
  }

  // Sets the second of two neighbouring words, aligned to 16 bytes, to `desired` if they are
  // `first` and `second`, in one atomic step.
  static bool exchange_second(std::atomic<std::uint64_t>& pair, std::uint64_t first,
                              std::uint64_t second, std::uint64_t desired) noexcept {
    struct Pair {
      std::uint64_t words[2];
    };
    bool done;
    std::uint64_t low = first;
    std::uint64_t high = second;
    asm volatile("lock cmpxchg16b %1"
                 : "=@ccz"(done), "+m"(reinterpret_cast<Pair&>(pair)), "+a"(low), "+d"(high)
                 : "b"(first), "c"(desired)
                 : "memory");
    return done;
  }

 private:
  static CLOCKSHIM_INLINE Ticks whole(std::uint64_t high, std::uint64_t low) noexcept {
    return Ticks{high << 32 | low};
  }
};

}  // namespace clockshim
