// Names of generated code that the JVM (with an agent), CPython (-X perf), node (--perf-basic-prof)
// and others write for perf: /tmp/perf-PID.map with lines "START SIZE NAME", in hexadecimal. Any
// user may write to /tmp: see read_perf_map.
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
  // The function at this address; null: none. If two contain it, the one that was written later
  // counts, because code is replaced.
  [[nodiscard]] const std::string* at(std::uint64_t address, std::uint64_t& offset) const;
  [[nodiscard]] bool empty() const { return functions_.empty(); }

 private:
  struct Function {
    std::uint64_t size;
    std::string name;
  };
  std::map<std::uint64_t, Function> functions_;  // keyed by start; they do not overlap
};

// Returns the file's text. It is "" if the file does not exist, is not a plain file, belongs to a
// user other than `owner`, us or root, is older than `started_at` (seconds since 1970: then another
// process had this pid), or is larger than 256 MiB. `problem` then says why, except for a file that
// does not exist.
std::string read_perf_map(const std::string& path, uid_t owner, double started_at,
                          std::string& problem);

}  // namespace clockshim
