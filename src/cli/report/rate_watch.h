// Watches a process for its rates over time: how much its counts grow between two looks at its live
// file. The process does not notice. If it calls exec, its next program's file is watched, too,
// because the rates are those of the process.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analysis/callers.h"
#include "base/nanos.h"
#include "cli/livefiles/live_dir.h"
#include "os/descriptor.h"
#include "report/report.h"
#include "symbolize/symbolize.h"

namespace clockshim::cli {

class RateWatch {
 public:
  // Starts watching a running process (by its pid in our namespace), whose live file is in these
  // folders. No value: `problem` says what is wrong.
  static std::optional<RateWatch> of(long pid, const Folders& folders, std::string& problem);

  // Looks now; the times are CLOCK_MONOTONIC and CLOCK_REALTIME. Counting begins at the first look.
  void look(Nanos now, Nanos realtime);

  [[nodiscard]] bool over() const { return over_; }  // the process is gone, and was looked at since
  [[nodiscard]] int wakes_when_over() const {
    return process_.get();
  }  // poll(2) reports POLLIN then; -1: the kernel can't (before 5.3)
  [[nodiscard]] const std::string& program() const { return programs_.back().report.program; }

  // The process's report as of the last look, with names and rates.
  Report report(Symbolizer& symbolizer, double interval) const;

 private:
  // The growth of a total at each look, relative to the look before.
  class Growth {
   public:
    void begin(std::uint64_t total) { last_ = total; }
    void look(std::size_t number, std::uint64_t total) {
      if (total != last_) changes_.emplace_back(number, static_cast<std::int64_t>(total - last_));
      last_ = total;
    }
    void add_to(std::vector<std::int64_t>& looks) const {
      for (const auto& [number, change] : changes_) looks[number] += change;
    }

   private:
    std::uint64_t last_ = 0;
    std::vector<std::pair<std::size_t, std::int64_t>> changes_;
  };
  struct Site {
    ReportSite as_told;  // without names
    Growth calls;
    std::size_t looked = 0;
  };
  // A program that the process has run; exec replaces one by the next.
  struct Program {
    std::string path;
    std::optional<LiveSource> source{};
    std::optional<LiveFile> content{};  // as of the last look
    Report report{};
    std::map<std::string, Growth> clocks{};
    std::map<std::uint64_t, Site> sites{};  // by key
  };

  RateWatch(long pid, Folders folders) : pid_(pid), folders_(std::move(folders)) {}
  [[nodiscard]] bool is_gone() const;
  bool open(const std::string& path, std::string& problem);
  void read(Program& program, bool begin);
  void find_next_programs();
  [[nodiscard]] ReportRates rates(Symbolizer& symbolizer, double interval) const;

  long pid_;
  Folders folders_;
  Descriptor process_{};           // pidfd_open(2)
  std::uint64_t start_ticks_ = 0;  // the process's start, as we see it
  std::uint64_t own_ticks_ = 0;
  std::uint64_t pid_namespace_ = 0;
  Nanos started_;  // the first look
  Nanos started_at_;
  std::vector<double> times_;
  std::vector<Program> programs_;
  std::vector<std::string> others_;  // files with its pid that existed before
  bool over_ = false;
};

}  // namespace clockshim::cli
