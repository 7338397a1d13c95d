#include "os/real_functions.h"

#include <dlfcn.h>

#include <cerrno>

namespace clockshim {

constinit RealFunctions g_real_functions{};

namespace {

template <class Function>
void find(std::atomic<Function>& function, const char* name) noexcept {
  function.store(reinterpret_cast<Function>(dlsym(RTLD_NEXT, name)), std::memory_order_relaxed);
}

}  // namespace

// Two threads that look them up at the same time find the same.
void find_real_functions() noexcept {
  const int saved_errno = errno;
  RealFunctions& all = g_real_functions;
  find(all.syscall, "syscall");
  find(all.prctl, "prctl");
  find(all.dlclose, "dlclose");
  find(all.dl_iterate_phdr, "dl_iterate_phdr");
  find(all.clock_settime, "clock_settime");
  find(all.settimeofday, "settimeofday");
  find(all.adjtime, "adjtime");
  find(all.adjtimex, "adjtimex");
  find(all.ntp_adjtime, "ntp_adjtime");
  find(all.clock_adjtime, "clock_adjtime");
  all.found.store(true, std::memory_order_release);
  errno = saved_errno;
}

}  // namespace clockshim
