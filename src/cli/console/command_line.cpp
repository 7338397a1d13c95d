// The only file that includes CLI11.
#include "cli/console/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstring>
#include <exception>
#include <sstream>
#include <string_view>
#include <utility>

#include "cli/console/nearest.h"
#include "cli/console/output.h"
#include "os/log.h"

namespace clockshim::cli {
namespace {

// CLI11 makes usage lines of its own, which do not know about commands of their own.
class UsageFormatter final : public CLI::Formatter {
 public:
  explicit UsageFormatter(std::string usage) : usage_(std::move(usage)) {}
  std::string make_usage(const CLI::App* /*app*/, std::string /*name*/) const override {
    return "usage: " + usage_ + "\n";
  }

 private:
  std::string usage_;
};

// The value of an option or an argument can't be used.
struct BadValue : std::runtime_error {
  using std::runtime_error::runtime_error;
};

void give(const std::string& name, const std::string& value, const Take& take,
          const std::string& more = "") {
  const std::string problem = take(value);
  if (!problem.empty()) throw BadValue(name + " \"" + value + "\": " + problem + more);
}

}  // namespace

int refuse(std::string line) {
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, ' ');
  say(LogLevel::error, LogLevel::error, line);
  return kUsageError;
}

Command::Command(CLI::App& app, std::string usage) : app_(app), usage_(std::move(usage)) {
  app_.formatter(std::make_shared<UsageFormatter>(usage_));
}

void Command::flag(const std::string& name, bool& out, const std::string& help) {
  app_.add_flag(name, out, help);
}

void Command::option(const std::string& name, const std::string& placeholder,
                     const std::string& help, Take take) {
  // Values are looked at once all options are known to exist, and --help was not asked for.
  app_.add_option_function<std::string>(
          name,
          [this, name, take = std::move(take)](const std::string& value) {
            given_.emplace_back([name, take, value] { give(name, value, take); });
          },
          help)
      ->type_name(placeholder)
      ->take_last();
}

void Command::hidden_option(const std::string& name, Take take) {
  option(name, "", "", std::move(take));
  app_.get_option(name)->group("");
}

void Command::arguments(const std::string& placeholder, const std::string& help, Take take) {
  take_behind_dashes_ = std::move(take);
  app_.add_option_function<std::vector<std::string>>(
          "arguments",
          [this](const std::vector<std::string>& values) {
            given_.emplace_back([this, values] { give_values(values); });
          },
          help)
      ->type_name(placeholder);
}

std::vector<std::string> Command::options() const {
  std::vector<std::string> names;
  for (const CLI::Option* option : app_.get_options()) {
    if (option->nonpositional() && !option->get_group().empty())
      names.push_back(option->get_name());
  }
  return names;
}

void Command::command_of_its_own(Take take) {
  take_behind_dashes_ = std::move(take);
  own_command_ = true;
}

void Command::exclusive(const std::string& one, const std::string& other) {
  app_.get_option(other)->excludes(app_.get_option(one));
}

void Command::footer(const std::string& text) { app_.footer(text); }

void Command::give_values(const std::vector<std::string>& behind_dashes) const {
  const Take refuse_all = [](const std::string&) { return "takes no command"; };
  for (const std::string& value : behind_dashes)
    give(app_.get_name(), value, take_behind_dashes_ ? take_behind_dashes_ : refuse_all,
         "; usage: " + usage_);
}

char** Command::end_of_ours(char** first, char** end) const {
  if (!own_command_) return std::find(first, end, std::string_view("--"));
  while (first < end) {
    const std::string word = *first;
    if (word == "--" || !word.starts_with('-') || word == "-") break;
    const CLI::Option* const option = app_.get_option_no_throw(word);
    // "--depth 2": the value is a word of its own.
    const bool with_value = option != nullptr && option->get_items_expected_max() > 0;
    first += with_value && first + 1 < end && first[1] != std::string_view("--") ? 2 : 1;
  }
  return first;
}

