// The kernel's image in a process, whose functions C libraries and Go's runtime call for the time.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace clockshim::cli {

struct Vdso {
  std::uint64_t at = 0;
  std::vector<std::byte> bytes{};
};

// One of its functions.
struct VdsoFunction {
  std::uint64_t at = 0;                  // its address in the process; 0: there is none
  std::span<const std::uint8_t> code{};  // of `bytes`
};

// Those that the image takes the place of, in the order of the originals that it has room for.
inline constexpr std::array kServedFunctions =
    std::to_array<std::string_view>({"clock_gettime", "gettimeofday"});

// Reads it from the process's memory. Returns "", or why it can't be worked with.
std::string read_vdso(pid_t pid, Vdso& out);
// Our own, which has the same bytes as each other process's, unless somebody has changed those.
const Vdso& own_vdso();

VdsoFunction find_function(const Vdso& vdso, std::string_view name);

// The process's memory, all of it or nothing. False: errno says why not.
bool read_memory(pid_t pid, std::uint64_t from, void* to, std::size_t size);

}  // namespace clockshim::cli
