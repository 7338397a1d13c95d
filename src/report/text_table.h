// The parts of the report for people, as wide as they are asked to be.
#pragma once

#include <string>

#include "report/report.h"

namespace clockshim {

// The width of tables in files, and of what a process itself reports.
inline constexpr std::size_t kTextWidth = 100;

// The process, its calls, its clock, and notes. Long lines are wrapped to `width`; 0: they stay
// whole.
std::string text_head(const Report& report, std::size_t width = 0);
// Headings and the busiest callers; "": there are none.
std::string text_callers(const Report& report, std::size_t width);
// The same for each thread; only the command has it.
std::string text_threads(const Report& report, std::size_t width);
// What is worth doing most; only the command has it.
std::string text_advice(const Report& report, std::size_t width);

// The table of callers. Names and modules get the room that the other columns leave. Where there is
// little, columns are as narrow as their content, and the module stands below the name.
class TextTable {
 public:
  // The report must outlive the table.
  TextTable(const Report& report, std::size_t width);

  // The column headings.
  [[nodiscard]] std::string headings() const;
  // A line, and the lines below it: the whole name, the place and, if `with_via`, the way through
  // wrappers. Shares are of all calls of the report.
  [[nodiscard]] std::string caller(const ReportSite& site, bool with_via) const;
  // A line for something other than a caller. There is a column for the nanoseconds that were saved
  // where the report has any.
  [[nodiscard]] std::string line(std::uint64_t calls, std::int64_t saved_ns,
                                 const std::string& name) const;
  // The line for callers that are not shown.
  [[nodiscard]] std::string more(std::size_t callers, std::uint64_t calls,
                                 std::int64_t saved_ns) const;

 private:
  [[nodiscard]] std::string numbers(const std::string& calls, const std::string& share,
                                    const std::string& rate, const std::string& saved) const;
  void share_room();
  void add_below(std::string& out, const std::string& what, const std::string& text) const;

  const Report& report_;
  std::size_t width_;
  // Widths of columns; 0: there is no such column.
  std::size_t calls_ = 13;
  std::size_t rate_ = 12;
  std::size_t saved_ = 0;
  std::size_t clock_ = 16;
  std::size_t name_ = 32;
  std::size_t module_ = 14;
  std::size_t below_ = 57;  // where text below a caller begins
};

}  // namespace clockshim
