// The data of `clockshim top`: the processes that run now, or the callers of one, with rates
// between two snapshots of their live files.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analysis/callers.h"
#include "cli/livefiles/live_dir.h"
#include "symbolize/symbolize.h"

namespace clockshim::cli {

struct ClockRow {
  std::string clock;
  std::uint64_t calls = 0;
  double rate = 0;  // calls a second
};
struct ProcessRow {
  long pid = 0;
  std::string program;
  std::string state;
  std::string mode;
  std::string mode_reason;
  std::uint64_t calls = 0;
  double rate = 0;
  std::vector<ClockRow> clocks;  // the busiest first
  std::uint64_t resyncs = 0;
  double resync_rate = 0;
  std::int64_t saved_ns = 0;  // CPU time that serving has saved, so far
  double saved_share = 0;     // of a core, since the last snapshot
  std::int64_t max_error_ns = 0;
  std::int64_t tolerance_ns = 0;
};
struct CallerRow {
  Caller caller;
  std::uint64_t calls = 0;
  double rate = 0;
  double share = 0;  // of the process's calls since the last snapshot, or of all its calls if there
                     // were none since; 0 to 1
};

struct Snapshot {
  double seconds = 0;  // since the last snapshot, of whatever; 0: this is the first
  double at = 0;       // seconds since 1970
  std::vector<ProcessRow> processes;
  std::vector<CallerRow> callers;  // of the one process that is watched
};

// Takes snapshots, and remembers the earlier ones. A process or caller that was not in an earlier
// one has no rate yet.
class Watch {
 public:
  // With `pid` 0: all processes that run. Else this one, with its callers, even if it has ended;
  // `processes` is empty if it has no file.
  Snapshot take_snapshot(const Folders& folders, long pid);

  // From here on "all processes" are only those with these numbers, if there are any.
  void only(std::vector<long> pids) { only_ = std::move(pids); }

 private:
  struct Seen {
    std::int64_t at = 0;  // CLOCK_MONOTONIC, ns
    std::uint64_t calls = 0;
    std::uint64_t resyncs = 0;
    std::int64_t saved_ns = 0;
    std::map<std::string, std::uint64_t> clocks;
    Calls callers;
    bool has_callers = false;
  };
  [[nodiscard]] std::optional<LiveFile> file_of(long pid, const Folders& folders);
  [[nodiscard]] bool is_wanted(long pid) const;
  void add(const LiveFile& file, bool with_callers, std::int64_t now, Snapshot& out);

  Symbolizer symbolizer_;
  std::vector<long> only_;
  std::string path_;  // of the process that was watched last, to find it again without a search
  std::map<std::string, Seen> before_;  // by the file's path, as of the last snapshot
  std::int64_t looked_ = 0;
};

}  // namespace clockshim::cli
