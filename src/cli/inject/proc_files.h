// What the kernel tells of a process in /proc.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace clockshim::cli {

// Whether the numbers of processes there are those that we use: in another pid namespace there may
// still be the /proc of the one around.
bool proc_is_ours();

// The path of a file of the process's: "/proc/12/maps".
std::string proc_file(pid_t pid, const std::string& name);

// What a file `status` says behind a name and a colon (proc(5)); "": there is no such line, or no
// such process.
std::string status_line(const std::string& path, const std::string& name);
std::string status_line(pid_t pid, const std::string& name);
// The last number of such a line; -1: there is none.
long last_number(const std::string& line);

// What the kernel has told the program at its start (getauxval(3)): the value of an entry of the
// file "auxv". 0: there is none.
std::uint64_t auxiliary_value(const std::string& auxv, std::uint64_t type);

// A file `stat` (proc(5)) of a process or a thread, without its number and name. Empty: it is gone.
class StatFile {
 public:
  explicit StatFile(const std::string& path);
  explicit operator bool() const { return !words_.empty(); }

  [[nodiscard]] char state() const { return words_[0][0]; }
  [[nodiscard]] long parent() const { return number(4); }
  [[nodiscard]] unsigned long flags() const { return static_cast<unsigned long>(number(9)); }
  [[nodiscard]] long threads() const { return number(20); }
  // It has ended, and remains to be waited for.
  [[nodiscard]] bool has_ended() const { return state() == 'Z' || state() == 'X'; }

 private:
  [[nodiscard]] long number(std::size_t field) const;
  std::vector<std::string> words_;
};

// The folders of its threads: "/proc/12/task/34".
std::vector<std::string> task_folders(pid_t pid);

}  // namespace clockshim::cli
