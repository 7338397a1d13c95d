// Compares two reports, caller by caller.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analysis/callers.h"
#include "report/report.h"

namespace clockshim {

// The change of one caller, or of all. Amounts are calls, or calls a second.
struct Change {
  enum class Kind { both, appeared, gone };

  Caller caller;
  Kind kind = Kind::both;
  std::uint64_t calls_before = 0;
  std::uint64_t calls_after = 0;
  double before = 0;
  double after = 0;
  [[nodiscard]] double difference() const { return after - before; }
  [[nodiscard]] double ratio() const { return before > 0 ? after / before : 0; }  // 0: none
};

struct Comparison {
  bool per_second = false;  // amounts are calls a second
  Change all;
  std::vector<Change> callers;  // the largest difference first, whatever its sign
};

// What the amounts are: calls a second if the runs' lengths differ by more than 5 %; or always
// calls, as for two runs that do the same work in different times.
enum class Amounts { by_length, calls };

Comparison compare(const Report& before, const Report& after, Amounts amounts);

// The table is at most `width` wide, as far as its figures leave room; 0: as wide as tables in
// files.
std::string render_diff_text(const Report& before, const Report& after, Amounts amounts,
                             std::size_t width);
std::string render_diff_json(const Report& before, const Report& after, Amounts amounts);

}  // namespace clockshim
