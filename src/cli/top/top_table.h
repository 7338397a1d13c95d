// The table that the screen of `clockshim top` shows of a snapshot: which rows, in which order, and
// which of them is marked. It knows of no terminal.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/top/render_top.h"
#include "cli/top/watch.h"

namespace clockshim::cli {

class TopTable {
 public:
  // `pid` is the process whose callers are shown; 0: the processes.
  TopTable(Watch& watch, Folders folders, long pid)
      : watch_(watch), folders_(std::move(folders)), pid_(pid) {}

  // Looks in these folders from here on.
  void look_in(Folders folders) { folders_ = std::move(folders); }
  // Takes a new snapshot. The mark stays on its row.
  void refresh();
  // Shows the callers of another process from here on; 0: all processes. Takes a snapshot at once,
  // removes the filter, and marks the first row.
  void show(long pid);

  void filter(const std::string& text);  // shows only rows that contain it; "": all
  void sort_by_next();                   // sorts by the next column
  void mark(std::size_t row);            // or the last row

  [[nodiscard]] bool callers() const { return pid_ != 0; }
  [[nodiscard]] long pid() const { return pid_; }
  [[nodiscard]] SortBy sort() const { return sort_columns(callers())[sort_[callers()]]; }
  [[nodiscard]] const std::string& filter() const { return filter_; }
  [[nodiscard]] std::size_t marked() const { return marked_; }
  [[nodiscard]] long marked_process() const {
    return !callers() && marked_ < rows() ? processes_[marked_].pid : 0;
  }
  [[nodiscard]] std::size_t rows() const { return callers() ? callers_.size() : processes_.size(); }
  [[nodiscard]] std::string line(std::size_t row, std::size_t width) const {
    return callers() ? row_line(callers_[row], width) : row_line(processes_[row], width);
  }
  [[nodiscard]] std::string totals(std::size_t width) const {
    return totals_line(processes_, width);
  }
  // The mode of a row's process; "" for callers, whose rows have none.
  [[nodiscard]] std::string mode(std::size_t row) const {
    return callers() || row >= rows() ? "" : processes_[row].mode;
  }
  // The process whose callers are shown. Null: it has no live file.
  [[nodiscard]] const ProcessRow* process() const {
    return callers() && !snapshot_.processes.empty() ? &snapshot_.processes[0] : nullptr;
  }

 private:
  void arrange();

  Watch& watch_;
  Folders folders_;
  long pid_;
  Snapshot snapshot_;
  std::vector<ProcessRow> processes_;
  std::vector<CallerRow> callers_;
  std::size_t sort_[2] = {};  // the column to sort by, for processes and for callers
  std::size_t marked_ = 0;
  std::string filter_;
};

}  // namespace clockshim::cli
