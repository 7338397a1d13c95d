#include "symbolize/perf_map.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <iterator>

#include "os/descriptor.h"
#include "os/read_file.h"

namespace clockshim {
namespace {

// Removes a hexadecimal number and the blank after it from the front of `line`.
bool take_number(std::string_view& line, std::uint64_t& out) {
  if (line.starts_with("0x")) line.remove_prefix(2);
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), out, 16);
  if (error != std::errc{} || end == line.data() + line.size() || *end != ' ') return false;
  line.remove_prefix(static_cast<std::size_t>(end - line.data()) + 1);
  return true;
}

}  // namespace

PerfMap::PerfMap(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    std::uint64_t start = 0;
    std::uint64_t size = 0;
    if (!take_number(line, start) || !take_number(line, size) || size == 0 || line.empty() ||
        start + size < start)
      continue;
    // Remove functions that were there before.
    auto old = functions_.upper_bound(start);
    if (old != functions_.begin() && std::prev(old)->first + std::prev(old)->second.size > start)
      --old;
    while (old != functions_.end() && old->first < start + size) old = functions_.erase(old);
    functions_[start] = {size, std::string(line)};
  }
}

const std::string* PerfMap::at(std::uint64_t address, std::uint64_t& offset) const {
  auto found = functions_.upper_bound(address);
  if (found == functions_.begin()) return nullptr;
  --found;
  offset = address - found->first;
  return offset < found->second.size ? &found->second.name : nullptr;
}

std::string read_perf_map(const std::string& path, uid_t owner, double started_at,
                          std::string& problem) {
  constexpr off_t kLargest = 256 << 20;
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (file.get() < 0) return "";
  struct stat info {};
  std::string text;
  if (fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_size > kLargest) {
    problem = path + " is not read: not a plain file of at most 256 MiB";
  } else if (info.st_uid != owner && info.st_uid != geteuid() && info.st_uid != 0) {
    problem = path + " is not believed: it belongs to another user than the process";
  } else if (static_cast<double>(info.st_mtim.tv_sec) + 1 < started_at) {
    problem = path + " is not believed: it is older than the process";
  } else {
    text.reserve(static_cast<std::size_t>(info.st_size));
    // It may grow meanwhile. Whatever can be read is of use.
    read_all(file.get(), text, static_cast<std::size_t>(info.st_size));
  }
  return text;
}

}  // namespace clockshim
