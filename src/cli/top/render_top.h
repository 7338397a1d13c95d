// A snapshot as text and as JSON, and the columns of its tables, which the screen and the text
// share.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/top/watch.h"

namespace clockshim::cli {

// The order of rows: descending for numbers, ascending for names.
enum class SortBy { rate, total, name, pid, clock, resyncs, error };
const std::vector<SortBy>& sort_columns(
    bool callers);  // in the order in which a key cycles through them
std::string_view sort_name(SortBy by);
void sort_rows(std::vector<ProcessRow>& rows, SortBy by);
void sort_rows(std::vector<CallerRow>& rows, SortBy by);

// Drops the rows that do not contain `text`, ignoring case.
void filter_rows(std::vector<ProcessRow>& rows, const std::string& text);
void filter_rows(std::vector<CallerRow>& rows, const std::string& text);

// Where a row of the table of processes has its mode, so that the screen can colour it.
struct Cell {
  std::size_t at;
  std::size_t width;
};
inline constexpr Cell kModeCell{51, 12};
inline constexpr std::string_view kUnserved = "passthrough";  // the mode of who asks the kernel

// Lines without a line feed, cut to `width`.
std::string header_line(bool callers, std::size_t width);
std::string row_line(const ProcessRow& row, std::size_t width);
std::string row_line(const CallerRow& row, std::size_t width);
// The sums of all rows.
std::string totals_line(const std::vector<ProcessRow>& rows, std::size_t width);
// One line about the process whose callers follow.
std::string process_line(const ProcessRow& row, std::size_t width);

// With `callers`: the callers of the one process; else the table of processes. Lines are cut to
// `width`; 0: as in files.
std::string snapshot_as_text(Snapshot snapshot, bool callers, std::size_t width = 0);
// The snapshot as JSON, on one line.
std::string snapshot_as_json(const Snapshot& snapshot, bool callers);

}  // namespace clockshim::cli
