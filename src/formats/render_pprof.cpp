// pprof's profile.proto, gzipped: https://github.com/google/pprof/blob/main/proto/profile.proto.
// The field numbers are those of that file.
#include <map>

#include "formats/formats.h"
#include "formats/gzip.h"
#include "formats/protobuf.h"
#include "formats/thread_slices.h"

namespace clockshim {
namespace {

class Profile {
 public:
  explicit Profile(const StackOptions& options) : options_(options) {
    string_of("");  // the first string must be the empty one
    ProtoMessage calls;
    calls.number(1, string_of("calls"));
    calls.number(2, string_of("count"));
    head_.message(1, calls);
  }

  // pprof assumes that the first mapping is the program.
  void add_program(const Report& report) {
    for (const ReportSite& site : report.sites) {
      for (const ReportFrame& frame : site.frames) {
        if (!report.program.empty() && base_name(frame.module).starts_with(report.program)) {
          mapping_of(frame);
          return;
        }
      }
    }
  }

  void add(const Report& report) {
    for (const ThreadSlice& slice : drawn_slices(report, options_)) add(report, slice);
  }

  void comment(const std::string& text) { tail_.number(13, string_of(one_line(text))); }
  void times(double started_at, double seconds) {
    tail_.number(9, static_cast<std::uint64_t>(started_at * 1e9));
    tail_.number(10, static_cast<std::uint64_t>(seconds * 1e9));
  }

  [[nodiscard]] std::string bytes() const {
    ProtoMessage strings;
    for (const std::string& text : strings_) strings.text(6, text);
    return head_.bytes() + mappings_.bytes() + locations_.bytes() + functions_.bytes() +
           strings.bytes() + tail_.bytes();
  }

 private:
  struct Line {
    std::string function;
    std::string file;
    std::uint32_t line;
    auto operator<=>(const Line&) const = default;
  };
  using Lines = std::vector<Line>;

  void add(const Report& report, const ThreadSlice& slice) {
    for (const ReportSite& site : slice.sites) {
      std::vector<std::uint64_t> stack{location_of({{question(site), "", 0}}, ReportFrame{})};
      if (site.frames.empty()) stack.push_back(location_of({{"unknown", "", 0}}, ReportFrame{}));
      Lines lines;
      for (std::size_t i = 0; i < drawn_frames(site, options_); ++i) {
        const ReportFrame& frame = site.frames[i];
        lines.push_back(
            {function_name(frame) + mark_of(site, i), one_line(frame.file), frame.line});
        if (frame.inlined)
          continue;  // it shares the location of the function that it was inlined into
        stack.push_back(location_of(lines, frame));
        lines.clear();
      }
      ProtoMessage sample;
      sample.packed(1, stack);
      sample.packed(2, {site.calls});
      sample.message(3, label("process", process_name(report)));
      if (!slice.thread.empty()) sample.message(3, label("thread", slice.id));
      sample.message(3, label("clock", one_line(site.clock)));
      sample.message(3, label("count", site.sampled ? "sampled" : "exact"));
      head_.message(2, sample);
    }
  }

  std::uint64_t string_of(const std::string& text) {
    const auto [found, added] = string_numbers_.try_emplace(text, strings_.size());
    if (added) strings_.push_back(text);
    return found->second;
  }

  ProtoMessage label(const std::string& key, const std::string& value) {
    ProtoMessage out;
    out.number(1, string_of(key));
    out.number(2, string_of(value));
    return out;
  }

  std::uint64_t mapping_of(const ReportFrame& frame) {
    if (frame.module.empty()) return 0;
    const auto [found, added] =
        mapping_numbers_.try_emplace({frame.module, frame.build_id}, mapping_numbers_.size() + 1);
    if (added) {
      ProtoMessage mapping;
      mapping.number(1, found->second);
      mapping.number(5, string_of(one_line(frame.module)));
      mapping.number(6, string_of(one_line(frame.build_id)));
      for (const unsigned has_names : {7U, 8U, 9U, 10U})
        mapping.number(has_names, 1);  // so pprof has nothing to look up
      mappings_.message(3, mapping);
    }
    return found->second;
  }

  std::uint64_t function_of(const Line& line) {
    const auto [found, added] =
        function_numbers_.try_emplace({line.function, line.file}, function_numbers_.size() + 1);
    if (added) {
      ProtoMessage function;
      function.number(1, found->second);
      function.number(2, string_of(line.function));
      function.number(3, string_of(line.function));
      function.number(4, string_of(line.file));
      functions_.message(5, function);
    }
    return found->second;
  }

  std::uint64_t location_of(const Lines& lines, const ReportFrame& frame) {
    const std::uint64_t mapping = mapping_of(frame);
    const std::uint64_t address = frame.offset == 0 ? 0 : frame.offset - 1;
    const auto [found, added] =
        location_numbers_.try_emplace({lines, mapping, address}, location_numbers_.size() + 1);
    if (added) {
      ProtoMessage location;
      location.number(1, found->second);
      location.number(2, mapping);
      location.number(3, address);
      for (const Line& line : lines) {
        ProtoMessage out;
        out.number(1, function_of(line));
        out.number(2, line.line);
        location.message(4, out);
      }
      locations_.message(4, location);
    }
    return found->second;
  }

  StackOptions options_;
  ProtoMessage head_, mappings_, locations_, functions_, tail_;
  std::vector<std::string> strings_;
  std::map<std::string, std::uint64_t> string_numbers_;
  std::map<std::pair<std::string, std::string>, std::uint64_t> mapping_numbers_, function_numbers_;
  std::map<std::tuple<Lines, std::uint64_t, std::uint64_t>, std::uint64_t> location_numbers_;
};

}  // namespace

std::string render_pprof(const Reports& reports, const StackOptions& options) {
  Profile profile(options);
  double started_at = 0;
  double seconds = 0;
  for (const Report& report : reports) profile.add_program(report);
  for (const Report& report : reports) {
    profile.add(report);
    if (report.started_at > 0 && (started_at == 0 || report.started_at < started_at))
      started_at = report.started_at;
    seconds = std::max(seconds, report.seconds);
    for (const std::string& note : report.notes)
      profile.comment(process_name(report) + ": " + note);
  }
  profile.times(started_at, seconds);
  return gzip(profile.bytes());
}

}  // namespace clockshim