CommandLine::CommandLine(const std::string& purpose)
    : app_(std::make_unique<CLI::App>(purpose, "clockshim")) {
  app_->set_version_flag("--version", "clockshim " CLOCKSHIM_VERSION);
  app_->require_subcommand(0, 1);
}

CommandLine::~CommandLine() = default;

Command& CommandLine::add(const std::string& name, const std::string& usage,
                          const std::string& purpose, std::function<int()> act) {
  CLI::App* const app = app_->add_subcommand(name, purpose);
  commands_.push_back(std::make_unique<Command>(*app, usage));
  Command& command = *commands_.back();
  app->callback([this, &command, act = std::move(act)] {
    chosen_ = &command;
    act_ = act;
  });
  return command;
}

int CommandLine::parse_and_act(int argc, char** argv) {
  std::string usages = "usage: ";
  for (const auto& command : commands_)
    usages += (command == commands_.front() ? "" : "\n       ") + command->usage();
  app_->footer(usages + "\n\nclockshim COMMAND --help describes the options of a command.");

  // What follows our own words is never an option of ours, whatever it looks like.
  char** const end = argv + argc;
  char** ours = std::find(argv + std::min(argc, 1), end, std::string_view("--"));
  for (const auto& command : commands_) {
    if (argc > 1 && command->app_.get_name() == argv[1]) ours = command->end_of_ours(argv + 2, end);
  }
  char** const theirs = ours + (ours != end && std::string_view(*ours) == "--" ? 1 : 0);
  try {
    app_->parse(static_cast<int>(ours - argv), argv);
  } catch (const CLI::Success& help_or_version) {
    std::ostringstream text;
    const int status = app_->exit(help_or_version, text, text);
    print(text.str());
    return status;
  } catch (const CLI::ExtrasError& error) {
    return refuse_extras(error.what());
  } catch (const CLI::ParseError& error) {
    return refuse(error.what());
  }
  if (chosen_ == nullptr)
    return refuse("say what to do: " + commands_.front()->usage() + ", or clockshim --help");
  for (const auto& give_value : chosen_->given_) give_value();
  chosen_->give_values(std::vector<std::string>(theirs, end));
  return act_();
}

// Words that are left over: options and commands that don't exist, or too many arguments.
int CommandLine::refuse_extras(const std::string& problem) const {
  const auto parsed = app_->get_subcommands();
  const Command* chosen = nullptr;
  std::vector<std::string> right;
  for (const auto& command : commands_) {
    if (!parsed.empty() && &command->app_ == parsed.front()) chosen = command.get();
    if (parsed.empty()) right.push_back(command->app_.get_name());
  }
  const std::vector<std::string> extras =
      chosen != nullptr ? chosen->app_.remaining() : app_->remaining();
  if (chosen != nullptr) {
    right = chosen->options();
  } else {
    right.insert(right.end(), {"--help", "--version"});
  }
  std::string nearest;
  if (!extras.empty()) {
    const std::string word = extras.front().substr(0, extras.front().find('='));
    if (chosen == nullptr || word.starts_with('-')) nearest = did_you_mean(word, right);
  }
  if (chosen == nullptr && !extras.empty() && !extras.front().starts_with('-'))
    return refuse("\"" + extras.front() + "\": no such command" + nearest +
                  "; usage: clockshim COMMAND, or clockshim --help");
  return refuse(problem + nearest + "; usage: " +
                (chosen != nullptr ? chosen->usage() : "clockshim COMMAND, or clockshim --help"));
}

int CommandLine::run(int argc, char** argv) {
  const int status = parse_and_refuse(argc, argv);
  const int error = finish_output();
  return error == 0 ? status : refuse(std::string("standard output: ") + std::strerror(error));
}

int CommandLine::parse_and_refuse(int argc, char** argv) {
  try {
    return parse_and_act(argc, argv);
  } catch (const BadUsage& error) {
    return refuse(std::string(error.what()) + "; usage: " + chosen_->usage());
  } catch (const std::exception& error) {
    return refuse(error.what());
  }
}

}  // namespace clockshim::cli
