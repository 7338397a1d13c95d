// speedscope's own JSON: https://www.speedscope.app/file-format-schema.json. It has one profile for
// each report, or for each thread; calls are the weights.
#include <map>
#include <nlohmann/json.hpp>

#include "formats/formats.h"
#include "formats/thread_slices.h"

namespace clockshim {
namespace {

using Json = nlohmann::ordered_json;

class Frames {
 public:
  std::size_t number_of(const std::string& name, const std::string& file, std::uint32_t line) {
    const auto [found, added] = numbers_.try_emplace({name, file, line}, list_.size());
    if (added) {
      Json frame = {{"name", name}};
      if (!file.empty()) frame["file"] = file;
      if (line != 0) frame["line"] = line;
      list_.push_back(std::move(frame));
    }
    return found->second;
  }
  [[nodiscard]] const Json& list() const { return list_; }

 private:
  std::map<std::tuple<std::string, std::string, std::uint32_t>, std::size_t> numbers_;
  Json list_ = Json::array();
};

Json profile(const std::string& name, const ThreadSlice& slice, const StackOptions& options,
             Frames& frames) {
  Json samples = Json::array();
  Json weights = Json::array();
  std::uint64_t sum = 0;
  for (const ReportSite& site : slice.sites) {
    Json stack = Json::array();
    if (site.frames.empty()) stack.push_back(frames.number_of("unknown", "", 0));
    for (std::size_t i = drawn_frames(site, options); i-- > 0;) {
      const ReportFrame& frame = site.frames[i];
      // If no source is known, the module takes its place.
      stack.push_back(frames.number_of(function_name(frame) + mark_of(site, i),
                                       one_line(frame.file.empty() ? frame.module : frame.file),
                                       frame.line));
    }
    stack.push_back(frames.number_of(question(site), "", 0));
    samples.push_back(std::move(stack));
    weights.push_back(site.calls);
    sum += site.calls;
  }
  return {{"type", "sampled"},
          {"name", name + (slice.thread.empty() ? "" : " " + slice.thread) + ": clock calls"},
          {"unit", "none"},
          {"startValue", 0},
          {"endValue", sum},
          {"samples", std::move(samples)},
          {"weights", std::move(weights)}};
}

}  // namespace

std::string render_speedscope(const Reports& reports, const StackOptions& options) {
  Frames frames;
  Json profiles = Json::array();
  for (const Report& report : reports) {
    for (const ThreadSlice& slice : drawn_slices(report, options))
      profiles.push_back(profile(process_name(report), slice, options, frames));
  }
  const Json file = {{"$schema", "https://www.speedscope.app/file-format-schema.json"},
                     {"exporter", "clockshim " CLOCKSHIM_VERSION},
                     {"name", reports.size() == 1 ? process_name(reports.front())
                                                  : std::to_string(reports.size()) + " reports"},
                     {"activeProfileIndex", 0},
                     {"shared", {{"frames", frames.list()}}},
                     {"profiles", std::move(profiles)}};
  return file.dump() + "\n";
}

}  // namespace clockshim
