// The command `clockshim`: reads the command line and calls the one cmd_*.cpp that it names. Only
// this file and live_commands.h, which belongs to it, include CLI11. A mistake in the command line
// is one line on standard error and exit status 2.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/bench/cmd_bench.h"
#include "cli/doctor/cmd_doctor.h"
#include "cli/live_commands.h"
#include "cli/machine/shim_trial.h"
#include "cli/report/cmd_report.h"
#include "cli/run/cmd_run.h"
#include "formats/formats.h"
#include "os/log.h"
#include "os/write.h"

namespace {

using clockshim::LogLevel;
using clockshim::cli::kUsageError;
using clockshim::cli::RunOption;

constexpr const char* kRunUsage = "clockshim run [OPTION...] -- COMMAND [ARG...]";
constexpr const char* kDoctorUsage = "clockshim doctor [--quick] [--json] [COMMAND or PID]";
constexpr const char* kBenchUsage = "clockshim bench [--quick] [--json] [--plot FILE]";
constexpr const char* kReportUsage =
    "clockshim report [--format F] [--output FILE] [--merge or --apart] [--threads] [--watch D] "
    "PID or FILE...";

int refuse(std::string line) {
  std::replace(line.begin(), line.end(), '\n', ' ');
  clockshim::say(LogLevel::error, LogLevel::error, line);
  return kUsageError;
}

struct OptionText {
  const char* name;
  const char* variable;
  const char* value;
  const char* help;
};

constexpr OptionText kRunOptions[] = {
    {"--tolerance", "CLOCKSHIM_TOLERANCE", "D",
     "the most that a served time may be off: 500ns, 10us, 1ms; 0: only count (default 10us)"},
    {"--counters", "CLOCKSHIM_COUNTERS", "C",
     "auto (default): measured at start where the clocksource is not tsc; agree, disagree: what "
     "the CPUs' counters are taken to do"},
    {"--order", "CLOCKSHIM_ORDER", "O",
     "strict (default), or relaxed: about twice as fast, less exact across threads"},
    {"--profile", "CLOCKSHIM_PROFILE", "P",
     "sites (default): count the callers; stacks[:N]: also full stacks of one call in N; or off"},
    {"--depth", "CLOCKSHIM_DEPTH", "N",
     "0 (default) to 6: count callers apart by the N frames behind them, too"},
    {"--report", "CLOCKSHIM_REPORT", "R",
     "stderr (default), none, or a path with %p pid, %e program, %h host, %t start; JSON where it "
     "ends in .json"},
    {"--clocks", "CLOCKSHIM_CLOCKS", "L",
     "the clocks to serve: realtime,monotonic,monotonic_raw,boottime,tai (default: all)"},
    {"--follow", "CLOCKSHIM_FOLLOW", "0|1",
     "1 (default): the command's children are served too; 0: the command alone"},
    {"--only", "CLOCKSHIM_ONLY", "G",
     "serve only programs whose name matches one of these globs, a comma list"},
    {"--skip", "CLOCKSHIM_SKIP", "G", "don't serve programs whose name matches one of these globs"},
    {"--dir", "CLOCKSHIM_DIR", "D", "the folder of live counter files"},
    {"--log", "CLOCKSHIM_LOG", "L", "off, error, warn (default), info or debug"},
};

// CLI11 does not know about arguments after "--".
class UsageFormatter final : public CLI::Formatter {
 public:
  explicit UsageFormatter(const char* usage) : usage_(usage) {}
  std::string make_usage(const CLI::App* /*app*/, std::string /*name*/) const override {
    return "usage: " + std::string(usage_) + "\n";
  }

 private:
  const char* usage_;
};

struct Doctor {
  CLI::App* command;
  clockshim::cli::DoctorOptions options;

