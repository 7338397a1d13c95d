#include "cli/run/child.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>

#include "cli/inject/tracee.h"
#include "os/clocksource.h"
#include "os/error_text.h"

namespace clockshim::cli {
namespace {

constexpr std::initializer_list<int> kPassedOn = {SIGTERM, SIGINT,  SIGHUP,  SIGQUIT, SIGUSR1,
                                                  SIGUSR2, SIGCONT, SIGTSTP, SIGWINCH};

// How long a loader may take until the program begins.
constexpr std::chrono::seconds kLoadersPatience{10};

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

// What has ended can still be waited for.
bool has_ended(pid_t pid) {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == pid;
}

// Whether a filter of system calls that we are behind kills whoever traces: a process of its own
// finds out. (A filter that refuses with an error does no harm.)
bool tracing_kills() {
  if (!seccomp_filtered()) return false;
  const pid_t pid = fork();
  if (pid == 0) {
    const rlimit none{};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    char byte = 0;
    char other = 0;
    const iovec from{&byte, 1};
    const iovec to{&other, 1};
    ptrace(PTRACE_SEIZE, getppid(), nullptr, ~0UL);  // without effect, for want of such options
    process_vm_readv(getpid(), &to, 1, &from, 1, 0);
    process_vm_writev(getpid(), &from, 1, &to, 1, 0);
    _exit(0);
  }
  int status = 0;
  return pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status);
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
                   int traced_from) const {
  sigaction(SIGCHLD, &child_before_, nullptr);
  environment.set("CLOCKSHIM_RUN_PID", std::to_string(getpid()));
  std::vector<char*> arguments;
  arguments.reserve(argv.size() + 1);
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
  int word = 0;
  if (traced_from >= 0) read_word(traced_from, word);
  execvpe(arguments[0], arguments.data(), environment.pointers());
  const int error = errno;
  (void)!write(report_to, &error, sizeof error);
  _exit(0);
}

// A pipe of which no end is one of the first three descriptors. One that was closed when we were
// started must stay closed for the command.
int Child::make_pipe(int (&ends)[2]) {
  if (pipe2(ends, O_CLOEXEC) != 0) return errno;
  for (int& end : ends) {
    if (end > STDERR_FILENO) continue;
    const int moved = fcntl(end, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (moved < 0) return errno;
    close(end);
    end = moved;
  }
  return 0;
}

// Lets the traced command go on from a stop that is not what it is traced for.
void Child::go_on_from(int status) const {
  const int event = status >> 16;
  const int signal = WSTOPSIG(status);
  if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
    ptrace(PTRACE_LISTEN, pid_, nullptr, nullptr);
    if (is_job_control(signal)) stop_too(signal);
  } else {
    ptrace(PTRACE_CONT, pid_, nullptr, event == 0 ? signal : 0);
  }
}

// Traces the command, which waits for that at `go`, up to an exec, with the signals and stops that
// it gets until then. False: it does not stand there, but is gone, or was never traced.
bool Child::trace_to_exec(int execs, int go, int& untraced) const {
  untraced = tracing_kills() ? EPERM : Tracee::begin(pid_) ? 0 : errno;
  if (untraced != 0 && has_ended(pid_)) untraced = 0;  // that was why
  (void)!write(go, &untraced, sizeof untraced);
  int status = 0;
  while (untraced == 0 && Tracee::wait_for_stop(pid_, status)) {
    if (status >> 16 == PTRACE_EVENT_EXEC && --execs <= 0) return Tracee::end_system_call(pid_);
    go_on_from(status);
  }
  return false;
}

// The command stands behind its exec, and is to go on to where the program begins. False: it stands
// still.
bool Child::mark_entry() {
  constexpr int kOptions = PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
  due_ = std::chrono::steady_clock::now() + kLoadersPatience;
  return ptrace(PTRACE_SETOPTIONS, pid_, nullptr, kOptions) == 0 && entry_.mark(pid_) &&
         ptrace(PTRACE_CONT, pid_, nullptr, nullptr) == 0;
}

// The command stands still on its way to its entry, and is no longer traced.
void Child::let_go(const std::string& why_not) {
  entry_.clear(pid_);
  ptrace(PTRACE_DETACH, pid_, nullptr, nullptr);
  standing_(pid_, why_not);
  standing_ = {};
}

// The command has stopped on its way to its entry. A library may execute another program by then.
void Child::on_stop(int status) {
  const int event = status >> 16;
  const bool executed = event == PTRACE_EVENT_EXEC && Tracee::end_system_call(pid_);
  if (executed && mark_entry()) return;
  if (executed || (status >> 8 == SIGTRAP && entry_.is_reached(pid_))) {
    standing_(pid_, "");
    standing_ = {};
  } else if (event == PTRACE_EVENT_STOP && WSTOPSIG(status) != SIGTRAP) {
    // A stop of job control is nobody's but its own and the shell's: whoever traced it through that
    // would have to be there when it is continued, and is stopped, too.
    let_go("it was stopped before it has begun");
  } else if (event == PTRACE_EVENT_STOP && overdue_) {
    let_go("it has not begun in ten seconds");
  } else {
    go_on_from(status);
  }
}

// Waits for what the command does on its way to its entry, and passes signals on. It may never come
// there, or an emulated CPU have breakpoints that tell nothing.
void Child::wait_for_entry() {
  using std::chrono::nanoseconds;
  constexpr long kSecond = 1'000'000'000;
  const nanoseconds left =
      std::max(nanoseconds{0}, nanoseconds{due_ - std::chrono::steady_clock::now()});
  const timespec time{left.count() / kSecond, left.count() % kSecond};
  siginfo_t info{};
  const int signal = overdue_ ? sigwaitinfo(&taken_, &info) : sigtimedwait(&taken_, &info, &time);
  if (signal < 0 && errno == EAGAIN)
    overdue_ = ptrace(PTRACE_INTERRUPT, pid_, nullptr, nullptr) == 0;
  if (signal > 0 && signal != SIGCHLD) pass_on(info);
}

int Child::start(const std::vector<std::string>& argv, Environment environment,
                 const Standing& standing, const Place& place) {
  int ends[2];
  int go[2] = {-1, -1};
  if (const int error = make_pipe(ends); error != 0) return error;
  if (standing) {
    if (const int error = make_pipe(go); error != 0) return error;
  }
  pid_ = fork();
  if (pid_ < 0) return errno;
  if (pid_ == 0) {
    close(go[1]);  // what it reads at the other end tells if we are gone, too
    become(argv, environment, ends[1], go[0]);
  }
  close(ends[1]);
  int untraced = 0;
  const bool stands = standing && trace_to_exec(place.execs, go[1], untraced);
  let_go_of_descriptors(ends[0]);
  int error = 0;
  const bool failed = read_word(ends[0], error);
  close(ends[0]);
  if (!failed) {
    if (stands && place.at_entry && mark_entry()) {
      standing_ = standing;
    } else if (stands || untraced != 0) {
      standing(pid_, untraced == 0 ? "" : "it can't be traced: " + error_text(untraced));
    }
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
  // Whoever has stopped both has continued both by now, if that has come to us: there will be no
  // other. (A stop that comes takes back a SIGCONT that waits.)
  sigset_t waiting;
  sigpending(&waiting);
  if (sigismember(&waiting, SIGCONT) == 1) return;
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, signal);
  raise(signal);
  sigprocmask(SIG_UNBLOCK, &one, nullptr);  // here the process stops
  sigprocmask(SIG_BLOCK, &one, nullptr);
}

bool Child::ended(int& status) {
  int changed;
  pid_t pid;
  // As the first process of a container we also get all orphans, which are reaped and ignored.
  while ((pid = waitpid(-1, &changed, WNOHANG | WUNTRACED)) > 0) {
    if (pid != pid_) continue;
    if (WIFSTOPPED(changed) && standing_) {
      on_stop(changed);
      continue;
    }
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
    if (standing_) {
      wait_for_entry();
      continue;
    }
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
