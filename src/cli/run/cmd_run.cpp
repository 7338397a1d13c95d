#include "cli/run/cmd_run.h"
#include "cli/inject/preload_environment.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "cli/console/command_line.h"
#include "cli/console/output_file.h"
#include "cli/console/terminal_width.h"
#include "cli/inject/image_injection.h"
#include "cli/inject/load_check.h"
#include "cli/inject/preflight.h"
#include "cli/inject/setting_options.h"
#include "cli/livefiles/live_dir.h"
#include "cli/machine/saved_counters.h"
#include "cli/run/child.h"
#include "cli/run/lost_reports.h"
#include "cli/run/private_reports.h"
#include "cli/run/run_summary.h"
#include "os/base_name.h"
#include "os/log.h"
#include "os/process.h"
#include "os/write.h"

namespace clockshim::cli {
namespace {

// Returns the exit status that a shell would: 127 if there is no such command, 126 if there is one
// that can't be started.
int failed_to_start(const std::string& name, const Preflight& preflight, int error) {
  if (error == ENOENT && !preflight.missing_interpreter.empty()) {
    refuse(name + ": its interpreter " + preflight.missing_interpreter + " is not there");
    return kMayNotRun;
  }
  // For a command that is nowhere, exec may say EACCES because of a folder in PATH that we may not
  // enter.
  const bool by_path = name.find('/') == std::string::npos;
  const bool nowhere = !preflight.there && (by_path || error == ENOENT);
  refuse(name + ": " + (nowhere && by_path ? "command not found" : std::strerror(error)));
  return nowhere ? kNotFound : kMayNotRun;
}

// Writes the summary to `file`, or to standard error if that is "" or can't be written. False: it
// is not where it was asked for, for want of room say. It need not be if nobody reads standard
// error, or if that is closed.
bool tell(RunSummary&& summary, const std::string& file, LogLevel limit) {
  if (summary.empty()) return true;
  const std::size_t width = file.empty() ? terminal_width(STDERR_FILENO) : 0;
  std::string text = file.ends_with(".json") ? render_json(std::move(summary).merged())
                                             : std::move(summary).text(width);
  bool as_asked = true;
  if (!file.empty()) {
    const int error = write_file(file, text);
    if (error == 0) return true;
    as_asked = false;
    say(LogLevel::error, limit,
        file + " could not be written: " + std::strerror(error) + "; here is the report");
  }
  const int error = write_all(STDERR_FILENO, text);
  return as_asked && (error == 0 || error == EPIPE || error == EBADF);
}

void say_without(const Settings& settings, const std::string& why) {
  say(LogLevel::warn, settings.log, why + ": the shim can't get in; it runs without");
}

// `problem` is why it takes no preload.
void say_served_by_image(const Settings& settings, const std::string& name,
                         const std::string& problem, const ImageInjection& image) {
  if (!image.uncounted().empty())
    say(LogLevel::warn, settings.log, name + ": no live file: " + image.uncounted());
  const bool said_or_wanted = !settings.serving_errors.empty() || settings.tolerance == Nanos{0};
  const LogLevel level =
      image.mode() == "passthrough" && !said_or_wanted ? LogLevel::warn : LogLevel::info;
  say(level, settings.log,
      name + problem + ": served by the image, mode " + image.mode() + " (" + image.mode_reason() +
          ")");
}

struct RunCommand {
  std::vector<SettingOption> options = setting_options();
  bool image = false;
  std::vector<std::string> argv{};
};

// Runs the command, which is not empty, and returns its exit status.
int run(const RunCommand& given) {
  const std::vector<SettingOption>& options = given.options;
  const std::vector<std::string>& argv = given.argv;
  const Settings settings = effective_settings(options);
  std::string problem;
  const std::string library = find_library(executable_path(), getenv("CLOCKSHIM_LIBRARY"), problem);
  if (library.find_first_of(" :") != std::string::npos) {
    problem = library + ": LD_PRELOAD takes no path with a blank or a colon in it";
  }
  if (!problem.empty()) return refuse(problem);

  const std::string& name = argv.front();
  const Preflight preflight = inspect_command(name);
  const bool takes_preload = preflight.problem.empty();
  const bool by_image = preflight.takes_image && (given.image || !takes_preload) &&
                        reason_to_skip(settings, base_name(name)).empty();
  const bool shimmed = takes_preload && !by_image;
  if (by_image) say_errors(settings, base_name(name));  // else the library says them
  if (!takes_preload && !by_image) say_without(settings, name + preflight.problem);

  std::unique_ptr<CountersForProgram> counters;
  if (shimmed || by_image) counters = std::make_unique<CountersForProgram>(settings, true);

  Child child;  // from here on signals wait until there is a command to pass them on to
  Environment environment(environ);
  std::unique_ptr<PrivateReports> reports;
  std::string file = file_of_all(settings);
  bool summed_up = settings.report == "stderr" || !file.empty();
  const char* const given_preload = getenv("LD_PRELOAD");
  const std::string preload = given_preload != nullptr ? given_preload : "";
  if (by_image && takes_preload && !preload.empty())
    environment.set("LD_PRELOAD", preload_without(library, preload));
  // A static program may be one that only starts others (tini, gosu).
  if (shimmed || (by_image && preflight.hands_on)) {
    environment.set("LD_PRELOAD", preload_with(library, preload));
    for (const SettingOption& option : options) {
      if (option.value) environment.set(option.setting->variable, *option.value);
    }
    if (!counters->value().empty()) environment.set("CLOCKSHIM_COUNTERS", counters->value());
    if (summed_up) reports = std::make_unique<PrivateReports>();
    if (reports && !reports->pattern().empty()) {
      environment.set("CLOCKSHIM_REPORT", reports->pattern());
    } else {  // each process reports for itself
      file.clear();
      summed_up = settings.report == "stderr";
    }
  }
  std::unique_ptr<ImageInjection> image;
  const Child::Standing put_image_in = [&](pid_t pid, const std::string& untraced) {
    image = std::make_unique<ImageInjection>(settings_with(options, *counters));
    const std::string why_not = untraced.empty() ? image->inject(pid) : untraced;
    if (!why_not.empty()) return say_without(settings, name + ": " + why_not);
    if (!image->mode().empty()) say_served_by_image(settings, name, preflight.problem, *image);
  };
  if (const int error = child.start(argv, environment, by_image ? put_image_in : Child::Standing{},
                                    {.execs = preflight.execs, .at_entry = preflight.dynamic});
      error != 0)
    return failed_to_start(name, preflight, error);
  LoadCheck load_check(shimmed ? library : "", name, settings.log);
  const int status = child.supervise(load_check);
  if (image != nullptr) image->process_has_ended(!WIFSIGNALED(status));
  RunSummary summary(!file.empty());
  if (reports) reports->collect(summary, name, settings.log);
  if (shimmed || by_image)
    take_lost_reports(child.pid(), live_folders(settings.dir), settings,
                      summed_up ? &summary : nullptr);
  const bool told = tell(std::move(summary), file, settings.log);
  reports.reset();  // because death by a signal runs no destructor
  image.reset();
  counters.reset();
  return told || status != 0 ? end_like(status) : kUsageError;
}

}  // namespace

void add_run_command(CommandLine& line) {
  auto given = std::make_shared<RunCommand>();
  Command& command = line.add("run", "clockshim run [OPTION...] COMMAND [ARG...]",
                              "run a command under the shim, and exit as it exits", [given] {
                                if (given->argv.empty()) throw BadUsage("no command");
                                return run(*given);
                              });
  for (SettingOption& option : given->options) {
    command.option(option_name(*option.setting), option.setting->placeholder,
                   option_help(*option.setting),
                   [&option](const std::string& value) { return take_value(option, value); });
  }
  command.flag("--image", given->image,
               "put the image in, as into programs that take no preload, also where one would do");
  command.command_of_its_own([given](const std::string& argument) {
    given->argv.push_back(argument);
    return std::string();
  });
  command.footer(
      "Exit status: the command's; 2: a mistake in the command line; 126: the command can't be "
      "started; 127: there is no such command.");
}

}  // namespace clockshim::cli
