// The names of a live file: frames that no module's symbol table names, and interpreters whose
// functions can't be reported.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "live/layout.h"
#include "report/live_sections.h"
#include "report/report.h"

namespace clockshim {

class LiveNames {
 public:
  explicit LiveNames(const LiveRecords<live::NameRecord>& records) : records_(records) {}

  // The frame with this number of a name, if there is one.
  [[nodiscard]] ReportFrame frame(std::uint64_t number) const;

  // Adds what the operator should know of interpreters. `executable` is the path of the module
  // whose record has none.
  void add_notes(const std::string& executable, std::vector<std::string>& notes) const;

 private:
  LiveRecords<live::NameRecord> records_;
};

}  // namespace clockshim
