#include "preload/collect.h"

#include <algorithm>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "live/region.h"
#include "os/thread_id.h"
#include "report/elf_symbols.h"
#include "report/java_note.h"
#include "report/read_live.h"
#include "report/text.h"

namespace clockshim {

Report collect_report() {
  Report report;
  std::string problem;
  const std::size_t size =
      live::current().header.sections[static_cast<unsigned>(live::SectionId::stacks)].count == 0
          ? live::kSizeWithoutStacks
          : sizeof(live::Region);
  if (!read_live(std::as_bytes(std::span(&live::current(), 1)).first(size), report, problem))
    report.notes.push_back("the counts " + problem);
  return report;
}

void name_callers(Report& report, bool demangle, const Deadline& deadline) {
  std::vector<ReportFrame*> frames;
  for (auto* sites : {&report.sites, &report.stacks}) {
    for (ReportSite& site : *sites) {
      for (ReportFrame& frame : site.frames) {
        if (!frame.module.empty()) frames.push_back(&frame);
      }
    }
  }
  const auto place = [](const ReportFrame* frame) {
    return std::tie(frame->module, frame->offset);
  };
  std::sort(frames.begin(), frames.end(),
            [&](const ReportFrame* a, const ReportFrame* b) { return place(a) < place(b); });
  bool in_time = true;
  for (auto first = frames.begin(); first != frames.end();) {
    const std::string& module = (*first)->module;
    const auto end = std::find_if(
        first, frames.end(), [&](const ReportFrame* frame) { return frame->module != module; });
    std::vector<WantedSymbol> wanted;
    for (auto frame = first; frame != end; ++frame) {
      // A return address may be the start of the next function, so look up the byte before it.
      const std::uint64_t at = (*frame)->offset - 1;
      if (wanted.empty() || wanted.back().at != at) wanted.push_back({at});
    }
    std::sort(wanted.begin(), wanted.end(),
              [](const WantedSymbol& a, const WantedSymbol& b) { return a.at < b.at; });
    in_time = find_symbols(module, wanted, demangle, deadline) && in_time;
    for (; first != end; ++first) {
      const auto found =
          std::lower_bound(wanted.begin(), wanted.end(), (*first)->offset - 1,
                           [](const WantedSymbol& w, std::uint64_t at) { return w.at < at; });
      (*first)->symbol = found->name;
      (*first)->symbol_offset = found->name.empty() ? 0 : found->offset + 1;
    }
  }
  if (!in_time)
    report.notes.emplace_back(
        "no time to name all callers at exit; clockshim report names them from a JSON report");
  note_nameless_java(report);
}

void name_own_threads(Report& report, const Deadline& deadline) {
  for (ReportThread& thread : report.threads) {
    if (deadline.passed()) return;
    if (thread.tid != 0 && !thread.ended) thread.name = printable(name_of_thread(thread.tid));
  }
}

}  // namespace clockshim
