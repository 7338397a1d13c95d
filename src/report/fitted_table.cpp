#include "report/fitted_table.h"

#include <algorithm>
#include <numeric>

#include "report/columns.h"
#include "report/text.h"

namespace clockshim {
namespace {

constexpr std::size_t kGap = 2;

std::size_t characters_in(std::string_view text) {
  std::size_t n = 0;
  for_each_character(text, [&](std::string_view) { ++n; });
  return n;
}

std::vector<std::size_t> first_columns(std::size_t n) {
  std::vector<std::size_t> out(n);
  std::iota(out.begin(), out.end(), std::size_t{0});
  return out;
}

}  // namespace

FittedTable::FittedTable(std::vector<TableColumn> columns) : columns_(std::move(columns)) {
  for (const TableColumn& column : columns_) widths_.push_back(characters_in(column.heading));
}

void FittedTable::add_row(std::vector<std::string> cells) {
  for (std::size_t i = 0; i < widths_.size(); ++i)
    widths_[i] = std::max(widths_[i], characters_in(cells[i]));
  rows_.push_back(std::move(cells));
}

void FittedTable::narrow(std::size_t column, std::size_t width) {
  widths_[column] =
      std::min(widths_[column], std::max(width, characters_in(columns_[column].heading)));
}

std::size_t FittedTable::width_before(std::size_t column) const {
  return std::accumulate(widths_.begin(), widths_.begin() + static_cast<std::ptrdiff_t>(column),
                         column * kGap);
}

std::string FittedTable::line(const std::vector<std::string>& cells,
                              const std::vector<std::size_t>& columns) const {
  std::string out;
  for (const std::size_t i : columns) {
    const std::string cell = shortened(cells[i], widths_[i]);
    if (!out.empty()) out += std::string(kGap, ' ');
    out += columns_[i].side == TableColumn::Side::right ? right_column(cell, widths_[i])
                                                        : left_column(cell, widths_[i]);
  }
  while (out.ends_with(' ')) out.pop_back();
  return out + "\n";
}

std::vector<std::string> FittedTable::heading_cells() const {
  std::vector<std::string> out;
  for (const TableColumn& column : columns_) out.push_back(column.heading);
  return out;
}

std::string FittedTable::headings(std::size_t columns) const {
  return line(heading_cells(), first_columns(columns));
}

std::string FittedTable::row(std::size_t row, std::size_t columns) const {
  return line(rows_[row], first_columns(columns));
}

std::string FittedTable::text(std::size_t repeated, std::size_t width) const {
  std::string out;
  for (std::size_t next = repeated; next < columns_.size();) {
    std::vector<std::size_t> columns = first_columns(repeated);
    std::size_t taken = width_before(repeated);
    do {
      taken += widths_[next] + kGap;
      columns.push_back(next++);
    } while (next < columns_.size() && (width == 0 || taken + widths_[next] <= width));
    out += (out.empty() ? "" : "\n") + line(heading_cells(), columns);
    for (const std::vector<std::string>& cells : rows_) out += line(cells, columns);
  }
  return out;
}

}  // namespace clockshim
