#include "cli/report/cmd_diff.h"

#include <unistd.h>

#include <memory>
#include <string>

#include "analysis/compare.h"
#include "cli/console/command_line.h"
#include "cli/livefiles/load_report.h"
#include "os/log.h"
#include "os/write.h"
#include "report/text.h"

namespace clockshim::cli {
namespace {

struct DiffOptions {
  bool json = false;
  std::string before;  // paths: live files or JSON reports
  std::string after;
};

int diff(const DiffOptions& options) {
  Symbolizer symbolizer;
  Report before;
  Report after;
  std::string problem;
  if (!load_file(options.before, symbolizer, before, problem) ||
      !load_file(options.after, symbolizer, after, problem))
    return refuse(problem);
  write_all(STDOUT_FILENO,
            options.json ? render_diff_json(before, after) : render_diff_text(before, after));
  return 0;
}

}  // namespace

void add_diff_command(CommandLine& line) {
  auto options = std::make_shared<DiffOptions>();
  Command& command = line.add("diff", "clockshim diff [--json] BEFORE AFTER",
                              "compare two runs, caller by caller", [options] {
                                if (options->after.empty())
                                  throw BadUsage("diff: must have two files");
                                return diff(*options);
                              });
  command.flag("--json", options->json, "print JSON, for programs");
  command.arguments("BEFORE AFTER", "live files or JSON reports",
                    [options](const std::string& value) -> std::string {
                      if (!options->after.empty()) return "must be two files";
                      (options->before.empty() ? options->before : options->after) = value;
                      return value.empty() ? "must be a file" : "";
                    });
  command.footer(
      "Callers are matched by module, function and clock. If the lengths of the runs differ, calls "
      "a second are compared.");
}

}  // namespace clockshim::cli
