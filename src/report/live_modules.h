// The modules of a live file, and frames in them: addresses become offsets that addr2line
// understands.
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
  // `executable` is the path of the module whose record has none.
  LiveModules(const LiveRecords<live::ModuleRecord>& records, const std::string& executable);

  // A frame in the module with this number, if there is one.
  [[nodiscard]] ReportFrame frame(std::uint16_t module, std::uint64_t pc) const;
  // A frame in the module that is loaded at that address.
  [[nodiscard]] ReportFrame frame(std::uint64_t pc) const;

 private:
  struct Module {
    std::uint64_t start = 0, end = 0, load_bias = 0;
    bool known = false;
    std::string path;
    std::string build_id;
  };

  std::vector<Module> all_;  // indexed by record
  std::vector<std::pair<std::uint64_t, std::uint32_t>>
      by_address_;  // start and index of the loaded ones
};

}  // namespace clockshim