  explicit Doctor(CLI::App& app)
      : command(app.add_subcommand("doctor", "Why is the clock slow, and what would help")) {
    command->formatter(std::make_shared<UsageFormatter>(kDoctorUsage));
    command->footer(
        "Exit status: 0: healthy; 1: a finding, or the shim will not take in the program; 2: an "
        "error.");
    command->add_flag("--quick", options.quick, "less than a second");
    command->add_flag("--json", options.json, "for programs");
    command
        ->add_option("target", options.target,
                     "also: will the shim take in this command, or in this process")
        ->type_name("COMMAND|PID");
  }
  int run(const std::vector<std::string>& behind_dashes) {
    if (behind_dashes.size() > 1 || (!behind_dashes.empty() && !options.target.empty())) {
      return refuse("doctor \"" + behind_dashes.back() +
                    "\": must be one command or process id; usage: " + std::string(kDoctorUsage));
    }
    if (!behind_dashes.empty()) options.target = behind_dashes.front();
    return clockshim::cli::doctor(options);
  }
};

struct Bench {
  CLI::App* command;
  clockshim::cli::BenchOptions options;
  std::string for_parent;

  explicit Bench(CLI::App& app)
      : command(app.add_subcommand(
            "bench", "What each clock costs here, bare, as a system call and under the shim")) {
    command->formatter(std::make_shared<UsageFormatter>(kBenchUsage));
    command->footer(
        "Exit status: 0; 1: a clock stepped backward, or the shim could not be measured; 2: an "
        "error.");
    command->add_flag("--quick", options.quick, "about a second, and less exact");
    command->add_flag("--json", options.json, "for programs");
    command->add_option("--plot", options.plot, "also draw the medians, as SVG")->type_name("FILE");
    command->add_option("--measure-for-parent", for_parent)
        ->group("");  // hidden, not for users: see cli/machine/shim_trial.h
  }
  int run(const std::vector<std::string>& behind_dashes) {
    if (!behind_dashes.empty())
      return refuse("bench \"" + behind_dashes.front() +
                    "\": takes no command; usage: " + std::string(kBenchUsage));
    if (command->count("--plot") > 0 && options.plot.empty())
      return refuse("--plot \"\": must be a file that can be written");
    return for_parent.empty() ? clockshim::cli::bench(options)
                              : clockshim::cli::measure_for_parent(for_parent);
  }
};

struct Report {
  CLI::App* command;
  clockshim::cli::ReportOptions options;

