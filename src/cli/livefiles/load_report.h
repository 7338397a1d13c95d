// Loads reports with names, from live files, JSON reports and processes.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "cli/livefiles/find_processes.h"
#include "report/report.h"
#include "symbolize/symbolize.h"

namespace clockshim::cli {

// Loads a live file or a JSON report from a path ("-": standard input). False: `problem` is a line
// that names it and says what is wrong.
bool load_file(const std::string& path, Symbolizer& symbolizer, Report& out, std::string& problem);

// Loads a live file. False: `problem` says why, in words that follow the path; "" if there is
// nothing to report.
bool load_live(const std::string& path, Symbolizer& symbolizer, Report& out, std::string& problem);

// Loads what targets mean, one after the other, each live file once.
class TargetLoader {
 public:
  // With `children`, a process stands for those that it forked, too, and for all that the same
  // `clockshim run` started; its own report comes first.
  TargetLoader(const ProcessFinder& finder, bool children) : finder_(finder), children_(children) {}

  // Appends the reports of all of them. False: `problem` is a line that names the one that can't be
  // loaded, and says what is wrong.
  bool load(const std::vector<Target>& targets, std::vector<Report>& out, std::string& problem);

 private:
  bool load_process(long pid, std::vector<Report>& out, std::string& problem);

  const ProcessFinder& finder_;
  bool children_;
  Symbolizer symbolizer_;
  std::set<std::string> loaded_;  // paths of live files
};

}  // namespace clockshim::cli
