#include "os/real_clock.h"

#include <elf.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace clockshim::real {
namespace {

constinit std::atomic<ClockGettime> g_next_clock_gettime{nullptr};
constinit std::atomic<Gettimeofday> g_next_gettimeofday{nullptr};
constinit std::atomic<TimespecGet> g_next_timespec_get{nullptr};
constinit std::atomic<TimespecGet> g_c_timespec_get{nullptr};

struct Vdso {
  ClockGettime clock_gettime = nullptr;
  Gettimeofday gettimeofday = nullptr;
};

// It is inline, because the C library's syscall() sets errno, and the host may interpose it.
long raw_syscall(long number, long first, long second) noexcept {
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(first), "S"(second)
               : "rcx", "r11", "memory");
  return result;
}

// Looks up one function in the dynamic symbols of the vDSO image at `base`. DT_HASH gives the
// number of symbols. Without it, the symbol table is assumed to end where the string table starts,
// as every kernel lays it out.
void* vdso_symbol(std::uintptr_t base, const char* wanted) noexcept {
  const auto* header = reinterpret_cast<const Elf64_Ehdr*>(base);
  const auto* program = reinterpret_cast<const Elf64_Phdr*>(base + header->e_phoff);
  std::uintptr_t bias = 0;
  const Elf64_Dyn* dynamic = nullptr;
  for (unsigned i = 0; i < header->e_phnum; ++i) {
    if (program[i].p_type == PT_LOAD) bias = base + program[i].p_offset - program[i].p_vaddr;
    if (program[i].p_type == PT_DYNAMIC)
      dynamic = reinterpret_cast<const Elf64_Dyn*>(base + program[i].p_offset);
  }
  if (dynamic == nullptr) return nullptr;

  const Elf64_Sym* symbols = nullptr;
  const char* strings = nullptr;
  const Elf64_Word* hash = nullptr;
  for (; dynamic->d_tag != DT_NULL; ++dynamic) {
    const auto address = bias + dynamic->d_un.d_ptr;
    if (dynamic->d_tag == DT_SYMTAB) symbols = reinterpret_cast<const Elf64_Sym*>(address);
    if (dynamic->d_tag == DT_STRTAB) strings = reinterpret_cast<const char*>(address);
    if (dynamic->d_tag == DT_HASH) hash = reinterpret_cast<const Elf64_Word*>(address);
  }
  if (symbols == nullptr || strings == nullptr) return nullptr;
  const auto table_bytes =
      reinterpret_cast<std::uintptr_t>(strings) - reinterpret_cast<std::uintptr_t>(symbols);
  const std::size_t count = hash != nullptr ? hash[1] : table_bytes / sizeof(Elf64_Sym);
  for (std::size_t i = 0; i < count; ++i) {
    const auto& symbol = symbols[i];
    if (symbol.st_shndx == SHN_UNDEF || ELF64_ST_TYPE(symbol.st_info) != STT_FUNC) continue;
    if (std::strcmp(strings + symbol.st_name, wanted) == 0)
      return reinterpret_cast<void*>(bias + symbol.st_value);
  }
  return nullptr;
}

// The functions are looked up once. Concurrent first calls find the same, so a race costs a second
// look-up and nothing else.
Vdso vdso() noexcept {
  static std::atomic<bool> known;
  static std::atomic<ClockGettime> clock_gettime_entry;
  static std::atomic<Gettimeofday> gettimeofday_entry;
  if (!known.load(std::memory_order_acquire)) {
    const int saved_errno = errno;  // getauxval sets it where the kernel gave no vDSO
    const auto base = getauxval(AT_SYSINFO_EHDR);
    errno = saved_errno;
    if (base != 0) {
      clock_gettime_entry.store(
          reinterpret_cast<ClockGettime>(vdso_symbol(base, "__vdso_clock_gettime")),
          std::memory_order_relaxed);
      gettimeofday_entry.store(
          reinterpret_cast<Gettimeofday>(vdso_symbol(base, "__vdso_gettimeofday")),
          std::memory_order_relaxed);
    }
    known.store(true, std::memory_order_release);
  }
  return Vdso{clock_gettime_entry.load(std::memory_order_relaxed),
              gettimeofday_entry.load(std::memory_order_relaxed)};
}

long kernel_clock_gettime(clockid_t id, timespec* tp) noexcept {
  const Vdso entries = vdso();
  long result = -ENOSYS;
  if (entries.clock_gettime != nullptr) result = entries.clock_gettime(id, tp);
  if (result == -ENOSYS) result = raw_syscall(SYS_clock_gettime, id, reinterpret_cast<long>(tp));
  return result;
}

int with_errno(long result) noexcept {
  if (result >= 0) return static_cast<int>(result);
  errno = static_cast<int>(-result);
  return -1;
}

}  // namespace

void chain_to(const Functions& functions) noexcept {
  g_next_clock_gettime.store(functions.clock_gettime, std::memory_order_relaxed);
  g_next_gettimeofday.store(functions.gettimeofday, std::memory_order_relaxed);
  g_next_timespec_get.store(functions.timespec_get, std::memory_order_relaxed);
  g_c_timespec_get.store(functions.c_timespec_get, std::memory_order_relaxed);
}

int clock_gettime(clockid_t id, timespec* tp) noexcept {
  if (const auto next = g_next_clock_gettime.load(std::memory_order_relaxed)) return next(id, tp);
  return with_errno(kernel_clock_gettime(id, tp));
}

int gettimeofday(timeval* tv, void* tz) noexcept {
  if (const auto next = g_next_gettimeofday.load(std::memory_order_relaxed)) return next(tv, tz);
  const Vdso entries = vdso();
  if (entries.gettimeofday != nullptr) return entries.gettimeofday(tv, tz);
  return with_errno(
      raw_syscall(SYS_gettimeofday, reinterpret_cast<long>(tv), reinterpret_cast<long>(tz)));
}

int timespec_get(timespec* ts, int base) noexcept {
  if (const auto next = g_next_timespec_get.load(std::memory_order_relaxed)) return next(ts, base);
  if (base == TIME_UTC) {
    with_errno(kernel_clock_gettime(CLOCK_REALTIME, ts));
    return base;
  }
  const auto own = g_c_timespec_get.load(std::memory_order_relaxed);
  return own != nullptr ? own(ts, base) : 0;
}

bool read(clockid_t id, Nanos& out) noexcept {
  timespec t{};
  if (kernel_clock_gettime(id, &t) != 0) return false;
  out = from_timespec(t);
  return true;
}

bool has_vdso() noexcept { return vdso().clock_gettime != nullptr; }

}  // namespace clockshim::real
