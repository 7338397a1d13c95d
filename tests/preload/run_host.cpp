#include "run_host.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

namespace clockshim::test {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) ADD_FAILURE() << name << " is not set: run this test through meson";
  return value != nullptr ? value : "";
}

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Whether hosts are static programs, into which the command puts the image when it starts them; or
// run already when the command attaches to them.
bool by_image() { return std::getenv("TEST_IMAGE") != nullptr; }
bool by_attach() {
  const char* const how = std::getenv("TEST_IMAGE");
  return how != nullptr && std::strcmp(how, "attach") == 0;
}

// The daemon that is to load the hosts, if any.
const char* carrier() { return std::getenv("TEST_CARRIER"); }

std::vector<std::string> environment_of(const HostOptions& options, const fs::path& reports) {
  std::map<std::string, std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string line = *entry;
    const auto equals = line.find('=');
    const std::string name = line.substr(0, equals);
    if (name.rfind("CLOCKSHIM_", 0) != 0 && name != "LD_PRELOAD")
      all[name] = line.substr(equals + 1);
  }
  all["CLOCKSHIM_TEST_HOSTS"] =
      from_environment("CLOCKSHIM_HOSTS");  // where hosts find their plug-ins
  if (options.report && !by_attach()) all["CLOCKSHIM_REPORT"] = (reports / "%p.json").string();
  if (by_attach()) all["CLOCKSHIM_DIR"] = (reports.parent_path() / "live").string();
  for (const auto& [name, value] : options.environment) all[name] = value;
  std::string preload = options.preload_before;
  if (options.shim && !by_image()) preload += " " + shim_path();
  preload += " " + options.preload_after;
  if (preload.find_first_not_of(' ') != std::string::npos) all["LD_PRELOAD"] = preload;
  std::vector<std::string> lines;
  for (const auto& [name, value] : all) lines.push_back(name + "=" + value);
  return lines;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (auto& s : strings) out.push_back(s.data());
  out.push_back(nullptr);
  return out;
}

int open_for_append(const fs::path& path) {
  return open(path.c_str(), O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
}

// The host's descriptors 0, 1 and 2. Between fork and exec: system calls only.
void redirect(int in, int out, int err, Stderr kind) {
  dup2(in, 0);
  dup2(out, 1);
  if (kind == Stderr::closed) {
    close(2);
  } else if (kind == Stderr::pipe_without_reader) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) _exit(126);
    close(ends[0]);
    dup2(ends[1], 2);
  } else {
    dup2(err, 2);
  }
  std::signal(SIGPIPE, SIG_DFL);
}

// Waits for the process's end, or kills its group when the limit is over.
void await(pid_t pid, std::chrono::seconds limit, HostRun& run) {
  const int handle = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  pollfd end{handle, POLLIN, 0};
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(limit).count();
  run.timed_out = poll(&end, 1, static_cast<int>(milliseconds)) == 0;
  if (run.timed_out) kill(-pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (handle >= 0) close(handle);
  if (WIFEXITED(status)) run.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) run.signal = WTERMSIG(status);
}

// The exit status of our command.
int run_command(std::vector<std::string> arguments, const std::vector<char*>& envp, int err) {
  arguments.insert(arguments.begin(), from_environment("CLOCKSHIM_TEST_COMMAND"));
  const std::vector<char*> argv = pointers(arguments);
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(open("/dev/null", O_WRONLY), 1);
    dup2(err, 2);
    execve(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool has_ended(pid_t pid) {
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == pid;
}

// Attaches to a host that is at work. False: it was over before.
bool attach_to(pid_t pid, const std::string& name, const std::vector<char*>& envp, int err) {
  // Before its exec it is not there yet, nor in a daemon before that has loaded it.
  const std::string maps = "/proc/" + std::to_string(pid) + "/maps";
  constexpr useconds_t kMillisecond = 1'000;
  while (contents(maps).find("/" + name) == std::string::npos) {
    if (has_ended(pid)) return false;
    usleep(kMillisecond);
  }
  // It has to have begun what it is to do: its first threads, for instance.
  usleep(10 * kMillisecond);
  // Beside other tests, threads may have to wait for a CPU for longer than the command waits.
  constexpr int kTries = 20;
  for (int i = 0; i < kTries; ++i) {
    if (run_command({"attach", std::to_string(pid)}, envp, err) == 0) return true;
    if (has_ended(pid)) return false;
  }
  ADD_FAILURE() << "not attached";
  return true;
}

void read_reports(const fs::path& directory, HostRun& run) {
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string text = contents(entry.path());
    Json report = Json::parse(text, nullptr, false);
    if (report.is_discarded()) {
      ADD_FAILURE() << entry.path() << " is not JSON:\n" << text;
    } else {
      run.reports[std::stol(entry.path().stem())] = std::move(report);
    }
  }
}

}  // namespace

std::string HostRun::ending() const {
  if (timed_out) return "hung";
  return exit_code >= 0 ? "exit " + std::to_string(exit_code) : "signal " + std::to_string(signal);
}

std::string shim_path() { return from_environment("CLOCKSHIM_LIB"); }
std::string slowclock_path() { return from_environment("TEST_SLOWCLOCK"); }
// The whole test may be run with hosts of another kind: meson.build does so.
std::string host_path(const std::string& name) {
  const char* const end = std::getenv("TEST_HOSTS_END_IN");
  return name.starts_with('/')
             ? name
             : from_environment("CLOCKSHIM_HOSTS") + "/" + name + (end != nullptr ? end : "");
}

