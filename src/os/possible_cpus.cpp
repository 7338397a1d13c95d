#include "os/possible_cpus.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "os/kernel_line.h"

namespace clockshim {

unsigned count_in_list(std::string_view list) noexcept {
  unsigned count = 0;
  const char* at = list.data();
  const char* const end = at + list.size();
  const auto number = [&](unsigned& out) {
    const auto [rest, error] = std::from_chars(at, end, out);
    at = rest;
    return error == std::errc{};
  };
  while (true) {
    unsigned first = 0;
    if (!number(first)) return 0;
    unsigned last = first;
    if (at != end && *at == '-' && (++at, !number(last))) return 0;
    if (last < first) return 0;
    count += last - first + 1;
    if (at == end) return count;
    if (*at++ != ',') return 0;
  }
}

unsigned possible_cpus() noexcept {
  char buffer[256];  // a list that is cut has lost its end, so it is not used
  const std::string_view list = kernel_line("/sys/devices/system/cpu/possible", buffer);
  const unsigned counted = list.size() < sizeof buffer ? count_in_list(list) : 0;
  return counted != 0 ? counted
                      : static_cast<unsigned>(std::max(1L, sysconf(_SC_NPROCESSORS_CONF)));
}

}  // namespace clockshim
