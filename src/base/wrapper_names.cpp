#include "base/wrapper_names.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace clockshim {
namespace {

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
  for (const auto name : kWrapperNames) add(name);
  for (const auto name : kStaticOnly) add(name);
  add("_ZN3std");
  add("_RNvMNt");
  add("_RNvMs_");
  return bits;
}
constexpr auto kFilter = filter_of_names();

// glibc's names, those that its own files use among them, and musl's.
constexpr std::array kCNames = std::to_array<std::string_view>(
    {"clock_gettime", "__clock_gettime", "__clock_gettime64", "__clock_gettime_2", "gettimeofday",
     "__gettimeofday", "___gettimeofday", "__gettimeofday_clock", "__gettimeofday64",
     "timespec_get", "__timespec_get64", "time", "__time", "time_syscall", "ftime", "cgt_init"});

// What asks on behalf of Go's code: the runtime's own readings, and the functions of the package
// time that are one reading each.
constexpr std::array kGoNames = std::to_array<std::string_view>(
    {"runtime.nanotime", "runtime.nanotime1", "runtime.walltime", "runtime.walltime1",
     "runtime.time_now", "time.now", "time.runtimeNano", "time.runtimeNow", "time.Now",
     "time.Since", "time.Until", "runtime.cputicks", "internal/poll.runtimeNano",
     "syscall.runtimeNano", "syscall.Gettimeofday", "syscall.gettimeofday"});

}  // namespace

bool is_wrapper_name(const char* name) noexcept {
  if (strnlen(name, kFilterAt + 4) < kFilterAt + 4) return false;
  const std::uint32_t bit = filter_bit(name + kFilterAt);
  if ((kFilter[bit / 64] >> bit % 64 & 1U) == 0) return false;
  const std::string_view whole = name;
  return std::find(kWrapperNames.begin(), kWrapperNames.end(), whole) != kWrapperNames.end() ||
         std::find(kStaticOnly.begin(), kStaticOnly.end(), whole) != kStaticOnly.end() ||
         is_rust_wrapper(whole);
}

bool is_c_wrapper_name(std::string_view name) noexcept {
  return std::find(kCNames.begin(), kCNames.end(), name) != kCNames.end();
}

bool is_go_wrapper_name(std::string_view name) noexcept {
  // From Go 1.17 on a function that is called by the old convention, too, has a name for it.
  constexpr std::string_view kOldConvention = ".abi0";
  if (name.ends_with(kOldConvention)) name.remove_suffix(kOldConvention.size());
  return std::find(kGoNames.begin(), kGoNames.end(), name) != kGoNames.end();
}

}  // namespace clockshim
