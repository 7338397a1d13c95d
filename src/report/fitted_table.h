// A table whose columns are as wide as what stands in them, for a terminal or for a file. It knows
// nothing of what it shows.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace clockshim {

struct TableColumn {
  enum class Side { left, right };

  std::string heading;
  Side side = Side::left;
};

class FittedTable {
 public:
  explicit FittedTable(std::vector<TableColumn> columns);

  // A row has a cell for each column. Cells should be one line each (one_line()).
  void add_row(std::vector<std::string> cells);

  // Makes a column narrower than its cells, which row() then shortens. It remains at least as wide
  // as its heading.
  void narrow(std::size_t column, std::size_t width);

  [[nodiscard]] std::size_t rows() const { return rows_.size(); }
  [[nodiscard]] std::size_t width(std::size_t column) const { return widths_[column]; }
  // The width of the columns before this one, with the gap behind each.
  [[nodiscard]] std::size_t width_before(std::size_t column) const;

  // Lines of the first `columns` columns, without the blanks at their ends, but with a line feed.
  [[nodiscard]] std::string headings(std::size_t columns) const;
  [[nodiscard]] std::string row(std::size_t row, std::size_t columns) const;

  // The whole table in at most `width` columns, as far as that leaves room for one; 0: in as many
  // as it takes. What does not fit stands in further tables below it, each of which begins with the
  // first `repeated` columns.
  [[nodiscard]] std::string text(std::size_t repeated, std::size_t width) const;

 private:
  [[nodiscard]] std::string line(const std::vector<std::string>& cells,
                                 const std::vector<std::size_t>& columns) const;
  [[nodiscard]] std::vector<std::string> heading_cells() const;

  std::vector<TableColumn> columns_;
  std::vector<std::vector<std::string>> rows_{};
  std::vector<std::size_t> widths_{};
};

}  // namespace clockshim
