// What the words behind report, top and diff mean: processes by number or by name, or files.
// Whoever is asked for a process that has no live file says why, and what would help.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/livefiles/live_folders.h"

namespace clockshim::cli {

// Either a process or a file.
struct Target {
  long pid = 0;      // in our pid namespace, unless it is gone; 0: it is a file
  std::string path;  // a live file, or a report; "-": standard input
  // It was found by a name or among all, and may have ended by now: then it is left out.
  bool found = false;
};

class ProcessFinder {
 public:
  // `dir` is the value of --dir; "": there is none.
  explicit ProcessFinder(std::string dir) : dir_(std::move(dir)) {}

  // Appends what one word means: a path (it has a slash in it, or is "-"); one or several process
  // ids, as pidof(1) prints them; the name of a program, which means all its processes that run and
  // have a live file, or the newest that is gone; or a file. False: `problem` says why it is none.
  bool find(const std::string& word, std::vector<Target>& out, std::string& problem) const;
  // Appends all processes that run and have a live file.
  bool find_all(std::vector<Target>& out, std::string& problem) const;
  // Appends the newest process that runs and has a live file, of this program ("": of any). If
  // there are others, `note` says so. If none runs and `program` is "", the newest one that is
  // gone.
  bool find_newest(const std::string& program, std::vector<Target>& out, std::string& note,
                   std::string& problem) const;

  [[nodiscard]] Folders folders_of(long pid) const { return live_folders_of(pid, dir_); }

 private:
  bool find_program(const std::string& name, std::vector<Target>& out, std::string& problem) const;

  std::string dir_;
};

// The process ids in a word, as pidof(1) prints them: "12 34 56". None: it has anything else in it.
std::vector<long> process_ids(const std::string& word);

// The processes of this name, which they have by the kernel or by their program's file. In order,
// without ourselves.
std::vector<long> processes_named(const std::string& name);
// What messages call a process; "": it may not be seen.
std::string name_of_process(long pid);

// Why no live file of this process was found in the folders, and what would help: "nginx runs
// without clockshim: ...".
std::string why_no_live_file(long pid, const Folders& folders);

}  // namespace clockshim::cli
