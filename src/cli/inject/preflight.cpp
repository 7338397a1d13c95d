#include "cli/inject/preflight.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string_view>

#include "cli/inject/elf_file.h"
#include "os/base_name.h"
#include "os/descriptor.h"
#include "os/read_file.h"

namespace clockshim::cli {
namespace {

constexpr int kScriptsInScripts = 5;  // the kernel follows no more: BINPRM_MAX_RECURSION
constexpr std::size_t kShebangBytes = 256;

bool is_file(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

// Finds a command as execvp(3) does. "": there is none that may be executed; `there` says whether
// there is one that may not.
std::string resolve(const std::string& name, bool& there) {
  if (name.find('/') != std::string::npos) {
    there = access(name.c_str(), F_OK) == 0;
    return there ? name : "";
  }
  const char* variable = getenv("PATH");
  std::string_view path = variable != nullptr ? variable : "/bin:/usr/bin";
  for (;;) {
    const auto colon = path.find(':');
    const std::string folder(path.substr(0, colon));
    std::string candidate = (folder.empty() ? "." : folder) + "/" + name;
    const bool found = is_file(candidate);
    there = there || found;
    if (found && access(candidate.c_str(), X_OK) == 0) return candidate;
    if (colon == std::string_view::npos) return "";
    path.remove_prefix(colon + 1);
  }
}

// The program that `env ARGUMENT` would start, for a script that says "#!/usr/bin/env ARGUMENT".
std::string program_of_env(const std::string& argument) {
  std::istringstream words(argument);
  std::string word;
  while (words >> word) {
    if (word[0] != '-' && word.find('=') == std::string::npos) return word;
  }
  return "";
}

// Why the loader will ignore LD_PRELOAD: it does if exec changes the user (AT_SECURE), as
// cap_bprm_creds_from_file decides.
std::string privilege_problem(const std::string& path) {
  struct stat info;
  struct statvfs mount;
  if (stat(path.c_str(), &info) != 0) return "";
  const bool honoured = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 &&
                        !(statvfs(path.c_str(), &mount) == 0 && (mount.f_flag & ST_NOSUID) != 0);
  const bool setuid = honoured && (info.st_mode & S_ISUID) != 0;
  const bool setgid = honoured && (info.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
  if ((setuid ? info.st_uid : geteuid()) != getuid()) return "runs as another user (setuid)";
  if ((setgid ? info.st_gid : getegid()) != getgid()) return "runs as another group (setgid)";
  if (honoured && getuid() != 0 && getxattr(path.c_str(), "security.capability", nullptr, 0) > 0)
    return "has file capabilities";
  return "";
}

// The version of a glibc that is too old for the library, or "". Old ones have it in the name of
// the file that the loader's name is a link to, ld-2.12.so for instance.
std::string old_glibc(const std::string& loader) {
  constexpr int kLeastMinor = 17;
  std::error_code error;
  const std::string file = base_name(std::filesystem::canonical(loader, error).string());
  int minor = kLeastMinor;
  if (error || std::sscanf(file.c_str(), "ld-2.%d", &minor) != 1 || minor >= kLeastMinor) return "";
  return "2." + std::to_string(minor);
}

// Why the loader will not get the library into this program; "" if it will, or if the file is not
// one that can be judged.
std::string elf_problem(const std::string& path, const ElfFile& file) {
  if (file.bits() == ELFCLASSNONE) return "";
  if (file.bits() == ELFCLASS32) return "is a 32-bit program";
  if (file.machine() != EM_X86_64) return "is a program for another processor";
  const std::string loader = file.interpreter();
  // The C library's loader, started by its own name, has no interpreter, but preloads all the same.
  if (loader.empty()) return base_name(path).starts_with("ld-linux") ? "" : "is statically linked";
  if (base_name(loader).find("ld-musl") != std::string::npos)
    return "is a program of another C library (musl), which loads no library made for glibc (use a "
           "build of it for glibc)";
  if (const std::string old = old_glibc(loader); !old.empty())
    return "is a program of glibc " + old + ", and the library needs 2.17";
  if (file.is_go()) return "is a Go program, whose runtime calls the vDSO itself";
  return privilege_problem(path);
}

// Whether the image can be put in. A program that changes the user would not do so while it is
// traced.
bool elf_takes_image(const std::string& path, const ElfFile& file) {
  return file.bits() == ELFCLASS64 && file.machine() == EM_X86_64 &&
         privilege_problem(path).empty();
}

// The loader of musl is the only one that its programs name, wherever they are.
bool musl_is_here() { return ElfFile("/lib/ld-musl-x86_64.so.1").bits() == ELFCLASS64; }

// The first bytes of a file; "" if it can't be read.
std::string beginning_of(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  std::string bytes;
  read_all(file.get(), bytes, kShebangBytes);
  return bytes;
}

}  // namespace

std::string problem_of_program(const std::string& path) { return elf_problem(path, ElfFile(path)); }

bool takes_image_instead(const std::string& path) {
  const ElfFile file(path);
  return !elf_problem(path, file).empty() && elf_takes_image(path, file);
}

Preflight inspect_command(const std::string& name) {
  Preflight result;
  result.path = resolve(name, result.there);
  std::string path = result.path;
  for (int depth = 0; !path.empty() && depth <= kScriptsInScripts; ++depth) {
    const std::string start = beginning_of(path);
    if (start.starts_with(ELFMAG)) {
      const ElfFile file(path);
      const std::string problem = elf_problem(path, file);
      const std::string loader = file.interpreter();
      if (!loader.empty() && access(loader.c_str(), F_OK) != 0) result.missing_interpreter = loader;
      result.takes_image = elf_takes_image(path, file);
      result.dynamic = !loader.empty();
      if (problem.empty()) return result;
      result.hands_on = result.takes_image && loader.empty() && !musl_is_here();
      if (depth > 0) result.problem.append("'s interpreter ").append(path);
      result.problem.append(" ").append(problem);
      return result;
    }
    if (start.empty()) return result;
    if (!start.starts_with("#!")) {
      path = "/bin/sh";  // as execvp(3) does with a file of unknown format
      continue;
    }
    std::istringstream line(start.substr(2, start.find('\n') - 2));
    std::string interpreter;
    std::string argument;
    line >> interpreter;
    std::getline(line, argument);
    if (access(interpreter.c_str(), F_OK) != 0) {
      result.missing_interpreter = interpreter;
      return result;
    }
    bool there = false;
    const bool by_env = base_name(interpreter) == "env";
    if (by_env) ++result.execs;
    path = by_env ? resolve(program_of_env(argument), there) : interpreter;
  }
  return result;
}

}  // namespace clockshim::cli
