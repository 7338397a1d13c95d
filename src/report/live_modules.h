// The modules of a live file, and frames in them: addresses as offsets that addr2line wants.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "live/layout.h"
#include "report/live_sections.h"
#include "report/report.h"

namespace clockshim {

class LiveModules {
 public:
  // `executable`: the path of the module that has none.
  LiveModules(const LiveRecords<live::ModuleRecord>& records, const std::string& executable);

  // In the module with this number, as far as there is one.
  [[nodiscard]] ReportFrame frame(std::uint16_t module, std::uint64_t pc) const;
  // In the module that is loaded there.
  [[nodiscard]] ReportFrame frame(std::uint64_t pc) const;

 private:
  struct Module {
    std::uint64_t start = 0, end = 0, load_bias = 0;
    bool known = false;
    std::string path;
    std::string build_id;
  };

  std::vector<Module> all_;  // as the records are numbered
  std::vector<std::pair<std::uint64_t, std::uint32_t>>
      by_address_;  // start and number, of those that are loaded
};

}  // namespace clockshim
