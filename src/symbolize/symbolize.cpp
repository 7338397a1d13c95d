#include "symbolize/symbolize.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "report/frames.h"
#include "report/java_note.h"
#include "report/text.h"

namespace clockshim {
namespace {

void note(Report& report, const std::string& text) {
  if (std::find(report.notes.begin(), report.notes.end(), text) == report.notes.end())
    report.notes.push_back(text);
}

// Whether the file has not changed since before the process started. Without a build-id, only then
// is it certainly the file that the process used. The kernel notes changes by its coarse clock, of
// 10 ms at most, and some file systems keep seconds alone.
bool unchanged_since(const std::string& path, double started_at) {
  constexpr double kCoarse = 0.02;
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return false;
  const double changed =
      static_cast<double>(info.st_ctim.tv_sec) + static_cast<double>(info.st_ctim.tv_nsec) / 1e9;
  return changed + (info.st_ctim.tv_nsec == 0 ? 1 : kCoarse) < started_at;
}

bool is_hexadecimal(const std::string& s) {
  return s.size() > 2 && s.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

DebugInfo* Symbolizer::module_of(const ReportFrame& frame, Report& report) {
  const auto [known, added] = modules_.try_emplace({frame.module, frame.build_id}, nullptr);
  if (!added) return known->second.get();
  std::unique_ptr<DebugInfo>& module = known->second;
  std::vector<std::string> places{root_ + frame.module};
  if (is_hexadecimal(frame.build_id)) {
    // The process may see another file system than we do, and its file may be deleted while its
    // debug file exists.
    if (report.state == "running")
      places.push_back(root_ + "/proc/" + std::to_string(report.pid) + "/root" + frame.module);
    places.push_back(root_ + "/usr/lib/debug/.build-id/" + frame.build_id.substr(0, 2) + "/" +
                     frame.build_id.substr(2) + ".debug");
  }
  bool another = false;
  for (const std::string& path : places) {
    struct stat info {};
    if (stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    std::unique_ptr<DebugInfo> file = DebugInfo::open(path);
    if (file == nullptr) continue;
    if (frame.build_id.empty() ? unchanged_since(path, report.started_at)
                               : file->build_id() == frame.build_id) {
      module = std::move(file);
      return module.get();
    }
    another = true;
  }
  if (frame.build_id.empty()) {
    if (another) {
      note(report,
           "the report has no build-id for some modules: the files that are there may not be those "
           "that ran, so lines are not told");
    }
  } else {
    note(report,
         one_line(frame.module) +
             (another ? " is not the file that ran (build-id " : ": no file is there (build-id ") +
             frame.build_id.substr(0, 12) +
             "): its callers are told by offset, or as the process told them");
  }
  return nullptr;
}

std::vector<ReportFrame> Symbolizer::named(const ReportFrame& frame, Report& report,
                                           const PerfMap& generated) {
  // The byte before the return address is the last one of the call.
  const std::uint64_t call = frame.offset == 0 ? 0 : frame.offset - 1;
  if (frame.module.empty()) {
    ReportFrame out = frame;
    std::uint64_t offset = 0;
    if (const std::string* name = generated.at(call, offset); name != nullptr) {
      out.symbol = *name;
      out.symbol_offset = offset + 1;
    }
    return {out};
  }
  DebugInfo* const module = module_of(frame, report);
  if (module == nullptr) return {frame};
  const auto [known, added] = known_.try_emplace({module, frame.offset});
  if (added) {
    for (const DebugInfo::Function& function : module->at(call)) {
      ReportFrame out = frame;
      if (!function.name.empty() || function.inlined) {
        out.symbol = function.name;
        out.symbol_offset = function.inlined ? 0 : function.offset + 1;
      }
      out.file = function.file;
      out.line = function.line;
      out.inlined = function.inlined;
      known->second.push_back(out);
    }
  }
  std::vector<ReportFrame> out = known->second;
  if (out.back().symbol.empty()) {
    out.back().symbol = frame.symbol;
    out.back().symbol_offset = frame.symbol_offset;
  }
  return out;
}

void Symbolizer::examine_caller(ReportSite& site, Report& report) {
  // The time-outs of these functions are CLOCK_REALTIME times (POSIX); pthread_cond_timedwait's
  // unless its attribute sets another clock.
  static const std::set<std::string, std::less<>> kWaits = {
      "pthread_cond_timedwait", "pthread_mutex_timedlock", "sem_timedwait",
      "pthread_rwlock_timedrdlock", "pthread_rwlock_timedwrlock"};
  // Allow one wrapper at most: with CLOCKSHIM_DEPTH the last exact frame is not the one that uses
  // the time.
  if (site.sampled || site.frames.empty() || site.exact_frames > 2) return;
  const ReportFrame caller = caller_of(site);
  DebugInfo* const module =
      caller.module.empty() || caller.offset == 0 ? nullptr : module_of(caller, report);
  if (module == nullptr) return;
  const ImportedCalls::Bounds function = module->code().function_at(caller.offset - 1);
  site.caller_function_start = function.start;
  if (site.clock != "realtime") return;
  for (std::string& name : module->code().between(function)) {
    if (kWaits.count(name) != 0) site.timed_wait = std::move(name);
  }
}

void Symbolizer::name_all(std::vector<ReportSite>& sites, Report& report,
                          const PerfMap& generated) {
  for (ReportSite& site : sites) {
    examine_caller(site, report);
    std::vector<ReportFrame> frames;
    std::size_t exact = 0;
    for (std::size_t i = 0; i < site.frames.size(); ++i) {
      // A frame with a line was handled before.
      const bool done = site.frames[i].inlined || !site.frames[i].file.empty();
      const std::vector<ReportFrame> all =
          done ? std::vector{site.frames[i]} : named(site.frames[i], report, generated);
      frames.insert(frames.end(), all.begin(), all.end());
      if (i < site.exact_frames) exact = frames.size();
    }
    site.frames = std::move(frames);
    site.exact_frames = exact;
  }
}

void Symbolizer::name(Report& report, uid_t owner) {
  const auto generated_code = [](const ReportSite& site) {
    return std::any_of(site.frames.begin(), site.frames.end(),
                       [](const ReportFrame& f) { return f.module.empty() && f.symbol.empty(); });
  };
  PerfMap generated;
  if (std::any_of(report.sites.begin(), report.sites.end(), generated_code) ||
      std::any_of(report.stacks.begin(), report.stacks.end(), generated_code)) {
    const std::string file = "/tmp/perf-" + std::to_string(report.pid) + ".map";
    std::string problem;
    // In a container the process has its own /tmp.
    if (report.state == "running") {
      generated =
          PerfMap(read_perf_map(root_ + "/proc/" + std::to_string(report.pid) + "/root" + file,
                                owner, report.started_at, problem));
    }
    if (generated.empty())
      generated = PerfMap(read_perf_map(root_ + file, owner, report.started_at, problem));
    if (!problem.empty()) note(report, problem);
  }
  name_all(report.sites, report, generated);
  name_all(report.stacks, report, generated);
  note_nameless_java(report);
}

}  // namespace clockshim
