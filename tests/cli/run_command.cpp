#include "run_command.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace clockshim::test {
namespace {

constexpr int kLimitMs = 30'000;

std::string from_meson(const char* name) {
  const char* value = getenv(name);
  if (value == nullptr) ADD_FAILURE() << name << " is not set: run this by `meson test`";
  return value != nullptr ? value : "";
}

[[noreturn]] void become(const std::vector<std::string>& argv,
                         const std::vector<std::string>& environment) {
  std::vector<char*> arguments;
  for (const auto& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  std::vector<char*> entries;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::string name = text.substr(0, text.find('=') + 1);
    if (std::any_of(environment.begin(), environment.end(),
                    [&](const std::string& given) { return given.starts_with(name); }))
      continue;
    if (!text.starts_with("LD_PRELOAD=") &&
        (!text.starts_with("CLOCKSHIM_") || text.starts_with("CLOCKSHIM_TEST_")))
      entries.push_back(*entry);
  }
  for (const auto& entry : environment) entries.push_back(const_cast<char*>(entry.c_str()));
  entries.push_back(nullptr);
  execve(arguments[0], arguments.data(), entries.data());
  _exit(99);
}

bool read_into(std::string& text, int& fd) {
  char piece[4096];
  const ssize_t got = read(fd, piece, sizeof piece);
  if (got > 0) {
    text.append(piece, static_cast<std::size_t>(got));
  } else {
    close(fd);
    fd = -1;
  }
  return got > 0;
}

}  // namespace

Running::Running(const std::vector<std::string>& argv, const std::vector<std::string>& environment,
                 On on) {
  if (on == On::terminal) {
    int terminal = -1;
    pid_ = forkpty(&terminal, nullptr, nullptr, nullptr);
    if (pid_ == 0) {
      std::signal(
          SIGHUP,
          SIG_DFL);  // as a terminal's programs have it, also where the tests run under nohup
      become(argv, environment);
    }
    in_ = fcntl(terminal, F_DUPFD_CLOEXEC, 0);
    out_ = terminal;
    return;
  }
  int in[2];
  int out[2];
  int err[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0)
    std::abort();
  pid_ = fork();
  if (pid_ == 0) {
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    dup2(err[1], STDERR_FILENO);
    become(argv, environment);
  }
  close(in[0]);
  close(out[1]);
  close(err[1]);
  in_ = in[1];
  out_ = out[0];
  err_ = err[0];
}

Running::~Running() {
  for (const int fd : {in_, out_, err_}) {
    if (fd >= 0) close(fd);
  }
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
}

bool Running::read_some() {
  pollfd ready[] = {{out_, POLLIN, 0}, {err_, POLLIN, 0}};
  const int count = poll(ready, 2, kLimitMs);
  if (count == 0) ADD_FAILURE() << "hangs; so far it said: " << ending_.out << ending_.err;
  if (count <= 0) return false;
  if (ready[0].revents != 0) read_into(ending_.out, out_);
  if (ready[1].revents != 0) read_into(ending_.err, err_);
  return true;
}

bool Running::wait_for(const std::string& text) {
  while (ending_.out.find(text) == std::string::npos) {
    if (out_ < 0 || !read_some()) {
      ADD_FAILURE() << "never said \"" << text << "\", but: " << ending_.out << ending_.err;
      return false;
    }
  }
  return true;
}

void Running::type(const std::string& text) const {
  if (write(in_, text.data(), text.size()) < 0) ADD_FAILURE() << "can't write to it";
}

void Running::hang_up() {
  close(in_);
  close(out_);
  in_ = out_ = -1;
}

Ending Running::finish() {
  while ((out_ >= 0 || err_ >= 0) && read_some()) {
  }
  int status = 0;
  const int process = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  pollfd ended{process, POLLIN, 0};
  if (out_ >= 0 || err_ >= 0 || poll(&ended, 1, kLimitMs) != 1) {
    ADD_FAILURE() << "does not end";
    kill(pid_, SIGKILL);
  }
  close(process);
  waitpid(pid_, &status, 0);
  pid_ = -1;
  if (WIFEXITED(status)) ending_.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) ending_.signal = WTERMSIG(status);
  return ending_;
}

Ending run_on_terminal(std::size_t columns, const std::vector<std::string>& arguments) {
  std::vector<std::string> argv{"/bin/sh", "-c", "stty cols \"$0\"; exec \"$@\"",
                                std::to_string(columns), command_path()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return Running(argv, {}, On::terminal).finish();
}

std::size_t widest_line(const std::string& text) {
  std::size_t most = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    most = std::max(most, line.size() - (line.ends_with('\r') ? 1 : 0));
  return most;
}

Ending run_clockshim(const std::vector<std::string>& arguments,
                     const std::vector<std::string>& environment) {
  std::vector<std::string> argv = {command_path()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return Running(argv, environment).finish();
}

std::string command_path() { return from_meson("CLOCKSHIM_TEST_COMMAND"); }
std::string shim_path() { return from_meson("CLOCKSHIM_TEST_SHIM"); }
std::string program_path(const std::string& name) {
  return from_meson("CLOCKSHIM_TEST_PROGRAMS") + "/" + name;
}

}  // namespace clockshim::test
