// The report for programs: JSON, schema version 1. Written by hand, because the preloaded library links nothing for it.
#include <fmt/format.h>

#include "report/report.h"

namespace clockshim {
namespace {

// RFC 8259, section 7. Bytes that are not ASCII pass as they are: names and paths are UTF-8 where they are sane, and
// bytes that can't be UTF-8 (an odd path) are written as U+FFFD so that parsers accept the rest.
std::size_t utf8_length(std::string_view s) {
  const auto lead = static_cast<unsigned char>(s[0]);
  const std::size_t length = lead < 0x80 ? 1 : lead >= 0xF0 && lead < 0xF5 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
  if (length == 0 || lead >= 0xF5 || s.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(s[i]) & 0xC0) != 0x80) return 0;
  }
  return length;
}

std::string quoted(std::string_view s) {
  std::string out = "\"";
  while (!s.empty()) {
    const std::size_t length = utf8_length(s);
    const char c = s[0];
    if (length == 0) {
      out += "\\ufffd";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += s.substr(0, length);
    }
    s.remove_prefix(length == 0 ? 1 : length);
  }
  return out + "\"";
}

template <class Range, class F>
std::string joined(const Range& range, std::string_view separator, F f) {
  std::string out;
  for (const auto& item : range) {
    if (!out.empty()) out += separator;
    out += f(item);
  }
  return out;
}

std::string frame_json(const ReportFrame& f) {
  // file and line come from debug data, which only the command reads.
  return fmt::format(R"({{"symbol": {}, "symbol_offset": {}, "module": {}, "offset": {}, "file": null, "line": null}})",
                     f.symbol.empty() ? "null" : quoted(f.symbol), f.symbol_offset, f.module.empty() ? "null" : quoted(f.module), f.offset);
}

}  // namespace

std::string render_json(const Report& r) {
  std::string out = "{\n  \"schema_version\": 1,\n";
  const auto text = [&](std::string_view key, const std::string& value) { out += fmt::format("  \"{}\": {},\n", key, quoted(value)); };
  const auto number = [&](std::string_view key, auto value) { out += fmt::format("  \"{}\": {},\n", key, value); };
  text("clockshim_version", r.version);
  text("program", r.program);
  number("pid", r.pid);
  out += fmt::format("  \"seconds\": {:.6f},\n", r.seconds);
  text("clocksource", r.clocksource);
  text("mode", r.mode);
  text("mode_reason", r.mode_reason);
  text("order", r.order);
  text("profile", r.profile);
  number("tolerance_ns", r.tolerance_ns);
  out += fmt::format("  \"clocks\": {{{}}},\n", joined(r.clocks, ", ", [](const ReportClock& c) {
                       return fmt::format(R"({}: {{"calls": {}, "served": {}, "real": {}, "resyncs": {}}})", quoted(c.name), c.calls,
                                          c.served, c.real, c.resyncs);
                     }));
  out += fmt::format(R"(  "accuracy": {{"samples": {}, "p50_ns": {}, "p99_ns": {}, "max_ns": {}, "over_tolerance": {}}},)", r.samples,
                     r.p50_ns, r.p99_ns, r.max_ns, r.over_tolerance) +
         "\n";
  number("disturbances", r.disturbances);
  number("dropped", r.dropped);
  out += fmt::format("  \"notes\": [{}],\n", joined(r.notes, ", ", [](const std::string& n) { return quoted(n); }));
  out += fmt::format("  \"sites\": [{}]\n}}\n", joined(r.sites, ",", [](const ReportSite& s) {
                       return fmt::format(
                           "\n    {{\"calls\": {}, \"clock\": {}, \"function\": {}, \"sampled\": false, \"exact_frames\": {}, "
                           "\"frames\": [\n      {}]}}",
                           s.calls, quoted(s.clock), quoted(s.function), s.exact_frames, joined(s.frames, ",\n      ", frame_json));
                     }));
  return out;
}

}  // namespace clockshim
