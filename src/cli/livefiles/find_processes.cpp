#include "cli/livefiles/find_processes.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <string_view>

#include "cli/console/values.h"
#include "cli/livefiles/live_dir.h"
#include "cli/livefiles/live_process.h"
#include "os/base_name.h"
#include "os/read_file.h"
#include "report/text.h"

namespace clockshim::cli {
namespace {

constexpr std::size_t kLongestComm = 15;
constexpr std::string_view kDeleted = " (deleted)";  // the kernel's, behind the path of a program

std::string process_folder(long pid) { return "/proc/" + std::to_string(pid); }

// The file name of its program; "" if it may not be seen.
std::string executable_name(long pid) {
  std::error_code error;
  std::string path = std::filesystem::read_symlink(process_folder(pid) + "/exe", error).string();
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  return base_name(path);
}

// What the kernel calls it: the beginning of its program's or script's name, unless it has set
// another.
std::string kernel_name(long pid) {
  std::string name = content_of(process_folder(pid) + "/comm");
  if (name.ends_with('\n')) name.pop_back();
  return name;
}

// The kernel's name ends after 15 characters; for a longer one, what the program was started as, or
// its file, has to be the same.
bool is_named(long pid, const std::string& name) {
  if (executable_name(pid) == name) return true;
  const std::string known = kernel_name(pid);
  if (name.size() <= kLongestComm) return !name.empty() && known == name;
  const std::string words = content_of(process_folder(pid) + "/cmdline");
  return known == name.substr(0, kLongestComm) &&
         base_name(words.substr(0, words.find('\0'))) == name;
}

// What the messages call it.
std::string words_for(long pid) {
  const std::string name = name_of_process(pid);
  return one_line(name.empty() ? "it" : name);
}

struct Counted {
  long pid;
  std::string program;
  std::string path;
  std::int64_t started_at;
  bool runs;
};

// The live files in the folders, the newest first. Not our own, which we have if LD_PRELOAD is set
// for all.
std::vector<Counted> counted_in(const Folders& folders) {
  std::vector<Counted> out;
  for (const std::string& path : live_files(folders)) {
    std::string problem;
    const auto file = LiveFile::open(path, problem);
    if (!file || file->pid() == getpid()) continue;
    const live::Header& header = file->header();
    out.push_back({file->pid(),
                   std::string(header.program, strnlen(header.program, sizeof header.program)),
                   path, header.started_at, file->life() == Liveness::running});
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Counted& a, const Counted& b) { return a.started_at > b.started_at; });
  return out;
}

std::string nobody_in(const Folders& folders) {
  return "no process that runs has a live file in " + one_line(in_words(folders)) +
         ": start one with `clockshim run COMMAND ...`; clockshim list shows those that are gone";
}

}  // namespace

std::vector<long> processes_named(const std::string& name) {
  std::vector<long> out = all_processes();
  std::erase_if(out, [&name](long pid) { return pid == getpid() || !is_named(pid, name); });
  return out;
}

std::string name_of_process(long pid) {
  const std::string name = executable_name(pid);
  return name.empty() ? kernel_name(pid) : name;
}

std::vector<long> process_ids(const std::string& word) {
  std::vector<long> out;
  std::istringstream parts(word);
  for (std::string part; parts >> part;) {
    const auto pid = process_id(part);
    if (!pid) return {};
    out.push_back(*pid);
  }
  return out;
}

std::string why_no_live_file(long pid, const Folders& folders) {
  const std::string number = std::to_string(pid);
  const std::string there = one_line(in_words(folders));
  struct stat info;
  if (stat(process_folder(pid).c_str(), &info) != 0)
    return "no such process runs, and none has left a live file in " + there;
  const std::string name = words_for(pid);
  const std::string maps = content_of(process_folder(pid) + "/maps");
  if (maps.empty() && info.st_uid != geteuid() && geteuid() != 0)
    return name + " is another user's process: permission denied, try sudo";
  if (maps.find("/libclockshim.so\n") != std::string::npos)
    return name + " has the library, but there is no live file of it in " + there +
           ": it has read no clock yet, or has another CLOCKSHIM_DIR";
  return name + " runs without clockshim: start it with `clockshim run " + name +
         " ...`, serve it from now on by `clockshim attach " + number +
         "`, or see `clockshim doctor " + number + "`";
}

