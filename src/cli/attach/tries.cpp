#include "cli/attach/tries.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>

#include "cli/attach/process_look.h"
#include "cli/inject/proc_files.h"
#include "os/descriptor.h"
#include "os/error_text.h"
#include "os/read_file.h"
#include "os/write.h"

namespace clockshim::cli {
namespace {

// The patience of the first tries, and of the last.
constexpr Milliseconds kFirstPatience{30};
constexpr Milliseconds kMostPatience{300};
// A try that has told nothing for so long has met something that holds it up: while threads stand
// still, and while it only reads, from slow disks too.
constexpr Milliseconds kHeldUp{5'000};
constexpr Milliseconds kReadsNoMore{60'000};

// What is told by the process that does it: a digit, a number, and three texts that end with a zero
// byte.
std::string packed(const AttachResult& result) {
  std::string out;
  out += result.done ? '1' : result.again ? '2' : result.already ? '3' : '0';
  out += std::to_string(result.stopped.count()) + '\0';
  for (const std::string* text : {&result.words, &result.reason, &result.uncounted})
    out += *text + '\0';
  return out;
}

AttachResult unpacked(const std::string& text) {
  AttachResult result;
  std::istringstream parts(text.empty() ? text : text.substr(1));
  std::string stopped;
  std::getline(parts, stopped, '\0');
  std::getline(parts, result.words, '\0');
  std::getline(parts, result.reason, '\0');
  std::getline(parts, result.uncounted, '\0');
  result.done = text.starts_with('1');
  result.again = text.starts_with('2');
  result.already = text.starts_with('3');
  result.stopped = std::chrono::nanoseconds(std::strtoll(stopped.c_str(), nullptr, 10));
  return result;
}

// Reads what the process tells. False: it has told nothing for too long, while it could be ended.
bool hear(int from, std::string& told) {
  Hold hold = Hold::nothing;
  for (;;) {
    pollfd ready{from, POLLIN, 0};
    const Milliseconds limit = hold == Hold::threads ? kHeldUp : kReadsNoMore;
    const int got = poll(&ready, 1, static_cast<int>(limit.count()));
    if (got == 0 && hold != Hold::borrowed) return false;
    if (got <= 0) continue;
    std::array<char, 4096> piece{};
    const ssize_t size = read(from, piece.data(), piece.size());
    if (size <= 0) return true;
    for (const char c : std::string_view(piece.data(), static_cast<std::size_t>(size))) {
      const auto said = static_cast<Hold>(c);
      if (told.empty() &&
          (said == Hold::nothing || said == Hold::threads || said == Hold::borrowed)) {
        hold = said;
      } else {
        told += c;
      }
    }
  }
}

AttachResult by_process(const std::function<AttachResult(const Try&)>& f, Milliseconds patience) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {.words = error_text(errno)};
  const Descriptor from(ends[0]);
  Descriptor to(ends[1]);
  const pid_t child = fork();
  if (child < 0) return {.words = error_text(errno)};
  if (child == 0) {
    // Nobody ends it in the middle, by Ctrl-C say.
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, nullptr);
    write_all(to.get(), packed(f({patience, to.get()})));
    _exit(0);
  }
  to = Descriptor();
  std::string told;
  const bool heard = hear(from.get(), told);
  if (!heard) kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  if (!heard) return {.words = "it holds up whoever looks at it (userfaultfd, or a file system)"};
  if (told.empty()) return {.words = "the process that did it has died"};
  return unpacked(told);
}

}  // namespace

void Try::tell(Hold hold) const {
  const char what = static_cast<char>(hold);
  static_cast<void>(!write(progress, &what, 1));
}

// A thread that did not stop goes on with what was asked of it only when that process is gone.
AttachResult in_tries(pid_t pid, const std::function<AttachResult(const Try&)>& f) {
  AttachResult result;
  std::chrono::nanoseconds stopped{};
  Milliseconds patience = kFirstPatience;
  for (int i = 0; i < kTries; ++i, patience = std::min(patience * 2, kMostPatience)) {
    result = by_process(f, patience);
    stopped += result.stopped;
    if (!result.done && is_gone(pid)) {
      result.gone = true;
      result.words =
          status_line(pid, "State").empty() ? "there is no such process" : "it has ended";
    }
    if (!result.again || result.gone || stopped > kMostInAll) break;
    // Of two commands, one comes first.
    constexpr pid_t kApart = 16;
    std::this_thread::sleep_for(kBetweenTries + Milliseconds(getpid() % kApart));
  }
  result.stopped = stopped;
  return result;
}

}  // namespace clockshim::cli
