// Names frames with elfutils: functions, files and lines, and functions that the compiler inlined.
// It runs outside of the process and may take its time: it reads ELF files, separate debug files by
// build-id, and those of debuginfod if DEBUGINFOD_URLS is set. symbolize.cpp decides the order;
// debug_info.h and imported_calls.h hide elfutils.
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
  // `root` is put before all paths that are opened; only tests use it.
  explicit Symbolizer(std::string root = "") : root_(std::move(root)) {}

  // Names the frames of sites and stacks, inserts frames for inlined functions, and adds notes
  // about what could not be used. A name is kept if nothing better is known. `owner` is the user of
  // the process, as far as known: files about generated code are only believed if they belong to
  // that user, to us or to root.
  void name(Report& report, uid_t owner);

 private:
  // The debug information of a frame's module; null: no file is certain to be the one that ran.
  DebugInfo* module_of(const ReportFrame& frame, Report& report);
  std::vector<ReportFrame> named(const ReportFrame& frame, Report& report,
                                 const PerfMap& generated);
  // Finds the caller's function, and whether one that reads REALTIME also calls a wait with a
  // REALTIME time-out.
  void examine_caller(ReportSite& site, Report& report);
  void name_all(std::vector<ReportSite>& sites, Report& report, const PerfMap& generated);

  std::string root_;
  std::map<std::pair<std::string, std::string>, std::unique_ptr<DebugInfo>>
      modules_;  // keyed by path and build-id
  std::map<std::pair<DebugInfo*, std::uint64_t>, std::vector<ReportFrame>> known_;
};

}  // namespace clockshim
