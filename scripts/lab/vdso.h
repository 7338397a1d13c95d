// Changes a process's vDSO so that the dear clocks are system calls and the coarse ones stay what
// they are: for slowclock, which calls change() while the process is stopped behind its exec. The
// vDSO's code is not touched. Two short functions are put into the zeros behind its image, and the
// symbols of the two that read the clock are pointed there.
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <string_view>
#include <vector>

#include <elf.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "cli/inject/dynamic_image.h"
#include "cli/inject/vdso.h"
#include "symbolize/x86_instruction.h"

namespace vdso {

// The dear clocks as bits: what is not among them goes on to the vDSO's own function.
inline constexpr std::uint32_t dear_clocks = 1U << CLOCK_REALTIME | 1U << CLOCK_MONOTONIC |
                                             1U << CLOCK_MONOTONIC_RAW | 1U << CLOCK_BOOTTIME |
                                             1U << CLOCK_TAI;
static_assert(dear_clocks == 0x893);

// What stands for the vDSO's clock_gettime and gettimeofday. Each makes its system call `calls`
// times; the kernel keeps the arguments.
inline constexpr std::array<unsigned char, 54> code{
    0x83, 0xff, 0x1f,              //  0 cmp edi, 31
    0x77, 0x1b,                    //  3 ja 32
    0xb8, 0x93, 0x08, 0x00, 0x00,  //  5 mov eax, dear_clocks
    0x0f, 0xa3, 0xf8,              // 10 bt eax, edi
    0x73, 0x11,                    // 13 jnc 32
    0xba, 0x00, 0x00, 0x00, 0x00,  // 15 mov edx, calls
    0xb8, 0xe4, 0x00, 0x00, 0x00,  // 20 mov eax, SYS_clock_gettime
    0x0f, 0x05,                    // 25 syscall
    0xff, 0xca,                    // 27 dec edx
    0x75, 0xf5,                    // 29 jnz 20
    0xc3,                          // 31 ret
    0xe9, 0x00, 0x00, 0x00, 0x00,  // 32 jmp to the vDSO's own, by the distance from 37
    0xba, 0x00, 0x00, 0x00, 0x00,  // 37 mov edx, calls
    0xb8, 0x60, 0x00, 0x00, 0x00,  // 42 mov eax, SYS_gettimeofday
    0x0f, 0x05,                    // 47 syscall
    0xff, 0xca,                    // 49 dec edx
    0x75, 0xf5,                    // 51 jnz 42
    0xc3,                          // 53 ret
};
inline constexpr unsigned long gettimeofday_at = 37, jump_from = 37, distance_at = 33,
                               calls_at[] = {16, 38};
static_assert(SYS_clock_gettime == 0xe4 && SYS_gettimeofday == 0x60);

inline long peek(pid_t pid, unsigned long at) { return ptrace(PTRACE_PEEKDATA, pid, at, nullptr); }

// Memory that the program itself may not write, such as the vDSO's: its process gets a copy of the
// page.
inline bool poke(pid_t pid, unsigned long at, const void* from, std::size_t size) {
  constexpr std::size_t word = sizeof(long);
  const auto* bytes = static_cast<const unsigned char*>(from);
  for (std::size_t done = 0; done < size; done += word) {
    errno = 0;
    long value = peek(pid, at + done);
    if (errno != 0) return false;
    std::memcpy(&value, bytes + done, std::min(word, size - done));
    if (ptrace(PTRACE_POKEDATA, pid, at + done, value) != 0) return false;
  }
  return true;
}

// Puts the code into the zeros behind the vDSO's image, and lets the symbols of its two functions
// point there. Libraries find them by these symbols, and none has looked yet. `calls`: system calls
// a reading makes, from 1 on. False: not a vDSO as expected, or no room; it is then as it was.
inline bool change(pid_t pid, const clockshim::cli::Vdso& vdso, int calls) {
  using clockshim::cli::DynamicImage;
  constexpr unsigned long room = 64;
  static_assert(code.size() <= room);
  const DynamicImage image(vdso.bytes);
  const unsigned long own = image.find("__vdso_clock_gettime");
  const unsigned long at = vdso.bytes.size() - room;
  if (own == 0 || at < image.size()) return false;
  if (std::any_of(vdso.bytes.begin() + long(at), vdso.bytes.end(),
                  [](std::byte b) { return b != std::byte{0}; }))
    return false;
  for (const DynamicImage::Symbol& symbol : image.symbols()) {
    std::string_view name = symbol.name;
    if (name.starts_with("__vdso_")) name.remove_prefix(7);
    if (name != "clock_gettime" && name != "gettimeofday") continue;
    const Elf64_Addr value = at + (name == "gettimeofday" ? gettimeofday_at : 0);
    if (!poke(pid, vdso.at + symbol.value_at, &value, sizeof value)) return false;
  }
  auto adapted = code;
  const auto distance = std::int32_t(own - (at + jump_from));
  std::memcpy(&adapted[distance_at], &distance, sizeof distance);
  for (const unsigned long place : calls_at) std::memcpy(&adapted[place], &calls, sizeof calls);
  return poke(pid, vdso.at + at, adapted.data(), adapted.size());
}

// Lets the vDSO's own clock_gettime make the system call, as it does where it can't read the
// clocksource: its first branch, which leaves clocks that it does not know to the kernel (cmp $n,
// %edi; ja), is always taken. The symbols, and the function's beginning, stay as they are. So do
// gettimeofday and the coarse clocks, but for the latter being system calls, too. False: it has no
// such branch; it is then as it was.
inline bool fall_back(pid_t pid, const clockshim::cli::Vdso& vdso) {
  const auto function = clockshim::cli::find_function(vdso, "clock_gettime");
  constexpr std::size_t farthest = 64;
  for (std::size_t at = 0; at + 6 < std::min(farthest, function.code.size());) {
    const auto now = clockshim::decode_x86(function.code.subspan(at));
    if (now.length == 0) return false;
    constexpr std::uint8_t above = 7;
    if (now.opcode == clockshim::X86Instruction::kJcc && now.condition == above) {
      const std::array<unsigned char, 2> near{0x90, 0xe9};  // nop; jmp, for ja
      const std::array<unsigned char, 1> shorter{0xeb};
      return now.length == 2 ? poke(pid, function.at + at, shorter.data(), shorter.size())
                             : poke(pid, function.at + at, near.data(), near.size());
    }
    at += now.length;
  }
  return false;
}

}  // namespace vdso
