// The names of a live file: frames that no module's symbol table names, and interpreters whose
// functions are not told.
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

  // By the number of its name, as far as there is one.
  [[nodiscard]] ReportFrame frame(std::uint64_t number) const;

  // What the operator should know of interpreters. `executable`: the path of the module that has
  // none.
  void add_notes(const std::string& executable, std::vector<std::string>& notes) const;

 private:
  LiveRecords<live::NameRecord> records_;
};

}  // namespace clockshim
