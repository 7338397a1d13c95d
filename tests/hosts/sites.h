// Thousands of call sites: one function each, none of which the compiler may fold with another.
#pragma once

#include <array>
#include <utility>

#include "host.h"

template <int N>
HOST_NOINLINE int64_t site() {
  asm volatile("# site %c0" ::"i"(N));
  const int64_t now = host_clock(CLOCK_MONOTONIC);
  asm volatile("");  // no tail call: the call returns here
  return now;
}

template <int... N>
constexpr auto table_of_sites(std::integer_sequence<int, N...>) {
  return std::array<int64_t (*)(), sizeof...(N)>{&site<N>...};
}

template <int Count>
inline constexpr auto kSitesOf = table_of_sites(std::make_integer_sequence<int, Count>{});