  explicit Report(CLI::App& app)
      : command(
            app.add_subcommand("report", "Who asks for the time: of a process, or out of files")) {
    command->formatter(std::make_shared<UsageFormatter>(kReportUsage));
    std::string help = "FILE is a live file or a JSON report; - is standard input. Formats:\n";
    for (const clockshim::Format& format : clockshim::formats()) {
      help += "  " + std::string(format.name) + std::string(12 - std::strlen(format.name), ' ') +
              format.help + "\n";
    }
    command->footer(help + "Exit status: 0; 2: an error.");
    command->add_option("--format", options.format, "table (default), or another of those below")
        ->type_name("F");
    command
        ->add_option("--output", options.output,
                     "a file to write, whole or not at all (default: standard output)")
        ->type_name("FILE");
    CLI::Option* merge =
        command->add_flag("--merge", options.merge, "several reports as one, callers summed");
    command
        ->add_flag("--apart", options.apart,
                   "several reports one after the other (default where the format has room)")
        ->excludes(merge);
    command->add_flag("--children", options.children,
                      "also the processes that PID forked, or that the same clockshim run started");
    command
        ->add_option(
            "--watch", options.watch,
            "first looks for so long: rates over time in html and json (30s; Ctrl-C ends it)")
        ->type_name("D");
    command
        ->add_option("--interval", options.interval,
                     "between two looks (default 1s, or a tenth of a shorter watch)")
        ->type_name("D");
    command->add_flag("--threads", options.threads,
                      "each thread of a process apart, with its callers (json has them anyway)");
    command->add_flag("--exact", options.exact,
                      "without sampled stacks, and without callers that are only as first seen");
    command->add_option("targets", options.targets, "processes and files")->type_name("PID|FILE");
  }
  int run(const std::vector<std::string>& behind_dashes) {
    options.targets.insert(options.targets.end(), behind_dashes.begin(), behind_dashes.end());
    if (options.targets.empty())
      return refuse("report: must have a process id or a file; usage: " +
                    std::string(kReportUsage));
    for (const auto& [name, value] :
         {std::pair{"--watch", &options.watch}, std::pair{"--interval", &options.interval}}) {
      if (command->count(name) > 0 && value->empty())
        return refuse(std::string(name) + " \"\": must be a duration, such as 30s");
    }
    if (command->count("--output") > 0 && options.output.empty())
      return refuse("--output \"\": must be a file that can be written");
    return clockshim::cli::report(options);
  }
};

int main_or_throw(int argc, char** argv) {
  // Everything after the first "--" belongs to the command, whatever it looks like.
  char** const end = argv + argc;
  char** const dashes = std::find(argv + std::min(argc, 1), end, std::string_view("--"));
  const std::vector<std::string> command(std::min(dashes + 1, end), end);

  CLI::App app(
      "Serves the clock to programs on machines where asking the kernel is slow, and counts who "
      "asks.",
      "clockshim");
  app.set_version_flag("--version", "clockshim " CLOCKSHIM_VERSION);
  CLI::App* run =
      app.add_subcommand("run", "Runs a command under the shim, and ends as the command ends");
  run->formatter(std::make_shared<UsageFormatter>(kRunUsage));
  run->footer(
      "Exit status: the command's; 2: a mistake in the command line; 126: the command does not "
      "start; 127: there is none.");
  std::vector<std::pair<CLI::Option*, std::string>> values(std::size(kRunOptions));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const OptionText& text = kRunOptions[i];
    values[i].first =
        run->add_option(text.name, values[i].second, text.help)->type_name(text.value)->take_last();
  }
  Doctor doctor(app);
  Bench bench(app);
  Report report(app);
  clockshim::cli::LiveCommands live(
      app, [](const char* usage) { return std::make_shared<UsageFormatter>(usage); });
  app.footer("usage: " + std::string(kRunUsage) + "\n       " + kDoctorUsage + "\n       " +
             kBenchUsage + "\n       " + kReportUsage + live.usages() +
             "\nclockshim run --help tells the options of run.");

  try {
    app.parse(static_cast<int>(dashes - argv), argv);
  } catch (const CLI::Success& asked_for_help) {
    return app.exit(asked_for_help);
  } catch (const CLI::ExtrasError& error) {
    const char* usage = doctor.command->parsed()   ? kDoctorUsage
                        : bench.command->parsed()  ? kBenchUsage
                        : report.command->parsed() ? kReportUsage
                        : *live.usage() != '\0'    ? live.usage()
                                                   : kRunUsage;
    return refuse(std::string(error.what()) + "; usage: " + usage);
  } catch (const CLI::ParseError& error) {
    return refuse(error.what());
  }
  if (doctor.command->parsed()) return doctor.run(command);
  if (bench.command->parsed()) return bench.run(command);
  if (report.command->parsed()) return report.run(command);
  if (*live.usage() != '\0' && !command.empty())
    return refuse("\"" + command.front() + "\": takes no command; usage: " + live.usage());
  if (*live.usage() != '\0') return live.run();
  if (!run->parsed())
    return refuse("say what to do: " + std::string(kRunUsage) + ", or clockshim --help");
  if (command.empty()) return refuse("no command: " + std::string(kRunUsage));
  std::vector<RunOption> options;
  for (std::size_t i = 0; i < values.size(); ++i) {
    RunOption option{kRunOptions[i].name, kRunOptions[i].variable};
    if (values[i].first->count() > 0) option.value = values[i].second;
    options.push_back(option);
  }
  return clockshim::cli::run(options, command);
}

}  // namespace

int main(int argc, char** argv) {
  clockshim::remember_stderr();
  try {
    return main_or_throw(argc, argv);
  } catch (const std::exception& error) {
    return refuse(error.what());
  }
}