namespace {

// `too_late`: it was over before it was attached to.
HostRun run_once(const std::string& name, const HostOptions& options, bool& too_late) {
  const TempDir directory;
  const fs::path reports = directory.path() / "reports";
  fs::create_directory(reports);
  // Where it is to run: scripts/lab/musl-root has another root for it.
  std::vector<std::string> arguments;
  if (const char* const before = std::getenv("TEST_BEFORE_HOST"); before != nullptr) {
    std::istringstream words(before);
    arguments.assign(std::istream_iterator<std::string>(words), {});
  }
  if (carrier() != nullptr) arguments = {from_environment("TEST_CARRY"), carrier()};
  const bool attached = options.shim && by_attach();
  // Those that take no preload would have it without being asked.
  if (options.shim && by_image() && !attached)
    for (const auto& word : {from_environment("CLOCKSHIM_TEST_COMMAND"), "run"s, "--image"s})
      arguments.push_back(word);
  arguments.push_back(host_path(name));
  arguments.insert(arguments.end(), options.arguments.begin(), options.arguments.end());
  std::vector<std::string> environment = environment_of(options, reports);
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(environment);
  const int out = open_for_append(directory.path() / "out");
  const int err = open_for_append(directory.path() / "err");
  // A host that is carried begins when our end is closed.
  int begin[2] = {open("/dev/null", O_RDONLY | O_CLOEXEC), -1};
  if (carrier() != nullptr) {
    // The daemon may be another user's, to whom the folder is given then (tests/hosts/carry).
    fs::permissions(directory.path(), fs::perms(0711));
    fs::create_directory(directory.path() / "live");
    close(begin[0]);
    EXPECT_EQ(pipe2(begin, O_CLOEXEC), 0);
  }

  HostRun run;
  const pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that is killed leaves no host behind
    redirect(begin[0], out, err, options.stderr_is);
    execve(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  setpgid(pid, pid);
  too_late = attached && !attach_to(pid, fs::path(host_path(name)).filename(), envp, err);
  close(begin[0]);
  if (begin[1] >= 0) close(begin[1]);
  await(pid, options.limit, run);
  if (attached && options.report)
    run_command({"report", "--format", "json", "--output",
                 (reports / (std::to_string(pid) + ".json")).string(), std::to_string(pid)},
                envp, err);
  close(out);
  close(err);
  run.out = contents(directory.path() / "out");
  run.err = contents(directory.path() / "err");
  read_reports(reports, run);
  if (run.timed_out) {
    ADD_FAILURE() << name << " did not end within " << options.limit.count()
                  << " s and was killed. It said:\n"
                  << run.out << run.err;
  }
  return run;
}

}  // namespace

HostRun run_host(const std::string& name, const HostOptions& options) {
  constexpr int kTries = 10;
  bool too_late = false;
  HostRun run = run_once(name, options, too_late);
  for (int i = 1; too_late && i < kTries; ++i) run = run_once(name, options, too_late);
  return run;
}

std::map<long, long> numbers_by_process(const HostRun& run, const std::string& word) {
  std::map<long, long> numbers;
  for (const auto& line : lines_of(run.out)) {
    std::istringstream fields(line);
    std::string first;
    long pid = 0;
    long number = 0;
    if (fields >> first >> pid >> number && first == word) numbers[pid] = number;
  }
  return numbers;
}

long calls_in_all(const Json& report) {
  long sum = 0;
  for (const auto& clock : report.at("clocks")) sum += clock.at("calls").get<long>();
  return sum;
}

long calls_of_function(const Json& report, const std::string& function) {
  long sum = 0;
  for (const auto& site : report.at("sites")) {
    if (site.at("function") == function) sum += site.at("calls").get<long>();
  }
  return sum;
}

long calls_from(const Json& report, const std::string& symbol, std::size_t frames) {
  long sum = 0;
  for (const auto& site : report.at("sites")) {
    const auto& chain = site.at("frames");
    for (std::size_t i = 0; i < chain.size() && i < frames; ++i) {
      if (chain[i].at("symbol") == symbol) {
        sum += site.at("calls").get<long>();
        break;
      }
    }
  }
  return sum;
}

void expect_exact_counts(const HostRun& run, std::size_t processes) {
  const auto said = numbers_by_process(run, "calls");
  EXPECT_EQ(said.size(), processes) << "processes that said how often they called:\n"
                                    << run.out << run.err;
  for (const auto& [pid, calls] : said) {
    const auto report = run.reports.find(pid);
    if (report == run.reports.end()) {
      ADD_FAILURE() << "process " << pid << " called " << calls << " times and left no report\n"
                    << run.err;
      continue;
    }
    EXPECT_EQ(calls_in_all(report->second), calls) << report->second.dump(1);
    EXPECT_EQ(report->second.at("dropped").get<long>(), 0);
    long by_site = 0;
    for (const auto& site : report->second.at("sites")) by_site += site.at("calls").get<long>();
    EXPECT_EQ(by_site, calls) << "the sites' calls don't add up to the clocks'";
  }
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace clockshim::test