bool ProcessFinder::find(const std::string& word, std::vector<Target>& out,
                         std::string& problem) const {
  if (word == "-" || word.find('/') != std::string::npos) {
    out.push_back({0, word});
    return true;
  }
  if (const std::vector<long> pids = process_ids(word); !pids.empty()) {
    for (const long pid : pids) out.push_back({pid, ""});
    return true;
  }
  const bool there = access(word.c_str(), F_OK) == 0;
  const bool report = word.ends_with(".json") || word.ends_with(".live");
  if (word.empty()) {
    problem = "must be a process id, the name of a program, or a file";
    return false;
  }
  if ((!there || !report) && find_program(word, out, problem)) return true;
  if (there) out.push_back({0, word});
  return there;
}

bool ProcessFinder::find_program(const std::string& name, std::vector<Target>& out,
                                 std::string& problem) const {
  const std::size_t before = out.size();
  const std::vector<long> named = processes_named(name);
  for (const long pid : named) {
    if (!live_files_of(pid, folders_of(pid)).empty()) out.push_back({pid, "", true});
  }
  if (out.size() > before) return true;
  const Folders folders = live_folders_of_all(dir_);
  const std::vector<Counted> all = counted_in(folders);
  const auto add_if = [&](bool runs) {
    for (const Counted& counted : all) {
      if (counted.program != name || counted.runs != runs) continue;
      out.push_back(runs ? Target{counted.pid, "", true} : Target{0, counted.path});
      if (!runs) break;  // the newest is enough
    }
    return out.size() > before;
  };
  if (add_if(true) || add_if(false)) return true;
  problem = named.empty() ? "no program of this name runs, none has left a live file in " +
                                one_line(in_words(folders)) + ", and there is no such file"
                          : why_no_live_file(named.front(), folders_of(named.front()));
  return false;
}

bool ProcessFinder::find_all(std::vector<Target>& out, std::string& problem) const {
  const Folders folders = live_folders_of_all(dir_);
  std::vector<long> pids;
  for (const Counted& counted : counted_in(folders)) {
    if (counted.runs) pids.push_back(counted.pid);
  }
  std::sort(pids.begin(), pids.end());
  // A program that a process was before exec may have left its file.
  pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
  for (const long pid : pids) out.push_back({pid, "", true});
  if (pids.empty()) problem = nobody_in(folders);
  return !pids.empty();
}

bool ProcessFinder::find_newest(const std::string& program, std::vector<Target>& out,
                                std::string& note, std::string& problem) const {
  const Folders folders = live_folders_of_all(dir_);
  std::vector<Counted> all = counted_in(folders);
  const bool any = program.empty();
  std::erase_if(all, [&](const Counted& counted) {
    return !any && (counted.program != program || !counted.runs);
  });
  // Those that run come first.
  std::stable_partition(all.begin(), all.end(),
                        [](const Counted& counted) { return counted.runs; });
  if (all.empty()) {
    problem = any ? nobody_in(folders)
                  : "no process of " + one_line(program) + " runs that has a live file in " +
                        one_line(in_words(folders));
    return false;
  }
  const Counted& first = all.front();
  out.push_back(first.runs ? Target{first.pid, ""} : Target{0, first.path});
  const auto run = std::count_if(all.begin(), all.end(), [](const Counted& c) { return c.runs; });
  if (run > 1)
    note = "this is the newest of " + std::to_string(run) +
           " processes; clockshim list shows the others, and --all takes them all";
  return true;
}

}  // namespace clockshim::cli
