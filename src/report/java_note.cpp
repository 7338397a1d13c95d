#include "report/java_note.h"

#include <algorithm>
#include <string>

#include "report/frames.h"

namespace clockshim {
namespace {

constexpr const char* kNote =
    "callers in code that the Java virtual machine has generated (compiled methods, its "
    "interpreter) have no names: run java with "
    "-XX:+UnlockDiagnosticVMOptions -XX:+DumpPerfMapAtExit, or use jcmd PID Compiler.perfmap while "
    "it runs (JDK 17 and later), and "
    "clockshim report finds them in /tmp/perf-PID.map";

}  // namespace

void note_nameless_java(Report& report) {
  report.notes.erase(std::remove(report.notes.begin(), report.notes.end(), kNote),
                     report.notes.end());
  const auto in_java = [](const ReportFrame& frame) {
    return base_name(frame.module) == "libjvm.so";
  };
  const auto nameless = [](const ReportFrame& frame) {
    return frame.module.empty() && frame.symbol.empty() && frame.offset != 0;
  };
  // The caller is behind the virtual machine's clock, or behind a native method of its class
  // library, which is in a module of its own.
  const bool java =
      std::any_of(report.sites.begin(), report.sites.end(), [&](const ReportSite& site) {
        return std::any_of(site.frames.begin(), site.frames.end(), in_java);
      });
  const bool unknown =
      std::any_of(report.sites.begin(), report.sites.end(),
                  [&](const ReportSite& site) { return nameless(caller_of(site)); });
  if (java && unknown) report.notes.emplace_back(kNote);
}

}  // namespace clockshim
