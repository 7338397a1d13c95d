#include "callsite/wrappers.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/wrapper_names.h"
#include "os/dynamic_symbols.h"
#include "os/executable_symbols.h"

namespace clockshim {
namespace {

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
  return std::any_of(kWrapperNames.begin(), kWrapperNames.end(), [&](std::string_view name) {
    return has_it(find_dynamic_symbol(module, name));
  });
}

}  // namespace clockshim
