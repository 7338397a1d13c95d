#include "os/next_clocks.h"

#include <link.h>
#include <sys/auxv.h>

#include <cerrno>
#include <span>
#include <string_view>

#include "os/dynamic_symbols.h"

// The image of this library, or of a test program, begins here.
// NOLINTNEXTLINE(readability-identifier-naming): the linker has given it this name
extern "C" const char __ehdr_start[] __attribute__((visibility("hidden")));

namespace clockshim {
namespace {

constexpr const char* kFunctions[] = {"clock_gettime", "gettimeofday", "timespec_get"};
constexpr unsigned kClockGettime = 0;
constexpr unsigned kGettimeofday = 1;
constexpr unsigned kTimespecGet = 2;

struct Search {
  std::uintptr_t ours = reinterpret_cast<std::uintptr_t>(__ehdr_start);
  std::uintptr_t vdso = getauxval(AT_SYSINFO_EHDR);
  bool behind_us = false;
  bool defined[std::size(kFunctions)]{};  // by another library
  std::uintptr_t c_timespec_get = 0;
  NextClocks found{};
};

bool defines(const Module& module, std::string_view name) {
  return find_dynamic_symbol(module, name).start != 0;
}

// These parts of the C library were separate files before glibc 2.34.
bool is_part_of_c_library(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return name.starts_with("librt.so.1") || name.starts_with("librt-2") ||
         name.starts_with("libpthread");
}

// Examines one module. A nonzero result ends the search.
int look_at(dl_phdr_info* info, std::size_t, void* argument) {
  auto& search = *static_cast<Search*>(argument);
  if (info->dlpi_addr == search.vdso && search.vdso != 0)
    return 0;  // the loader does not search it
  Module module;
  module.load_bias = info->dlpi_addr;
  module.path = info->dlpi_name != nullptr ? info->dlpi_name : "";
  for (const auto& header : std::span(info->dlpi_phdr, info->dlpi_phnum)) {
    if (header.p_type != PT_DYNAMIC) continue;
    module.dynamic = reinterpret_cast<const Elf64_Dyn*>(info->dlpi_addr + header.p_vaddr);
  }
  if (module.dynamic == nullptr) return 0;
  if (info->dlpi_addr == search.ours) {
    search.behind_us = true;
    return 0;
  }
  if (defines(module, "gnu_get_libc_version")) {
    search.c_timespec_get = find_dynamic_symbol(module, kFunctions[kTimespecGet]).start;
    return 1;
  }
  if (!search.behind_us || is_part_of_c_library(module.path)) return 0;
  for (unsigned i = 0; i < std::size(kFunctions); ++i) {
    if (!defines(module, kFunctions[i]) || defines(module, "__sanitizer_print_stack_trace"))
      continue;
    search.defined[i] = true;
    if (search.found.library != nullptr) continue;
    search.found.library = module.path;
    search.found.function = kFunctions[i];
  }
  return 0;
}

}  // namespace

NextClocks find_next_clocks() noexcept {
  const int saved_errno = errno;  // getauxval sets it where the kernel gave no vDSO
  Search search;
  dl_iterate_phdr(look_at, &search);
  if (search.found.library != nullptr) {
    // The first definition behind us may be a sanitizer's runtime, which calls that library itself.
    NextDefinition next[] = {
        {kFunctions[kClockGettime]}, {kFunctions[kGettimeofday]}, {kFunctions[kTimespecGet]}};
    find_next_definitions(next);
    const auto at = [&](unsigned i) { return search.defined[i] ? next[i].address : 0; };
    real::Functions& functions = search.found.functions;
    functions.clock_gettime = reinterpret_cast<real::ClockGettime>(at(kClockGettime));
    functions.gettimeofday = reinterpret_cast<real::Gettimeofday>(at(kGettimeofday));
    functions.timespec_get = reinterpret_cast<real::TimespecGet>(at(kTimespecGet));
  }
  search.found.functions.c_timespec_get =
      reinterpret_cast<real::TimespecGet>(search.c_timespec_get);
  errno = saved_errno;
  return search.found;
}

}  // namespace clockshim
