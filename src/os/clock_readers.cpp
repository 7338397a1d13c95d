#include "os/clock_readers.h"

#include <algorithm>
#include <span>
#include <string_view>

#include "os/dynamic_symbols.h"

namespace clockshim {
namespace {

// clock_gettime, gettimeofday, timespec_get.
constexpr std::string_view kReaders[] = {"gettime", "timespec_get"};
constexpr std::string_view kWaysToOne[] = {"dlopen", "dlmopen", "dlsym", "dlvsym", "syscall"};

bool names_one_of(const Module& module, std::span<const std::string_view> wanted) noexcept {
  constexpr std::size_t kSearched = 64UL << 10;  // a larger table takes longer than a start does
  const std::string_view names = dynamic_strings(module);
  if (names.empty() || names.size() > kSearched) return true;
  return std::any_of(wanted.begin(), wanted.end(),
                     [names](std::string_view one) { return names.find(one) != names.npos; });
}

}  // namespace

bool names_clock_reader(const Module& module) noexcept { return names_one_of(module, kReaders); }

bool clock_is_reachable() noexcept {
  return any_foreign_module([](const Module& module) {
    return names_one_of(module, kReaders) || names_one_of(module, kWaysToOne);
  });
}

}  // namespace clockshim
