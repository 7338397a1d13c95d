#include "cli/inject/memory_map.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "live/layout.h"
#include "os/read_file.h"

namespace clockshim::cli {
namespace {

// Programs have no addresses below (vm.mmap_min_addr), nor beyond the half that is theirs (with
// page tables of four levels).
constexpr std::uint64_t kFirst = 1U << 20;
constexpr std::uint64_t kLast = 0x7ffffffff000;

std::uint64_t distance(std::uint64_t one, std::uint64_t other) {
  return one < other ? other - one : one - other;
}

}  // namespace

std::vector<MappedRange> memory_map_of(pid_t pid) {
  std::vector<MappedRange> out;
  std::istringstream lines(content_of("/proc/" + std::to_string(pid) + "/maps"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string range;
    std::string offset;
    std::string device;
    std::string inode;
    MappedRange mapped;
    words >> range >> mapped.rights >> offset >> device >> inode >> std::ws;
    std::getline(words, mapped.path);
    const char* const last = range.data() + range.size();
    const auto [dash, error] = std::from_chars(range.data(), last, mapped.begin, 16);
    if (error != std::errc{} || dash == last) continue;
    std::from_chars(dash + 1, last, mapped.end, 16);
    out.push_back(std::move(mapped));
  }
  return out;
}

std::vector<std::uint64_t> room_near(const std::vector<MappedRange>& map, std::uint64_t at,
                                     std::uint64_t size) {
  size = (size + live::kPage - 1) / live::kPage * live::kPage;
  std::vector<std::uint64_t> out;
  std::uint64_t free_from = kFirst;
  const auto add = [&](std::uint64_t free_to) {
    if (free_to < free_from || free_to - free_from < size) return;
    const std::uint64_t highest = free_to - size;
    out.push_back(at < free_from ? free_from : std::min(at, highest));
  };
  for (const MappedRange& mapped : map) {
    if (mapped.begin >= kLast) break;
    // The stack grows down to its limit, which is a few megabytes for most, and may be set anew.
    constexpr std::uint64_t kStack = 4ULL << 30;
    add(mapped.path != "[stack]" ? mapped.begin : mapped.begin - std::min(mapped.begin, kStack));
    free_from = std::max(free_from, mapped.end);
  }
  add(kLast);
  for (std::uint64_t& room : out) room = room / live::kPage * live::kPage;
  std::sort(out.begin(), out.end(), [at](std::uint64_t one, std::uint64_t other) {
    return distance(one, at) < distance(other, at);
  });
  return out;
}

}  // namespace clockshim::cli
