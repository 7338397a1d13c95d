// live_program, run for a test; and files made by hand.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "../cli/run_command.h"
#include "live_region.h"

namespace clockshim::test {

class LiveHost {
 public:
  LiveHost(const std::string& dir, const std::string& name)
      : process_({program_path("live_program"), dir, name}) {
    EXPECT_TRUE(process_.wait_for("ready"));
  }
  [[nodiscard]] pid_t pid() const { return process_.pid(); }
  [[nodiscard]] std::string number() const { return std::to_string(pid()); }
  Ending finish() { return process_.finish(); }

 private:
  Running process_;
};

inline std::string write_file(const std::string& path, std::span<const std::byte> bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  return path;
}

// The last line of `text` that holds `part`, or "".
inline std::string line_with(const std::string& text, const std::string& part) {
  std::istringstream lines(text);
  std::string found;
  for (std::string line; std::getline(lines, line);) {
    if (line.find(part) != std::string::npos) found = line;
  }
  return found;
}

// A process id that no process has: of a child that has ended.
inline pid_t dead_pid() {
  Running child({"/bin/true"});
  const pid_t pid = child.pid();
  child.finish();
  return pid;
}

// In the folder, as a process left it that is gone.
inline std::string dead_file(const TempDir& dir, const std::string& ending = "-1a2b.live") {
  LiveRegion region;
  region->header.pid = static_cast<std::uint32_t>(dead_pid());
  struct stat info {};
  region->header.pid_namespace = stat("/proc/self/ns/pid", &info) == 0 ? info.st_ino : 0;
  region.count(0, SiteKey(0x1234, CLOCK_REALTIME, Function::clock_gettime), 77);
  return write_file(dir.path(std::to_string(region->header.pid) + ending), region.bytes());
}

}  // namespace clockshim::test
