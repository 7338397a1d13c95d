// Names of generated code, as the JVM (with an agent), CPython (-X perf), node (--perf-basic-prof)
// and others write them for perf: /tmp/perf-PID.map, "START SIZE NAME" a line, in hexadecimal.
// Anybody may write to /tmp: see read_perf_map.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace clockshim {

class PerfMap {
 public:
  explicit PerfMap(std::string_view text = "");
  // The function that has this address; null: none. Of two that do, the one that was written later:
  // code is replaced.
  [[nodiscard]] const std::string* at(std::uint64_t address, std::uint64_t& offset) const;
  [[nodiscard]] bool empty() const { return functions_.empty(); }

 private:
  struct Function {
    std::uint64_t size;
    std::string name;
  };
  std::map<std::uint64_t, Function> functions_;  // by start; they don't overlap
};

// The file's text. "" where there is none, it is no plain file, belongs to somebody else than
// `owner`, us or root, is older than `started_at` (seconds since 1970: another process had that
// number then), or larger than 256 MiB; `problem` then says why, but for a file that is not there.
std::string read_perf_map(const std::string& path, uid_t owner, double started_at,
                          std::string& problem);

}  // namespace clockshim
