#include "callsite/wrappers.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "os/dynamic_symbols.h"
#include "os/executable_symbols.h"

namespace clockshim {
namespace {

constexpr std::array kWrappers = std::to_array<std::string_view>(
    {// libstdc++: system_clock, steady_clock (high_resolution_clock is the former), and their names
     // before GCC 5
     "_ZNSt6chrono3_V212system_clock3nowEv", "_ZNSt6chrono3_V212steady_clock3nowEv",
     "_ZNSt6chrono12system_clock3nowEv", "_ZNSt6chrono12steady_clock3nowEv",
     // libc++
     "_ZNSt3__16chrono12system_clock3nowEv", "_ZNSt3__16chrono12steady_clock3nowEv",
     // GLib, libuv, libev, libevent, APR, NSPR, SDL
     "g_get_monotonic_time", "g_get_real_time", "g_get_current_time", "uv_hrtime", "uv__hrtime",
     "ev_time", "evutil_gettime_monotonic", "evutil_gettimeofday", "apr_time_now", "PR_Now",
     "PR_IntervalNow", "SDL_GetPerformanceCounter",
     // Java: what native methods of System and of java.time are bound to
     "JVM_NanoTime", "JVM_CurrentTimeMillis", "JVM_GetNanoTimeAdjustment",
     // CPython, up to 3.12, then from 3.13 on. What is behind them tells time.time() (time_time)
     // from a lock's or a poll's time-out.
     "_PyTime_GetSystemClock", "_PyTime_GetSystemClockWithInfo", "_PyTime_GetMonotonicClock",
     "_PyTime_GetMonotonicClockWithInfo", "_PyTime_GetPerfCounter",
     "_PyTime_GetPerfCounterWithInfo", "PyTime_Time", "PyTime_TimeRaw", "PyTime_Monotonic",
     "PyTime_MonotonicRaw", "PyTime_PerfCounter", "PyTime_PerfCounterRaw", "_PyTime_TimeWithInfo",
     "_PyTime_MonotonicWithInfo", "_PyTime_PerfCounterWithInfo", "_PyTime_TimeUnchecked",
     "_PyTime_MonotonicUnchecked", "_PyTime_PerfCounterUnchecked"});

// Static functions, which only a .symtab names.
constexpr std::array kStaticOnly = std::to_array<std::string_view>(
    {"py_get_system_clock", "py_get_monotonic_clock", "pygettimeofday", "pymonotonic"});

// Rust's standard library: std::time::Instant::now, SystemTime::now, their elapsed(), and what they
// call below std::sys, in whichever module a version has it. Names are mangled as before 1.95 (a
// hash at the end), or as since (v0, RFC 2603: the hash follows the crate's "C").
constexpr std::string_view kRustMethods[] = {"3now", "7elapsed"};
constexpr std::string_view kRustTypes[] = {"7Instant", "10SystemTime", "8Timespec"};
constexpr std::size_t kRustHash = 20;  // "17h", 16 digits, "E"

bool is_rust_wrapper(std::string_view name) noexcept {
  const bool legacy = name.starts_with("_ZN3std");
  if (!legacy && !(name.starts_with("_RNvM") && name.find("3std") != std::string_view::npos))
    return false;
  if (legacy) {
    if (name.size() < kRustHash || !name.substr(name.size() - kRustHash).starts_with("17h"))
      return false;
    name.remove_suffix(kRustHash);
  }
  if (name.find("4time") == std::string_view::npos) return false;
  for (const auto method : kRustMethods) {
    if (!name.ends_with(method)) continue;
    name.remove_suffix(method.size());
    return std::any_of(std::begin(kRustTypes), std::end(kRustTypes),
                       [name](std::string_view type) { return name.ends_with(type); });
  }
  return false;
}

// A filter that rejects most names: a hash of four of their first bytes.
constexpr std::size_t kFilterAt = 2;
constexpr std::size_t kFilterBits = 1024;
constexpr std::uint32_t filter_bit(const char* four) {
  std::uint32_t word = 0;
  for (int i = 3; i >= 0; --i) word = word << 8 | static_cast<unsigned char>(four[i]);
  return static_cast<std::uint32_t>(word * 0x9E3779B1U / (0x1'0000'0000U / kFilterBits));
}
constexpr auto filter_of_names() {
  std::array<std::uint64_t, kFilterBits / 64> bits{};
  const auto add = [&bits](std::string_view name) {
    const std::uint32_t bit = filter_bit(name.data() + kFilterAt);
    bits[bit / 64] |= 1ULL << bit % 64;
  };
  for (const auto name : kWrappers) add(name);
  for (const auto name : kStaticOnly) add(name);
  add("_ZN3std");
  add("_RNvMNt");
  add("_RNvMs_");
  return bits;
}
constexpr auto kFilter = filter_of_names();

// Ranges of static wrappers. There is room for more than any program has, since each wrapper is
// there once.
constexpr unsigned kMostStatic = 32;
constinit std::array<CodeRange, kMostStatic> g_static{};
constinit unsigned g_static_count = 0;

constexpr std::size_t kMostSymbolBytes =
    2U << 20;  // a larger table would take a millisecond of each start
constexpr std::uint64_t kLargestWrapper = 4096;

// Java: a handful of functions without a name read the clock there (os::javaTimeNanos and others of
// the class os), each of which does just that. Only these are wrappers. The virtual machine also
// reads the clock for itself, and if everything in it were a wrapper, that would make thousands of
// chains.
bool is_java_vm(const Module& module) noexcept {
  const std::string_view path = module.path != nullptr ? module.path : "";
  return path.ends_with("/libjvm.so");
}

}  // namespace

bool is_wrapper_name(const char* name) noexcept {
  if (strnlen(name, kFilterAt + 4) < kFilterAt + 4) return false;
  const std::uint32_t bit = filter_bit(name + kFilterAt);
  if ((kFilter[bit / 64] >> bit % 64 & 1U) == 0) return false;
  const std::string_view whole = name;
  return std::find(kWrappers.begin(), kWrappers.end(), whole) != kWrappers.end() ||
         std::find(kStaticOnly.begin(), kStaticOnly.end(), whole) != kStaticOnly.end() ||
         is_rust_wrapper(whole);
}

void find_static_wrappers() noexcept {
  const ExecutableSymbols symbols(kMostSymbolBytes);
  for (const Elf64_Sym& symbol : symbols.all()) {
    if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF ||
        symbol.st_size - 1 >= kLargestWrapper)
      continue;
    if (!is_wrapper_name(symbols.name_of(symbol)) || g_static_count == kMostStatic) continue;
    g_static[g_static_count++] = {symbols.load_bias() + symbol.st_value, symbol.st_size};
  }
}

bool in_wrapper(const Module& module, std::uintptr_t return_address, unsigned depth) noexcept {
  // A call may be the last instruction of its function, so look up the call itself, not what
  // follows it.
  const std::uintptr_t call = return_address - 1;
  const auto has_it = [call](const CodeRange& range) { return range.contains(call); };
  if ((depth == 1 && is_java_vm(module)) ||
      std::any_of(g_static.begin(), g_static.begin() + g_static_count, has_it))
    return true;
  return std::any_of(kWrappers.begin(), kWrappers.end(), [&](std::string_view name) {
    return has_it(find_dynamic_symbol(module, name));
  });
}

}  // namespace clockshim
