#include "cli/livefiles/load_report.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "analysis/read_json.h"
#include "cli/livefiles/live_dir.h"
#include "cli/livefiles/thread_names.h"
#include "live/layout.h"
#include "os/read_file.h"

namespace clockshim::cli {
namespace {

constexpr std::size_t kLargestReport = std::size_t{256} << 20;

// The user who may name generated code: the owner of the file.
uid_t owner_of(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0 ? info.st_uid : geteuid();
}

// Whether `child` is of a process that the other's process forked, or that runs under the same
// command.
bool is_child(const live::Header& child, const live::Header& parent) {
  if (child.pid_namespace != parent.pid_namespace || child.started_at < parent.started_at)
    return false;
  return child.forked_from == parent.pid || child.run_pid == parent.pid;
}

bool is_link(const std::string& path) {
  live::Segment segment;
  return live::read_link(AT_FDCWD, path.c_str(), segment);
}

}  // namespace

bool load_live(const std::string& path, Symbolizer& symbolizer, Report& out, std::string& problem) {
  const auto file = LiveFile::open(path, problem);
  if (!file) return false;
  out = file->report();
  name_threads(*file, out);
  symbolizer.name(out, owner_of(path));
  return true;
}

bool load_file(const std::string& path, Symbolizer& symbolizer, Report& out, std::string& problem) {
  if (is_link(path)) {
    if (load_live(path, symbolizer, out, problem)) return true;
    problem = "report \"" + path +
              "\": " + (problem.empty() ? "holds nothing that was not told" : problem);
    return false;
  }
  const bool standard_input = path == "-";
  std::string text;
  const int error = standard_input ? read_all(STDIN_FILENO, text, kLargestReport)
                                   : read_file(path, text, kLargestReport);
  if (error != 0) {
    problem = std::strerror(error);
  } else if (text.starts_with(std::string_view(live::kMagic, sizeof live::kMagic))) {
    if (!standard_input && load_live(path, symbolizer, out, problem)) return true;
    if (standard_input) problem = "is a live file: name it, instead of standard input";
  } else if (read_json(text, out, problem)) {
    symbolizer.name(out, standard_input ? geteuid() : owner_of(path));
    return true;
  }
  problem = "report \"" + path + "\": " + problem;
  return false;
}

bool TargetLoader::load(const std::vector<Target>& targets, std::vector<Report>& out,
                        std::string& problem) {
  const std::size_t before = out.size();
  std::string last;
  for (const Target& target : targets) {
    if (target.pid != 0) {
      if (load_process(target.pid, out, last)) continue;
      last.insert(0, "report " + std::to_string(target.pid) + ": ");
      if (target.found) continue;
    } else if (Report report; load_file(target.path, symbolizer_, report, last)) {
      out.push_back(std::move(report));
      continue;
    }
    problem = last;
    return false;
  }
  if (out.size() == before) problem = last;
  return out.size() > before;
}

bool TargetLoader::load_process(long pid, std::vector<Report>& out, std::string& problem) {
  const Folders folders = finder_.folders_of(pid);
  const std::vector<std::string> own = live_files_of(pid, folders);
  const auto first = own.empty() ? std::nullopt : LiveFile::open(own.front(), problem);
  if (!first) {
    problem = why_no_live_file(pid, folders);
    return false;
  }
  std::vector<live::Header const*> family{&first->header()};
  std::vector<LiveFile> kept;  // keeps the headers alive
  std::vector<std::string> paths{own.front()};
  std::vector<std::string> rest;
  if (children_) rest = live_files(folders);
  kept.reserve(rest.size());
  // Repeat until no new process is found, because a child's child may be listed before it.
  for (bool found = true; found;) {
    found = false;
    for (std::string& path : rest) {
      if (path.empty() || path == own.front()) continue;
      auto file = LiveFile::open(path, problem);
      const auto of_family = [&](const live::Header* member) {
        return is_child(file->header(), *member);
      };
      if (!file || std::none_of(family.begin(), family.end(), of_family)) continue;
      kept.push_back(std::move(*file));
      family.push_back(&kept.back().header());
      paths.push_back(path);
      path.clear();
      found = true;
    }
  }
  for (const std::string& path : paths) {
    Report report;
    if (!loaded_.insert(path).second) continue;
    if (load_live(path, symbolizer_, report, problem)) {
      out.push_back(std::move(report));
    } else if (path == own.front()) {
      problem.insert(0, path + " ");
      return false;
    }
  }
  return true;
}

}  // namespace clockshim::cli
