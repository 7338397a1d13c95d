// One stack in each line, outermost frame first, with its calls: the format that flamegraph.pl,
// inferno and speedscope read.
#include <algorithm>
#include <map>

#include "formats/formats.h"
#include "formats/thread_slices.h"

namespace clockshim {
namespace {

// ';' separates frames in this format.
std::string folded_name(std::string name) {
  std::replace(name.begin(), name.end(), ';', ':');
  return name;
}

}  // namespace

std::string render_folded(const Reports& reports, const StackOptions& options) {
  std::map<std::string, std::uint64_t> lines;
  for (const Report& report : reports) {
    for (const ThreadSlice& slice : drawn_slices(report, options)) {
      for (const ReportSite& site : slice.sites) {
        std::string line = folded_name(process_name(report));
        if (!slice.thread.empty()) line += ";" + folded_name(slice.thread);
        if (site.frames.empty()) line += ";unknown";
        for (std::size_t i = drawn_frames(site, options); i-- > 0;) {
          line += ";" + folded_name(function_name(site.frames[i]) + mark_of(site, i));
        }
        lines[line + ";" + folded_name(question(site))] += site.calls;
      }
    }
  }
  std::string out;
  for (const auto& [line, calls] : lines) {
    if (calls != 0) out += line + " " + std::to_string(calls) + "\n";
  }
  return out;
}

}  // namespace clockshim
