#include "os/process.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstring>

#include "os/descriptor.h"
#include "os/kernel_line.h"
#include "os/module.h"

namespace clockshim {

std::uint64_t start_ticks_in(std::string_view stat) noexcept {
  // The program's name, field 2, may contain anything, even blanks and parentheses. The last
  // parenthesis ends it.
  std::size_t at = stat.rfind(')');
  constexpr int kFieldsBehindName = 20;
  for (int field = 0; at != std::string_view::npos && field < kFieldsBehindName; ++field)
    at = stat.find(' ', at + 1);
  std::uint64_t ticks = 0;
  if (at != std::string_view::npos)
    std::from_chars(stat.data() + at + 1, stat.data() + stat.size(), ticks);
  return ticks;
}

std::uint64_t process_start_ticks() noexcept {
  char buffer[1024];
  return start_ticks_in(kernel_line("/proc/self/stat", buffer));
}

std::uint64_t pid_namespace() noexcept {
  struct stat info;
  return stat("/proc/self/ns/pid", &info) == 0 ? info.st_ino : 0;
}

namespace {

// Whether the file is the program that runs, by its ELF header: a script's interpreter was started
// by the script's name.
bool is_this_program(const char* path) {
  const Descriptor file(open(path, O_RDONLY | O_CLOEXEC));
  Elf64_Ehdr header;
  Module program;
  return read(file.get(), &header, sizeof header) == sizeof header &&
         find_module(getauxval(AT_PHDR), program) &&
         program.map_end - program.map_start >= sizeof header &&
         std::memcmp(&header, reinterpret_cast<const void*>(program.map_start), sizeof header) == 0;
}

}  // namespace

std::string executable_path() {
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  if (length > 0) return {path, static_cast<std::size_t>(length)};
  // Without /proc, what exec was given, if that does not depend on the folder that it was called
  // in.
  const auto* name = reinterpret_cast<const char*>(getauxval(AT_EXECFN));
  return name != nullptr && *name == '/' && is_this_program(name) ? name : "";
}

}  // namespace clockshim
