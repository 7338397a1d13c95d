// One report of all processes of a run: its totals, a line for each program, and the callers of the
// programs with many calls. What stands in it is exact: each process's report is added once.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "report/report.h"
#include "symbolize/symbolize.h"

namespace clockshim::cli {

class RunSummary {
 public:
  // `all`: all programs, with all their callers, as a file has them. Else at most 20 programs, and
  // the callers of five that have many calls, because a person will read it.
  explicit RunSummary(bool all) : all_(all) {}

  // Adds the report of a process, or of one of the programs that it was, one after another, by
  // exec. A report that was added before is ignored.
  enum class From { process, live_file };  // the process has named its callers
  void add(Report report, From from);

  [[nodiscard]] bool empty() const { return programs_.empty(); }

  // Both can be called once. A single report is returned or written as `clockshim report` does it.
  // The text is for a terminal of this width; 0: for a file.
  std::string text(std::size_t width) &&;
  Report merged() &&;

 private:
  struct Program {
    std::vector<Report> reports;  // some are merged already
    std::size_t named = 0;        // how many of them have names
    std::uint64_t calls = 0;
    std::set<long> pids;
  };

  void name(Program& program);
  // The sum of each program, the busiest first, with its name in `program`.
  std::vector<Report> by_program();
  static Report sum_of(const std::vector<Report>& programs);

  bool all_;
  std::map<std::string, Program> programs_;
  std::set<std::pair<long, std::int64_t>> added_;  // by pid and start
  std::size_t lost_ = 0;                           // reports from live files
  Symbolizer symbolizer_;
};

}  // namespace clockshim::cli
