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
#include <sys/uio.h>

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

template <class T>
bool fetch(pid_t pid, unsigned long at, T* to, std::size_t count = 1) {
  const iovec own{to, count * sizeof(T)}, theirs{reinterpret_cast<void*>(at), count * sizeof(T)};
  return process_vm_readv(pid, &own, 1, &theirs, 1, 0) == ssize_t(count * sizeof(T));
}

// Puts the code into the zeros behind the vDSO's image, and lets the symbols of its two functions
// point there. Libraries find them by these symbols, and none has looked yet. `calls`: system calls
// a reading makes, from 1 on. False: not a vDSO as expected, or no room; it is then as it was.
inline bool change(pid_t pid, unsigned long base, int calls) {
  constexpr unsigned long page = 4096, room = 64;
  static_assert(code.size() <= room);
  Elf64_Ehdr header{};
  if (!fetch(pid, base, &header)) return false;
  std::vector<Elf64_Phdr> segments(header.e_phnum);
  if (!fetch(pid, base + header.e_phoff, segments.data(), segments.size())) return false;
  unsigned long end = 0, symbols = 0, strings = 0, strings_size = 0;
  std::vector<Elf64_Dyn> dynamic;
  for (const auto& segment : segments) {
    if (segment.p_type == PT_LOAD && segment.p_vaddr != segment.p_offset) return false;
    if (segment.p_type == PT_LOAD) end = segment.p_vaddr + segment.p_memsz;
    if (segment.p_type == PT_DYNAMIC) dynamic.resize(segment.p_filesz / sizeof(Elf64_Dyn));
    if (segment.p_type == PT_DYNAMIC &&
        !fetch(pid, base + segment.p_vaddr, dynamic.data(), dynamic.size()))
      return false;
  }
  for (const auto& entry : dynamic) {
    if (entry.d_tag == DT_SYMTAB) symbols = entry.d_un.d_ptr;
    if (entry.d_tag == DT_STRTAB) strings = entry.d_un.d_ptr;
    if (entry.d_tag == DT_STRSZ) strings_size = entry.d_un.d_val;
  }
  if (end == 0 || symbols == 0 || strings <= symbols || strings_size == 0) return false;

  const unsigned long at = (end + page - 1) / page * page - room;
  std::array<char, room> behind{};
  if (at < end || !fetch(pid, base + at, behind.data(), room)) return false;
  if (std::any_of(behind.begin(), behind.end(), [](char c) { return c != 0; })) return false;

  std::vector<Elf64_Sym> table(
      (strings - symbols) / sizeof(Elf64_Sym));  // every kernel lets the strings follow the symbols
  std::vector<char> names(strings_size + 1);
  if (!fetch(pid, base + symbols, table.data(), table.size()) ||
      !fetch(pid, base + strings, names.data(), strings_size))
    return false;
  unsigned long own = 0;
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (table[i].st_name >= strings_size) return false;
    std::string_view name{&names[table[i].st_name]};
    if (name.starts_with("__vdso_")) name.remove_prefix(7);
    if (name != "clock_gettime" && name != "gettimeofday") continue;
    if (name == "clock_gettime") own = table[i].st_value;
    const Elf64_Addr value = at + (name == "gettimeofday" ? gettimeofday_at : 0);
    if (!poke(pid, base + symbols + i * sizeof(Elf64_Sym) + offsetof(Elf64_Sym, st_value), &value,
              sizeof value))
      return false;
  }
  auto adapted = code;
  const auto distance = std::int32_t(own - (at + jump_from));
  std::memcpy(&adapted[distance_at], &distance, sizeof distance);
  for (const unsigned long place : calls_at) std::memcpy(&adapted[place], &calls, sizeof calls);
  return own != 0 && poke(pid, base + at, adapted.data(), adapted.size());
}

}  // namespace vdso
