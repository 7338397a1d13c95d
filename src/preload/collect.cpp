#include "preload/collect.h"

#include <span>

#include "live/region.h"
#include "os/thread_id.h"
#include "report/java_note.h"
#include "report/printable.h"
#include "report/read_live.h"
#include "report/symbols.h"

namespace clockshim {

Report collect_report() {
  Report report;
  std::string problem;
  const std::size_t size = live::current().header.sections[static_cast<unsigned>(live::Part::stacks)].count == 0 ? live::kSizeWithoutStacks
                                                                                                                : sizeof(live::Region);
  if (!read_live(std::as_bytes(std::span(&live::current(), 1)).first(size), report, problem))
    report.notes.push_back("the counts " + problem);
  return report;
}

void name_callers(Report& report) {
  Symbols symbols;
  const auto name = [&](ReportFrame& frame) {
    if (frame.module.empty()) return;
    // The function of the call is that of the byte before the return address.
    const SymbolName found = symbols.at(frame.module, frame.offset - 1);
    frame.symbol = found.name;
    frame.symbol_offset = found.name.empty() ? 0 : found.offset + 1;
  };
  for (auto* sites : {&report.sites, &report.stacks}) {
    for (ReportSite& site : *sites) {
      for (ReportFrame& frame : site.frames) name(frame);
    }
  }
  note_nameless_java(report);
}

void name_threads(Report& report) {
  for (ReportThread& thread : report.threads) {
    if (thread.tid != 0 && !thread.ended) thread.name = printable(name_of_thread(thread.tid));
  }
}

}  // namespace clockshim
