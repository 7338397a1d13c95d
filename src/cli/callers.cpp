#include "cli/callers.h"

#include <algorithm>
#include <charconv>

#include "report/text.h"

namespace clockshim::cli {
namespace {

std::string hexadecimal(std::uint64_t n) {
  char digits[16];
  return std::string(digits, std::to_chars(digits, digits + sizeof digits, n, 16).ptr);
}

}  // namespace

Calls calls_by_caller(const Report& report, Symbols& symbols) {
  Calls calls;
  for (const ReportSite& site : report.sites) {
    Caller caller;
    caller.clock = site.clock;
    caller.function = site.function;
    caller.name = "unknown";
    if (!site.frames.empty()) {
      // The frame that the calls are counted under is the last of the exact ones; those before it are wrappers. Inlined ones stand
      // at the same offset.
      const std::size_t exact = std::clamp<std::size_t>(site.exact_frames, 1, site.frames.size());
      const ReportFrame& frame = site.frames[exact - 1];
      caller.module = one_line(frame.module.substr(frame.module.rfind('/') + 1));
      caller.name = frame.symbol;
      // The function of the call is that of the byte before the return address.
      if (caller.name.empty() && !frame.module.empty()) caller.name = symbols.at(frame.module, frame.offset - 1).name;
      caller.name = caller.name.empty() ? (caller.module.empty() ? "generated code" : caller.module) + "+0x" + hexadecimal(frame.offset)
                                        : one_line(caller.name);
    }
    calls[caller] += site.calls;
  }
  return calls;
}

}  // namespace clockshim::cli
