// What is mapped into a process: /proc/PID/maps, read.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace clockshim::cli {

struct MappedRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string rights;  // "r-xp"
  std::string path;    // of a file, or "[stack]" and the like; "": it is of nothing
};

// In the order of addresses. None: it may not be seen, or is gone.
std::vector<MappedRange> memory_map_of(pid_t pid);

// Addresses of page-aligned room for `size` bytes that is free and near `at`, the nearest first. It
// leaves out what a stack may grow into.
std::vector<std::uint64_t> room_near(const std::vector<MappedRange>& map, std::uint64_t at,
                                     std::uint64_t size);

}  // namespace clockshim::cli
