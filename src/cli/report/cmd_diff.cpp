#include "cli/report/cmd_diff.h"

#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "analysis/compare.h"
#include "analysis/merge.h"
#include "cli/console/command_line.h"
#include "cli/console/output.h"
#include "cli/console/terminal_width.h"
#include "cli/livefiles/find_processes.h"
#include "cli/livefiles/load_report.h"
#include "os/log.h"
#include "report/text.h"

namespace clockshim::cli {
namespace {

struct DiffOptions {
  bool json = false;
  bool all = false;  // what comes after is all processes that run
  bool calls = false;
  std::string dir;
  std::vector<std::string> words;  // BEFORE and AFTER
};

// One report of all that a word means: of the processes of a program, say.
bool load(const ProcessFinder& finder, const std::vector<Target>& targets, Report& out,
          std::string& problem) {
  std::vector<Report> reports;
  if (!TargetLoader(finder, false).load(targets, reports, problem)) return false;
  out = merge(reports);
  return true;
}

int diff(const DiffOptions& options) {
  const ProcessFinder finder(options.dir);
  std::string problem;
  std::vector<Target> of_before;
  std::vector<Target> of_after;
  const auto find = [&](const std::string& word, std::vector<Target>& out) {
    if (finder.find(word, out, problem)) return true;
    problem.insert(0, "diff \"" + one_line(word) + "\": ");
    return false;
  };
  Report before;
  Report after;
  if (!find(options.words[0], of_before) || !load(finder, of_before, before, problem))
    return refuse(problem);
  if (options.words.size() > 1) {
    if (!find(options.words[1], of_after)) return refuse(problem);
  } else if (std::string note; options.all
                                   ? !finder.find_all(of_after, problem)
                                   : !finder.find_newest(before.program, of_after, note, problem)) {
    return refuse("diff: " + problem);
  } else if (!note.empty()) {
    say(LogLevel::warn, LogLevel::warn, "diff: " + note);
  }
  if (!load(finder, of_after, after, problem)) return refuse(problem);
  const Amounts amounts = options.calls ? Amounts::calls : Amounts::by_length;
  print(options.json ? render_diff_json(before, after, amounts)
                     : render_diff_text(before, after, amounts, terminal_width(STDOUT_FILENO)));
  return 0;
}

}  // namespace

void add_diff_command(CommandLine& line) {
  auto options = std::make_shared<DiffOptions>();
  Command& command =
      line.add("diff", "clockshim diff [--json] [--calls] [--all] [--dir D] BEFORE [AFTER]",
               "compare two runs, caller by caller", [options] {
                 const std::size_t most = options->all ? 1 : 2;
                 if (options->words.empty() || options->words.size() > most)
                   throw BadUsage("diff: must have BEFORE and AFTER, or only BEFORE");
                 return diff(*options);
               });
  command.flag("--json", options->json, "print JSON, for programs");
  command.flag("--calls", options->calls,
               "compare calls, not calls a second, whatever the runs' lengths");
  command.flag("--all", options->all, "AFTER is all processes that run under the shim now");
  add_folder_option(command, options->dir);
  command.arguments("BEFORE AFTER",
                    "live files, JSON reports, or processes, by number or by the name of their "
                    "program; default of AFTER: the newest process of the same program",
                    [options](const std::string& value) -> std::string {
                      if (options->words.size() > 1) return "must be two at most";
                      options->words.push_back(value);
                      return value.empty() ? "must be a process or a file" : "";
                    });
  command.footer(
      "Callers are matched by module, function and clock. If the lengths of the runs differ, calls "
      "a second are compared. Several processes of one program are summed.");
}

}  // namespace clockshim::cli
