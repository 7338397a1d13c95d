#include "cli/top/top_table.h"

#include <algorithm>

namespace clockshim::cli {

void TopTable::refresh() {
  Snapshot fresh = watch_.take_snapshot(folders_, pid_);
  if (callers() && fresh.processes.empty() && !snapshot_.processes.empty() &&
      snapshot_.processes[0].pid == pid_) {
    // It ended and removed its file: what was seen last remains.
    fresh.processes = snapshot_.processes;
    fresh.callers = snapshot_.callers;
    fresh.processes[0].state = "gone";
    fresh.processes[0].rate = fresh.processes[0].resync_rate = 0;
    fresh.processes[0].saved_share = 0;
    for (CallerRow& row : fresh.callers) row.rate = 0;
  }
  snapshot_ = std::move(fresh);
  arrange();
}

void TopTable::show(long pid) {
  pid_ = pid;
  marked_ = 0;
  filter_.clear();
  processes_.clear();
  callers_.clear();
  refresh();
}

void TopTable::filter(const std::string& text) {
  filter_ = text;
  arrange();
}

void TopTable::sort_by_next() {
  std::size_t& column = sort_[callers()];
  column = (column + 1) % sort_columns(callers()).size();
  arrange();
}

void TopTable::mark(std::size_t row) { marked_ = rows() == 0 ? 0 : std::min(row, rows() - 1); }

void TopTable::arrange() {
  const bool had = marked_ < rows();
  const long marked_pid = had && !callers() ? processes_[marked_].pid : 0;
  const Caller marked_caller = had && callers() ? callers_[marked_].caller : Caller{};
  processes_ = snapshot_.processes;
  callers_ = snapshot_.callers;
  if (callers()) {
    filter_rows(callers_, filter_);
    sort_rows(callers_, sort());
  } else {
    filter_rows(processes_, filter_);
    sort_rows(processes_, sort());
  }
  for (std::size_t i = 0; had && i < rows(); ++i) {
    if (callers() ? callers_[i].caller == marked_caller : processes_[i].pid == marked_pid)
      marked_ = i;
  }
  mark(marked_);
}

}  // namespace clockshim::cli
