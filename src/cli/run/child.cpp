#include "cli/run/child.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>

namespace clockshim::cli {
namespace {

constexpr std::initializer_list<int> kPassedOn = {SIGTERM, SIGINT,  SIGHUP,  SIGQUIT, SIGUSR1,
                                                  SIGUSR2, SIGCONT, SIGTSTP, SIGWINCH};

bool is_job_control(int signal) {
  return signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

// Closes our descriptors. Otherwise processes that read from the command, or write to it, would
// wait for us.
void let_go_of_descriptors(int keep) {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null >= 0) {
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
  }
  close_range(STDERR_FILENO + 1, static_cast<unsigned>(keep) - 1, 0);
  close_range(static_cast<unsigned>(keep) + 1, ~0U, 0);
}

// False: there was none. The read ends without data when exec closes the other end, or when the
// child is killed before that.
bool read_word(int from, int& word) {
  ssize_t got;
  do {
    got = read(from, &word, sizeof word);
  } while (got < 0 && errno == EINTR);
  return got == sizeof word;
}

// Waits until a traced process has stopped behind its exec. False: it is not traced, or is gone.
bool stands_behind_exec(pid_t pid) {
  siginfo_t info{};
  if (waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WSTOPPED | WNOWAIT | __WALL) != 0 ||
      info.si_code != CLD_TRAPPED)
    return false;
  waitpid(pid, nullptr, __WALL);
  return true;
}

}  // namespace

Child::Child() {
  // If SIGCHLD is inherited as ignored, the kernel would reap the command before us.
  struct sigaction usual {};
  usual.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &usual, &child_before_);
  sigemptyset(&taken_);
  sigaddset(&taken_, SIGCHLD);
  for (const int signal : kPassedOn) sigaddset(&taken_, signal);
  sigprocmask(SIG_BLOCK, &taken_, &mask_before_);
}

void Child::become(const std::vector<std::string>& argv, Environment& environment, int report_to,
                   bool traced) const {
  sigaction(SIGCHLD, &child_before_, nullptr);
  environment.set("CLOCKSHIM_RUN_PID", std::to_string(getpid()));
  std::vector<char*> arguments;
  arguments.reserve(argv.size() + 1);
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
  if (traced) {
    // Behind exec the pipe ends without a word, so this one comes before.
    const int error = ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0 ? 0 : errno;
    (void)!write(report_to, &error, sizeof error);
  }
  execvpe(arguments[0], arguments.data(), environment.pointers());
  const int error = errno;
  (void)!write(report_to, &error, sizeof error);
  _exit(0);
}

int Child::start(const std::vector<std::string>& argv, Environment environment,
                 const BehindExec& behind_exec) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  // One of the first three descriptors was closed when we were started. It must stay closed for the
  // command, so move the pipe.
  for (int& end : ends) {
    if (end > STDERR_FILENO) continue;
    const int moved = fcntl(end, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (moved < 0) return errno;
    close(end);
    end = moved;
  }
  pid_ = fork();
  if (pid_ < 0) return errno;
  if (pid_ == 0) become(argv, environment, ends[1], static_cast<bool>(behind_exec));
  close(ends[1]);
  let_go_of_descriptors(ends[0]);
  int untraced = 0;
  if (behind_exec) read_word(ends[0], untraced);
  int error = 0;
  const bool failed = read_word(ends[0], error);
  close(ends[0]);
  if (!failed) {
    if (behind_exec && (untraced != 0 || stands_behind_exec(pid_))) behind_exec(pid_, untraced);
    return 0;
  }
  waitpid(pid_, nullptr, 0);
  return error;
}

void Child::pass_on(const siginfo_t& info) const {
  const bool from_kernel = info.si_code == SI_KERNEL;
  const bool same_group = getpgid(pid_) == getpgrp();
  // When a terminal hangs up, only the leader of the session gets the signal.
  const bool to_leader =
      (info.si_signo == SIGHUP || info.si_signo == SIGCONT) && getsid(0) == getpid();
  // A signal from the terminal went to its whole foreground group. A signal from the command went
  // to its group, too.
  if (from_kernel && same_group && !to_leader) return;
  if (!from_kernel && info.si_pid == pid_) return;
  kill(pid_, info.si_signo);
}

// Stops us as well, so that the shell that started us sees its job stop, and later continues both.
// An orphaned group does not stop.
void Child::stop_too(int signal) const {
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, signal);
  raise(signal);
  sigprocmask(SIG_UNBLOCK, &one, nullptr);  // here the process stops
  sigprocmask(SIG_BLOCK, &one, nullptr);
}

bool Child::ended(int& status) const {
  int changed;
  pid_t pid;
  // As the first process of a container we also get all orphans, which are reaped and ignored.
  while ((pid = waitpid(-1, &changed, WNOHANG | WUNTRACED)) > 0) {
    if (pid != pid_) continue;
    if (WIFSTOPPED(changed)) {
      if (is_job_control(WSTOPSIG(changed))) stop_too(WSTOPSIG(changed));
      continue;
    }
    status = changed;
    return true;
  }
  return false;
}

int Child::supervise(LoadCheck& load_check) {
  int status = 0;
  while (!ended(status)) {
    siginfo_t info{};
    const timespec patience = load_check.patience();
    const int signal = load_check.settled() ? sigwaitinfo(&taken_, &info)
                                            : sigtimedwait(&taken_, &info, &patience);
    if (signal < 0 && errno == EAGAIN) load_check.look(pid_);
    if (signal > 0 && signal != SIGCHLD) pass_on(info);
  }
  return status;
}

int end_like(int status) {
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  const int signal = WTERMSIG(status);
  const rlimit none{};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0);  // a core_pattern that is a pipe ignores the limit
  struct sigaction usual {};
  usual.sa_handler = SIG_DFL;
  sigaction(signal, &usual, nullptr);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, signal);
  kill(getpid(), signal);
  sigprocmask(SIG_UNBLOCK, &one, nullptr);
  return 128 + signal;  // the first process of a container is not killed by it
}

}  // namespace clockshim::cli
