// Runs `clockshim` as its users do, and says what came of it. A command that hangs is killed, and
// fails the test.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "../support/temp_dir.h"
#include "../support/text.h"

namespace clockshim::test {

struct Ending {
  std::string out;  // where it has a terminal: all that it wrote
  std::string err;
  int exit_code = -1;  // -1: ended by a signal
  int signal = 0;
};

enum class On { pipes, terminal };

// A process that runs. Its environment is ours without LD_PRELOAD and CLOCKSHIM_*, and with
// `environment` ("NAME=value").
class Running {
 public:
  explicit Running(const std::vector<std::string>& argv,
                   const std::vector<std::string>& environment = {}, On on = On::pipes);
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Reads until standard output holds this text. False: it ended, or half a minute went by.
  bool wait_for(const std::string& text);
  void type(const std::string& text) const;  // to its standard input
  void hang_up();                            // closes its terminal
  [[nodiscard]] const std::string& out() const { return ending_.out; }
  Ending finish();

 private:
  bool read_some();

  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  int err_ = -1;
  Ending ending_;
};

// `clockshim` with these arguments, on a terminal of so many columns, to its end.
Ending run_on_terminal(std::size_t columns, const std::vector<std::string>& arguments);
// The length of the longest line, as a terminal got it; without line feeds and carriage returns.
std::size_t widest_line(const std::string& text);

// `clockshim` with these arguments, to its end.
Ending run_clockshim(const std::vector<std::string>& arguments,
                     const std::vector<std::string>& environment = {});

std::string command_path();
std::string shim_path();
std::string program_path(const std::string& name);

// The whole of a file; "" if it can't be read.
inline std::string content_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline constexpr auto kExecutable = static_cast<std::filesystem::perms>(0755);
inline constexpr auto kPlain = static_cast<std::filesystem::perms>(0644);

}  // namespace clockshim::test
