// The command line: each command registers its options, arguments and what it does, in its own
// folder. CLI11 parses; only command_line.cpp includes it, because that costs ten seconds of
// compiling in each file that does. A mistake in the command line is one line on standard error
// that names option and value, and exit status 2.
#pragma once

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace clockshim::cli {

inline constexpr int kUsageError = 2;

// Logs a line as an error, whatever CLOCKSHIM_LOG says. Returns kUsageError.
int refuse(std::string line);

// Takes the value of an option, or an argument: console/values.h has the common ones. Returns "",
// or what would be right in place of it: "must be a process id".
using Take = std::function<std::string(const std::string& value)>;

// Thrown by what a command does if the command line is wrong as a whole. The usage is added to it.
struct BadUsage : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Command {
 public:
  // `app` is CLI11's. `usage` is what --help shows: "clockshim list [--json]".
  Command(CLI::App& app, std::string usage);

  void flag(const std::string& name, bool& out, const std::string& help);
  // If it is given more than once, the last value counts.
  void option(const std::string& name, const std::string& placeholder, const std::string& help,
              Take take);
  // An option that --help does not show.
  void hidden_option(const std::string& name, Take take);
  // What stands before and behind "--" besides options. Without this, there may be nothing.
  void arguments(const std::string& placeholder, const std::string& help, Take take);
  // A command with its own options: all from the first word that is no option of ours (nor an
  // option's value) on, or what stands behind "--".
  void command_of_its_own(Take take);
  // Two flags that can't both be given.
  void exclusive(const std::string& one, const std::string& other);
  // The last lines of --help.
  void footer(const std::string& text);

  [[nodiscard]] const std::string& usage() const { return usage_; }
  // The options' names, with their dashes.
  [[nodiscard]] std::vector<std::string> options() const;

 private:
  friend class CommandLine;
  void give_values(const std::vector<std::string>& behind_dashes) const;
  // Where our words end: at "--", or at the first word of a command of its own. `first` is the
  // first word behind our name.
  [[nodiscard]] char** end_of_ours(char** first, char** end) const;

  CLI::App& app_;
  std::string usage_;
  Take take_behind_dashes_;
  bool own_command_ = false;
  std::vector<std::function<void()>> given_;
};

class CommandLine {
 public:
  // `purpose` is the first line of --help.
  explicit CommandLine(const std::string& purpose);
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;
  ~CommandLine();

  // `act` runs the command, and returns its exit status.
  Command& add(const std::string& name, const std::string& usage, const std::string& purpose,
               std::function<int()> act);

  // Parses, and does what the command says. Returns the exit status: kUsageError, too, if what was
  // printed could not be written.
  int run(int argc, char** argv);

 private:
  int parse_and_act(int argc, char** argv);
  int parse_and_refuse(int argc, char** argv);
  int refuse_extras(const std::string& problem) const;

  std::unique_ptr<CLI::App> app_;
  std::vector<std::unique_ptr<Command>> commands_;
  const Command* chosen_ = nullptr;
  std::function<int()> act_;
};

}  // namespace clockshim::cli
