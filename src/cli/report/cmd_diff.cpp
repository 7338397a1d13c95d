#include "cli/report/cmd_diff.h"

#include <unistd.h>

#include "analysis/compare.h"
#include "cli/livefiles/load_report.h"
#include "os/log.h"
#include "os/write.h"
#include "report/text.h"

namespace clockshim::cli {

int diff(const DiffOptions& options) {
  constexpr int kUnreadable = 2;
  Symbolizer symbolizer;
  Report before;
  Report after;
  std::string problem;
  if (!load_file(options.before, symbolizer, before, problem) ||
      !load_file(options.after, symbolizer, after, problem)) {
    say(LogLevel::error, LogLevel::error, one_line(problem));
    return kUnreadable;
  }
  write_all(STDOUT_FILENO,
            options.json ? render_diff_json(before, after) : render_diff_text(before, after));
  return 0;
}

}  // namespace clockshim::cli
