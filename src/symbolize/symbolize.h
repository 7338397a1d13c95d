// Names for frames, by elfutils: functions, files and lines, and what the compiler inlined. Out of
// process, at leisure: reads ELF files, separate debug files by build-id, and debuginfod's where
// DEBUGINFOD_URLS is set. symbolize.cpp has the order of things; elfutils stands behind
// debug_info.h and imported_calls.h.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "report/report.h"
#include "symbolize/debug_info.h"
#include "symbolize/perf_map.h"

namespace clockshim {

class Symbolizer {
 public:
  // `root`: stands in front of all paths that are opened; "" but in tests.
  explicit Symbolizer(std::string root = "") : root_(std::move(root)) {}

  // Names the frames of sites and stacks, puts in frames for inlined functions, and adds notes on
  // what could not be used. A name that is there stays where nothing better is known. `owner`: the
  // user whose process it was, as far as known; files of generated code are believed only if they
  // are that user's, ours or root's.
  void name(Report& report, uid_t owner);

 private:
  // A module's names; null: no file that is certain to be the one that ran.
  DebugInfo* module_of(const ReportFrame& frame, Report& report);
  std::vector<ReportFrame> named(const ReportFrame& frame, Report& report,
                                 const PerfMap& generated);
  // Whether the function that asks for REALTIME calls a wait, too, whose time-out is on REALTIME.
  void examine_caller(ReportSite& site, Report& report);
  void name_all(std::vector<ReportSite>& sites, Report& report, const PerfMap& generated);

  std::string root_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<DebugInfo>>
      modules_;  // by path and build-id
  std::map<std::pair<DebugInfo*, std::uint64_t>, std::vector<ReportFrame>> known_;
};

}  // namespace clockshim
