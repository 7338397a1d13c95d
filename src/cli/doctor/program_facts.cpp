#include "cli/doctor/program_facts.h"

#include <elf.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "cli/doctor/elf_imports.h"
#include "cli/inject/image_in_process.h"
#include "cli/inject/load_check.h"
#include "cli/inject/preflight.h"
#include "cli/inject/proc_files.h"
#include "cli/inject/vdso.h"
#include "cli/livefiles/live_dir.h"
#include "cli/livefiles/live_folders.h"
#include "os/base_name.h"
#include "os/read_file.h"
#include "os/settings.h"

namespace clockshim::cli {
namespace {

constexpr const char* kLibraryName = "/libclockshim.so";

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// Whether a file belongs to the C library, which may call the kernel directly.
bool is_system_library(const std::string& path) {
  const std::string name = base_name(path);
  return name.starts_with("libc.so") || name.starts_with("libc-2") ||
         name.starts_with("ld-linux") || name.starts_with("libpthread") ||
         name.starts_with("librt") || name.starts_with("libclockshim");
}

void look_at_file(const std::string& path, bool is_the_program, ProgramFacts& facts) {
  const ElfImports imports = read_imports(path);
  const std::string name = base_name(path);
  if (imports.go || !imports.readable || is_system_library(path)) return;
  if (imports.clock_by_syscall)
    facts.notes.push_back(name + " reads a clock by syscall(): these calls are not covered");
  if (imports.names_vdso_clock)
    facts.notes.push_back(
        name + " knows the vDSO's clock functions: calls that it makes there are not covered");
  if (!is_the_program) return;
  if (imports.imports("dlopen") || imports.imports("dlmopen")) {
    facts.notes.push_back(name +
                          " loads libraries while it runs: what is loaded with RTLD_DEEPBIND, or "
                          "by dlmopen, goes past the shim");
  }
  if (!imports.imports("clock_gettime") && !imports.imports("gettimeofday") &&
      !imports.imports("timespec_get")) {
    facts.notes.push_back(name + " itself asks for no clock; libraries that it loads may");
  }
}

void look_at_name(const std::string& name, ProgramFacts& facts) {
  const Settings settings =
      read_settings([](const char* variable) -> const char* { return getenv(variable); });
  const std::string skipped = reason_to_skip(settings, name);
  if (!skipped.empty()) facts.obstacles.push_back(name + " is left alone: " + skipped);
}

long status_value(const std::string& status, const std::string& key) {
  const auto at = status.find("\n" + key + ":");
  return at == std::string::npos ? -1
                                 : std::strtol(status.c_str() + at + key.size() + 2, nullptr, 10);
}

// Lists the files that are mapped, in the order of the map. False: the map can't be read.
bool mapped_files(const std::string& folder, std::vector<std::string>& files) {
  std::ifstream maps(folder + "/maps");
  std::set<std::string> seen;
  bool any = false;
  for (std::string line; std::getline(maps, line); any = true) {
    const auto slash = line.find('/');
    if (slash == std::string::npos || line.find(" r-xp ") == std::string::npos) continue;
    const std::string path = line.substr(slash);
    if (seen.insert(path).second) files.push_back(path);
  }
  return any;
}

// What keeps the library out: an obstacle, unless the image takes its place.
void note_problem(const std::string& told, const std::string& problem, bool takes_image,
                  ProgramFacts& facts) {
  if (problem.empty()) return;
  facts.by_image = takes_image;
  if (!takes_image) return facts.obstacles.push_back(told);
  facts.notes.push_back(told + ": it takes no preload, `clockshim run` serves it by other means");
}

// Nothing is mapped in the image's name. What leads to it can be seen by whoever may trace the
// process, and what it counts in by others, too.
bool has_image(pid_t pid) {
  Vdso vdso;
  FoundImages images;
  if (read_vdso(pid, vdso).empty()) {
    find_images(pid, vdso, images);
    return images.entries == Entries::ours;
  }
  const std::vector<std::string> files = live_files_of(pid, live_folders_of(pid));
  return std::any_of(files.begin(), files.end(), [](const std::string& path) {
    std::string problem;
    const auto file = LiveFile::open(path, problem);
    return file && file->life() == Liveness::running &&
           file->header().state.load(std::memory_order_relaxed) == live::State::running;
  });
}

void look_at_process(pid_t pid, ProgramFacts& facts) {
  const std::string folder = "/proc/" + std::to_string(pid);
  std::error_code error;
  facts.path = std::filesystem::read_symlink(folder + "/exe", error).string();
  if (error) facts.unseen.push_back("its program: " + folder + "/exe: " + error.message());
  const std::string status = content_of(folder + "/status");
  const std::string auxv = content_of(folder + "/auxv");
  if (auxv.empty()) facts.unseen.push_back("how it was started: " + folder + "/auxv");
  if (auxiliary_value(auxv, AT_SECURE) != 0)
    facts.obstacles.emplace_back(
        "it was started in secure mode (setuid or the like): the loader ignores LD_PRELOAD");
  if (status_value(status, "Seccomp") > 0) {
    facts.notes.emplace_back(
        "it is under seccomp: a filter that forbids clock_gettime forbids the shim's resyncs where "
        "the vDSO enters the kernel");
  }
  std::vector<std::string> files;
  if (!mapped_files(folder, files)) facts.unseen.push_back("its libraries: " + folder + "/maps");
  // Use /proc/PID/root, so that a container's files are found.
  const std::string root = folder + "/root";
  for (const std::string& file : files)
    look_at_file(std::string(root).append(file), file == facts.path, facts);
  facts.loaded = is_mapped(pid, kLibraryName) == Mapped::yes;
  if (!facts.path.empty()) {
    const std::string problem = problem_of_program(folder + "/exe");
    // A running process was checked for a change of user above.
    if (problem.find("runs as another") == std::string::npos)
      note_problem("it " + problem, problem, takes_image_instead(folder + "/exe"), facts);
    look_at_name(base_name(facts.path), facts);
  }
  facts.loaded = facts.loaded || has_image(pid);
  if (!facts.loaded && facts.takes()) {
    facts.notes.emplace_back("it runs without the shim: `clockshim attach " + std::to_string(pid) +
                             "` serves it from now on; or restart it " +
                             (facts.by_image ? "under `clockshim run`" : "with the shim"));
  }
}

}  // namespace

ProgramFacts inspect_program(const std::string& target, std::string& problem) {
  ProgramFacts facts;
  facts.target = target;
  if (is_number(target)) {
    const long pid = std::strtol(target.c_str(), nullptr, 10);
    if (pid <= 0 || pid > INT32_MAX || (kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH)) {
      problem = "doctor \"" + target + "\": no such process; must be a process id or a command";
      return facts;
    }
    facts.pid = static_cast<pid_t>(pid);
    look_at_process(*facts.pid, facts);
    return facts;
  }
  const Preflight preflight = inspect_command(target);
  facts.path = preflight.path;
  if (preflight.path.empty()) {
    problem = "doctor \"" + target +
              "\": no such command; must be a command that can be run, or a process id";
    return facts;
  }
  note_problem(target + preflight.problem, preflight.problem, preflight.takes_image, facts);
  if (!preflight.missing_interpreter.empty())
    facts.obstacles.push_back("its interpreter " + preflight.missing_interpreter + " is not there");
  look_at_file(facts.path, true, facts);
  look_at_name(base_name(facts.path), facts);
  return facts;
}

}  // namespace clockshim::cli
