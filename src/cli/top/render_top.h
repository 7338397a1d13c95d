// A look as text and as JSON; and the columns of its tables, which the screen has in common with
// the text.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/top/watch.h"

namespace clockshim::cli {

// What rows are ordered by: descending for numbers, ascending for names.
enum class SortBy { rate, total, name, pid, clock, resyncs, error };
const std::vector<SortBy>& sort_columns(
    bool callers);  // in the order of the keys that cycle through them
std::string_view sort_name(SortBy by);
void sort_rows(std::vector<ProcessRow>& rows, SortBy by);
void sort_rows(std::vector<CallerRow>& rows, SortBy by);

// Drops the rows in which `text` stands nowhere. Whatever the case of its letters.
void filter_rows(std::vector<ProcessRow>& rows, const std::string& text);
void filter_rows(std::vector<CallerRow>& rows, const std::string& text);

// Lines without a line feed, cut to `width`.
std::string header_line(bool callers, std::size_t width);
std::string row_line(const ProcessRow& row, std::size_t width);
std::string row_line(const CallerRow& row, std::size_t width);
// A line or two about the process whose callers follow.
std::string process_line(const ProcessRow& row, std::size_t width);

// `callers`: of the one process; else the table of processes.
std::string snapshot_as_text(Snapshot snapshot, bool callers);
// One line.
std::string snapshot_as_json(const Snapshot& snapshot, bool callers);

}  // namespace clockshim::cli
