// The names of functions that do nothing but read the clock for their caller.
#pragma once

#include <array>
#include <string_view>

namespace clockshim {

// Those that libraries export.
inline constexpr std::array kWrapperNames = std::to_array<std::string_view>(
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

// Whether a function of this name in a .symtab is a wrapper: the known names, static functions
// among them, and those of Rust's standard library, whose names have a hash in them.
bool is_wrapper_name(const char* name) noexcept;

// Whether it is the C library's own, in a program that the library is linked into, or in musl.
bool is_c_wrapper_name(std::string_view name) noexcept;

// Whether it is one of Go's, of its runtime or of the package time, by the name that Go gives it.
bool is_go_wrapper_name(std::string_view name) noexcept;

}  // namespace clockshim
