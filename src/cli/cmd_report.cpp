#include "cli/cmd_report.h"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

#include "cli/load_report.h"
#include "cli/output_file.h"
#include "os/log.h"
#include "report/advice.h"
#include "report/formats.h"
#include "report/merge.h"

namespace clockshim::cli {
namespace {

constexpr int kFine = 0;
constexpr int kFailed = 2;

int refuse(const std::string& line) {
  say(LogLevel::error, LogLevel::error, one_line(line));
  return kFailed;
}

// A process id is a number and nothing else; a file of such a name can be given as ./NAME.
std::optional<long> process_id(const std::string& target) {
  long pid = 0;
  const char* const end = target.data() + target.size();
  const auto [behind, error] = std::from_chars(target.data(), end, pid);
  if (error != std::errc{} || behind != end || pid <= 0) return std::nullopt;
  return pid;
}

bool load_all(const ReportOptions& options, Reports& out, std::string& problem) {
  Symbolizer symbolizer;
  for (const std::string& target : options.targets) {
    if (const auto pid = process_id(target)) {
      if (!load_process(*pid, options.children, symbolizer, out, problem)) return false;
      continue;
    }
    Report report;
    if (!load_file(target, symbolizer, report, problem)) return false;
    out.push_back(std::move(report));
  }
  return true;
}

std::string format_names() {
  std::string out;
  for (const Format& format : formats()) out += (out.empty() ? "" : ", ") + std::string(format.name);
  return out;
}

}  // namespace

int report(const ReportOptions& options) {
  const Format* const format = find_format(options.format);
  if (format == nullptr) return refuse("--format \"" + options.format + "\": must be one of " + format_names());
  if (format->binary && options.output.empty() && isatty(STDOUT_FILENO) == 1) {
    return refuse("--format " + options.format + ": is not for a terminal: use --output FILE");
  }
  Reports reports;
  std::string problem;
  if (!load_all(options, reports, problem)) return refuse(problem);
  if (format->merges && options.apart && reports.size() > 1) {
    return refuse("--apart: " + options.format + " has room for one report, and there are " + std::to_string(reports.size()) +
                  ": leave it out, or name one");
  }
  if (options.merge || format->merges) reports = {merge(reports)};
  for (Report& each : reports) each.advice = advise(each);
  const std::string text = format->render(reports, StackOptions{options.exact, options.threads});
  const int error = options.output.empty() ? write_all(STDOUT_FILENO, text) : write_file(options.output, text);
  if (error == 0) return kFine;
  if (options.output.empty()) return error == EPIPE ? kFine : refuse(std::string("standard output: ") + std::strerror(error));
  return refuse("--output \"" + options.output + "\": must be a file that can be written: " + std::strerror(error));
}

}  // namespace clockshim::cli
