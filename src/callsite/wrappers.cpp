#include "callsite/wrappers.h"

#include <array>
#include <string_view>

namespace clockshim {
namespace {

constexpr std::array<std::string_view, 17> kWrappers{
    // libstdc++: system_clock, steady_clock (high_resolution_clock is the former), and their names before GCC 5
    "_ZNSt6chrono3_V212system_clock3nowEv", "_ZNSt6chrono3_V212steady_clock3nowEv", "_ZNSt6chrono12system_clock3nowEv",
    "_ZNSt6chrono12steady_clock3nowEv",
    // libc++
    "_ZNSt3__16chrono12system_clock3nowEv", "_ZNSt3__16chrono12steady_clock3nowEv",
    // GLib, libuv, libev, libevent, APR, NSPR, SDL
    "g_get_monotonic_time", "g_get_real_time", "g_get_current_time", "uv_hrtime", "ev_time", "evutil_gettime_monotonic",
    "evutil_gettimeofday", "apr_time_now", "PR_Now", "PR_IntervalNow", "SDL_GetPerformanceCounter"};

}  // namespace

bool in_wrapper(const Module& module, std::uintptr_t return_address) noexcept {
  for (const auto name : kWrappers) {
    // A call may be the last instruction of its function: look at the call, not at what follows it.
    if (find_dynamic_symbol(module, name).contains(return_address - 1)) return true;
  }
  return false;
}

}  // namespace clockshim
